//! From descriptors to formatted Rust, one text for each package.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use broach_codegen::{EnumPrefix, Names, Options};
use prost_build::{Module, Service, ServiceGenerator};
use prost_types::{EnumDescriptorProto, EnumValueDescriptorProto, FileDescriptorProto};

use crate::error::Problem;
use crate::{aliases, comments};

/// The generated modules, by their paths.
pub(crate) type Modules = BTreeMap<Module, String>;

/// What is known of prost-build's settings: there is no way to ask for them but to try.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) prefix: EnumPrefix,
    /// The packages whose types come from elsewhere, such as `google.protobuf`.
    foreign: BTreeSet<String>,
}

/// Generates messages with prost-build and services with broach-codegen.
///
/// prost-build needs to see foreign packages too; they should have no services any more.
pub(crate) fn generate(
    prost: &mut prost_build::Config,
    mut files: Vec<FileDescriptorProto>,
    names: Names,
    options: Options,
) -> Result<Modules, Problem> {
    aliases::resolve(&mut files);
    for file in &mut files {
        comments::disguise(file);
    }
    let (sender, services) = mpsc::channel();
    prost.service_generator(Box::new(Services { names, options, sender }));
    let modules = run(prost, files)?;
    let mut services_of: BTreeMap<Module, String> = BTreeMap::new();
    for (package, text) in services.try_iter() {
        let module = Module::from_protobuf_package_name(&package);
        let all = services_of.entry(module).or_default();
        all.push('\n');
        all.push_str(&text);
    }
    modules
        .into_iter()
        .map(|(module, text)| {
            let mut text = format(&module, &comments::undisguise(&text))?;
            let services = services_of.remove(&module).unwrap_or_default();
            parse(&module, &services)?;
            let is_first = text.is_empty();
            text.push_str(if is_first { services.trim_start() } else { &services });
            Ok((module, text))
        })
        .collect()
}

impl Tried {
    /// Tries prost-build's settings for these files.
    pub(crate) fn new(
        prost: &mut prost_build::Config,
        files: &[FileDescriptorProto],
    ) -> Result<Self, Problem> {
        let mut tried = Self::default();
        if probe(prost, "probe")?.contains("ProbeValue") {
            tried.prefix = EnumPrefix::Kept;
        }
        let packages: BTreeSet<&str> = files.iter().map(FileDescriptorProto::package).collect();
        for package in packages {
            if probe(prost, package)?.is_empty() {
                tried.foreign.insert(package.to_owned());
            }
        }
        Ok(tried)
    }

    /// Whether the types of a file come from elsewhere, so that there is nothing to generate.
    pub(crate) fn is_foreign(&self, file: &FileDescriptorProto) -> bool {
        self.foreign.contains(file.package())
    }
}

/// What prost-build makes of an enum in a package.
fn probe(prost: &mut prost_build::Config, package: &str) -> Result<String, Problem> {
    let value = EnumValueDescriptorProto {
        name: Some("PROBE_VALUE".to_owned()),
        number: Some(0),
        ..EnumValueDescriptorProto::default()
    };
    let probe = EnumDescriptorProto {
        name: Some("Probe".to_owned()),
        value: vec![value],
        ..EnumDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("probe.proto".to_owned()),
        package: Some(package.to_owned()),
        enum_type: vec![probe],
        ..FileDescriptorProto::default()
    };
    let modules = run(prost, vec![file])?;
    Ok(modules.into_values().collect())
}

fn run(
    prost: &mut prost_build::Config,
    files: Vec<FileDescriptorProto>,
) -> Result<Modules, Problem> {
    // prost-build panics on text that it cannot format, such as that of a wrong attribute.
    prost.format(false);
    let requests = files
        .into_iter()
        .map(|file| (Module::from_protobuf_package_name(file.package()), file))
        .collect();
    let modules = prost
        .generate(requests)
        .map_err(|error| Problem::new(format!("prost-build cannot generate messages: {error}")))?;
    Ok(modules.into_iter().collect())
}

/// Formats the messages of a module, with a line between its items.
fn format(module: &Module, text: &str) -> Result<String, Problem> {
    let items: Vec<String> = parse(module, text)?
        .items
        .into_iter()
        .map(|item| {
            prettyplease::unparse(&syn::File {
                shebang: None,
                attrs: Vec::new(),
                items: vec![item],
            })
        })
        .collect();
    Ok(items.join("\n"))
}

fn parse(module: &Module, text: &str) -> Result<syn::File, Problem> {
    syn::parse_file(text).map_err(|error| {
        Problem::new(format!("what is generated for `{module}` is not Rust: {error}"))
            .help("look at the attributes and paths that the build script sets")
    })
}

/// Lets broach-codegen have the services that prost-build finds.
///
/// Their text does not go the way of the messages: it is formatted already.
struct Services {
    names: Names,
    options: Options,
    /// Where each service goes, with its package in front.
    sender: mpsc::Sender<(String, String)>,
}

impl ServiceGenerator for Services {
    fn generate(&mut self, service: Service, text: &mut String) {
        // prost-build forgets a module without text, and panics when it meets its services.
        text.push_str("// Services.\n");
        let generated = broach_codegen::generate(&service, &self.names, &self.options);
        // Whoever receives it is there for as long as prost-build runs.
        let _ = self.sender.send((service.package, generated));
    }
}
