//! [`Config`]: how to compile.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broach_codegen::{Names, Options, Sides};

use crate::error::{Error, Problem};
use crate::generate::Tried;
use crate::read::{self, Includes, Source, Sources};
use crate::{diagnostic, generate, link, output};

/// How to compile `.proto` files, if not as [`compile`](crate::compile) does.
///
/// Made by [`configure`](crate::configure).
///
/// ```no_run
/// fn main() -> Result<(), broach_build::Error> {
///     broach_build::configure()
///         .include("proto")
///         .prost(|prost| {
///             prost.btree_map(["."]);
///             prost.type_attribute("shop.v1.Order", "#[derive(Eq)]");
///         })
///         .compile(&["proto/shop/v1/shop.proto"])
/// }
/// ```
#[must_use = "nothing happens before `compile` is called"]
pub struct Config {
    includes: Vec<PathBuf>,
    out_dir: Option<PathBuf>,
    options: Options,
    prost: prost_build::Config,
}

impl Config {
    pub(crate) fn new() -> Self {
        let options = Options::default();
        let mut prost = prost_build::Config::new();
        prost.enable_type_names();
        // As `google.protobuf.Any` has it, and the details of a status.
        prost.type_name_domain(["."], "type.googleapis.com");
        let config = Self { includes: Vec::new(), out_dir: None, prost, options: options.clone() };
        config.runtime(options.runtime)
    }

    /// Adds a directory that imports start from, as in `import "shop/v1/shop.proto"`. The first
    /// that has a file wins, and each file given must be in one.
    ///
    /// Without any, imports are looked up in the directory that holds all the files given, beside
    /// each of them, and in `proto` if a file of package `shop.v1` is in `proto/shop/v1`.
    pub fn include(mut self, dir: impl Into<PathBuf>) -> Self {
        self.includes.push(dir.into());
        self
    }

    /// Writes to this directory instead of to `OUT_DIR`, for those who keep generated code with
    /// their own. `mod.rs` in it brings in everything: `mod gen;` in place of
    /// `broach_core::include_protos!()`.
    pub fn out_dir(self, dir: impl Into<PathBuf>) -> Self {
        let out_dir = Some(dir.into());
        Self { out_dir, ..self }
    }

    /// Generates clients, but neither traits nor servers.
    pub fn client_only(mut self) -> Self {
        self.options.sides = Sides::Client;
        self
    }

    /// Generates traits and servers, but no clients.
    pub fn server_only(mut self) -> Self {
        self.options.sides = Sides::Server;
        self
    }

    /// Says where generated code finds Broach: `::broach_core`, unless a crate has it under
    /// another name or re-exports it.
    pub fn runtime(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.prost.prost_path(format!("{path}::codegen::prost"));
        let types = format!("{path}::codegen::prost_types");
        self.prost.prost_types_path(types);
        self.options.runtime = path;
        self
    }

    /// Changes how prost-build generates messages: attributes, maps, types from other crates and
    /// whatever else it has.
    ///
    /// What it has for finding, reading and writing files is of no effect here, nor is a service
    /// generator.
    pub fn prost(mut self, change: impl FnOnce(&mut prost_build::Config)) -> Self {
        change(&mut self.prost);
        self
    }

    /// Compiles these files and those they import.
    ///
    /// A build script calls this once, with all its files: what it writes is what
    /// `broach_core::include_protos!()` brings in. More calls need an [`out_dir`](Self::out_dir)
    /// each.
    ///
    /// # Errors
    ///
    /// All mistakes in all files; see [`Error`]. Cargo is told of them as well, so that the build
    /// fails with them.
    pub fn compile(mut self, protos: &[impl AsRef<Path>]) -> Result<(), Error> {
        let paths: Vec<PathBuf> = protos.iter().map(|path| path.as_ref().to_owned()).collect();
        let mut files = Vec::new();
        let result = self.read(&paths).and_then(|sources| {
            files = sources.files;
            self.generate(&files, sources.problems)
        });
        output::tell_cargo(&files, &result);
        result
    }

    fn read(&self, paths: &[PathBuf]) -> Result<Sources, Error> {
        if paths.is_empty() {
            return Err(Problem::new("no .proto file was given").into());
        }
        if self.includes.is_empty() {
            return Ok(read::read(paths, Includes::guessed(paths)));
        }
        match Includes::chosen(&self.includes, paths) {
            Ok(includes) => Ok(read::read(paths, includes)),
            Err(problems) => Error::unless_empty(problems).map(|()| Sources::default()),
        }
    }

    /// Generates code for the files, unless there are problems with them or were before.
    fn generate(&mut self, sources: &[Source], mut problems: Vec<Problem>) -> Result<(), Error> {
        let (mut files, link_problems) = link::link(sources);
        problems.extend(link_problems);
        let tried = Tried::new(&mut self.prost, &files).unwrap_or_else(|problem| {
            problems.push(problem);
            Tried::default()
        });
        let local = files.iter().filter(|file| !tried.is_foreign(file));
        let names = match Names::of(local, tried.prefix) {
            Ok(names) => names,
            Err(name_problems) => {
                let texts = sources.iter().map(|source| {
                    let name = source.descriptor.name().to_owned();
                    (name, Arc::clone(&source.text))
                });
                let texts: BTreeMap<_, _> = texts.collect();
                let found = name_problems.into_iter();
                problems.extend(found.map(|problem| diagnostic::naming(problem, &texts)));
                Names::default()
            }
        };
        Error::unless_empty(problems)?;
        for file in files.iter_mut().filter(|file| tried.is_foreign(file)) {
            file.service.clear();
        }
        let modules = generate::generate(&mut self.prost, files, names, self.options.clone())?;
        let dir = self.out_dir.clone().map_or_else(output::default_dir, Ok)?;
        output::write(&dir, &modules)?;
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("includes", &self.includes)
            .field("out_dir", &self.out_dir)
            .field("options", &self.options)
            .field("prost", &self.prost)
            .finish()
    }
}
