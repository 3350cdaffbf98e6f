//! From descriptors to formatted Rust, one text for each package.

use std::collections::BTreeMap;

use broach_codegen::{EnumPrefix, Names, Options};
use prost_build::{Module, Service, ServiceGenerator};
use prost_types::{EnumDescriptorProto, EnumValueDescriptorProto, FileDescriptorProto};

use crate::comments;
use crate::error::Problem;

/// The generated modules, by their paths.
pub(crate) type Modules = BTreeMap<Module, String>;

/// Generates messages with prost-build and services with broach-codegen.
pub(crate) fn generate(
    prost: &mut prost_build::Config,
    mut files: Vec<FileDescriptorProto>,
    names: Names,
    options: Options,
) -> Result<Modules, Problem> {
    for file in &mut files {
        comments::disguise(file);
    }
    prost.service_generator(Box::new(Services { names, options }));
    let modules = run(prost, files)?;
    modules
        .into_iter()
        .map(|(module, text)| {
            let text = format(&module, &comments::undisguise(&text))?;
            Ok((module, text))
        })
        .collect()
}

/// Whether this configuration keeps the name of an enum in the names of its values. There is no
/// way to ask but to try.
pub(crate) fn enum_prefix(prost: &mut prost_build::Config) -> Result<EnumPrefix, Problem> {
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
        package: Some("probe".to_owned()),
        enum_type: vec![probe],
        ..FileDescriptorProto::default()
    };
    let modules = run(prost, vec![file])?;
    let is_kept = modules.values().any(|text| text.contains("ProbeValue"));
    Ok(if is_kept {
        EnumPrefix::Kept
    } else {
        EnumPrefix::Stripped
    })
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

/// Formats a module, with a line between its items.
fn format(module: &Module, text: &str) -> Result<String, Problem> {
    let file = syn::parse_file(text).map_err(|error| {
        Problem::new(format!(
            "what is generated for `{module}` is not Rust: {error}"
        ))
        .help("look at the attributes and paths that the build script sets with `prost`")
    })?;
    let items: Vec<String> = file
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

/// Lets broach-codegen have the services that prost-build finds.
struct Services {
    names: Names,
    options: Options,
}

impl ServiceGenerator for Services {
    fn generate(&mut self, service: Service, text: &mut String) {
        text.push_str(&broach_codegen::generate(
            &service,
            &self.names,
            &self.options,
        ));
    }
}
