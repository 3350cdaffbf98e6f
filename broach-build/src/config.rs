//! [`Config`]: how to compile.

use std::fmt;
use std::path::{Path, PathBuf};

use broach_codegen::{Options, Sides};
use prost_types::FileDescriptorSet;

use crate::error::{Error, Problem};
use crate::read::{self, Includes, Sources};
use crate::{compile, output, tree};

/// How to compile `.proto` files, if not as [`compile`](crate::compile) does.
///
/// Made by [`configure`](crate::configure).
///
/// ```no_run
/// fn main() -> Result<(), broach_build::Error> {
///     broach_build::configure()
///         .include("proto")
///         .btree_map(["."])
///         .type_attribute(".shop.v1.Order", "#[derive(Eq)]")
///         .compile(&["proto/shop/v1/shop.proto"])
/// }
/// ```
///
/// # Paths
///
/// Where an option takes a path, it is as in prost-build: `.shop.v1.Order` and
/// `.shop.v1.Order.id` are a message and one of its fields, `.shop.v1` is all of a package, and
/// `.` is everything. Without a dot in front, a path is the end of a longer one: `Order.id`. An
/// option whose path matches nothing does nothing.
#[must_use = "nothing happens before `compile` is called"]
pub struct Config {
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) out_dir: Option<PathBuf>,
    pub(crate) descriptors: Option<PathBuf>,
    pub(crate) options: Options,
    pub(crate) prost: prost_build::Config,
}

impl Config {
    pub(crate) fn new() -> Self {
        let mut options = Options::default();
        options.file_descriptor_set = Some(tree::DESCRIPTORS.to_owned());
        let mut prost = prost_build::Config::new();
        prost.enable_type_names();
        // As `google.protobuf.Any` has it, and the details of a status.
        prost.type_name_domain(["."], "type.googleapis.com");
        let runtime = options.runtime.clone();
        let config =
            Self { includes: Vec::new(), out_dir: None, descriptors: None, prost, options };
        config.runtime(runtime)
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

    /// Adds several directories that imports start from; see [`include`](Self::include).
    pub fn include_dirs(mut self, dirs: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        self.includes.extend(dirs.into_iter().map(Into::into));
        self
    }

    /// Writes to this directory instead of to `OUT_DIR`, for those who keep generated code with
    /// their own. `mod.rs` in it brings in everything: `mod gen;` in place of
    /// `broach_core::include_protos!()`.
    pub fn out_dir(self, dir: impl Into<PathBuf>) -> Self {
        let out_dir = Some(dir.into());
        Self { out_dir, ..self }
    }

    /// Also writes the descriptors of all files, imports first, to this file: an encoded
    /// `google.protobuf.FileDescriptorSet`, with comments and places, as protoc writes it with
    /// `--include_imports --include_source_info`.
    pub fn file_descriptor_set_path(self, path: impl Into<PathBuf>) -> Self {
        let descriptors = Some(path.into());
        Self { descriptors, ..self }
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

    /// Says where the code of one service finds Broach, if not where [`runtime`](Self::runtime)
    /// says: another version of it, or a wrapper that has the same names. `service` is the full
    /// name, such as `shop.v1.Orders`; messages are not affected.
    pub fn runtime_of(mut self, service: impl Into<String>, path: impl Into<String>) -> Self {
        self.options.runtime_of.insert(service.into(), path.into());
        self
    }

    /// Puts an attribute on messages, enums and oneofs.
    ///
    /// ```
    /// # fn example(config: broach_build::Config) -> broach_build::Config {
    /// config.type_attribute(".shop.v1", "#[derive(serde::Serialize)]")
    /// # }
    /// ```
    pub fn type_attribute(self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.prost(|prost| {
            prost.type_attribute(path, attribute);
        })
    }

    /// Puts an attribute on fields, and on the values of enums and of oneofs.
    pub fn field_attribute(self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.prost(|prost| {
            prost.field_attribute(path, attribute);
        })
    }

    /// Takes types from elsewhere instead of generating them: those of a package, as in
    /// `.extern_path(".money.v1", "::money::v1")` for a crate that has compiled it, or one type.
    /// Services of a package that is elsewhere are not generated either.
    pub fn extern_path(self, proto: impl Into<String>, rust: impl Into<String>) -> Self {
        self.prost(|prost| {
            prost.extern_path(proto, rust);
        })
    }

    /// Makes fields of type `bytes` `bytes::Bytes`, which are taken out of a datagram without a
    /// copy, instead of `Vec<u8>`.
    pub fn bytes(self, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.prost(|prost| {
            prost.bytes(paths);
        })
    }

    /// Makes maps `BTreeMap`s, whose order is always the same, instead of `HashMap`s.
    pub fn btree_map(self, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.prost(|prost| {
            prost.btree_map(paths);
        })
    }

    /// Changes how prost-build generates messages: whatever it has and is not above.
    ///
    /// What it has for finding, reading and writing files is of no effect here, nor is a service
    /// generator.
    ///
    /// ```
    /// # fn example(config: broach_build::Config) -> broach_build::Config {
    /// config.prost(|prost| {
    ///     prost.boxed(".shop.v1.Order.buyer");
    ///     prost.retain_enum_prefix();
    /// })
    /// # }
    /// ```
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
    pub fn compile(self, protos: &[impl AsRef<Path>]) -> Result<(), Error> {
        let sources = self.read(protos);
        self.write(sources)
    }

    /// Compiles files that another program has read, such as protoc or buf, from their
    /// descriptors.
    ///
    /// The set must hold the files' imports too, except for what comes with Protobuf: protoc adds
    /// them with `--include_imports`. Comments become documentation if it holds them
    /// (`--include_source_info`). Nothing tells Cargo when the set changes; for one that lies in a
    /// file, see [`compile_fds_path`](Self::compile_fds_path).
    ///
    /// # Errors
    ///
    /// As [`compile`](Self::compile), with places as far as the set has them.
    pub fn compile_fds(self, set: FileDescriptorSet) -> Result<(), Error> {
        let sources = read::descriptors(set);
        self.write(Ok(sources))
    }

    /// Compiles from the descriptors in a file, which protoc and buf write with `-o`; see
    /// [`compile_fds`](Self::compile_fds). Cargo runs the build script again when it changes.
    ///
    /// # Errors
    ///
    /// As [`compile_fds`](Self::compile_fds), and if the file cannot be read or is no descriptor
    /// set.
    pub fn compile_fds_path(self, path: impl AsRef<Path>) -> Result<(), Error> {
        let sources = read::descriptor_file(path.as_ref()).map_err(Error::from);
        self.write(sources)
    }

    /// Compares what [`compile`](Self::compile) would write with what is in
    /// [`out_dir`](Self::out_dir), and writes nothing: for a test that says whether generated code
    /// that is kept with one's own is what the `.proto` files give today.
    ///
    /// # Errors
    ///
    /// As [`compile`](Self::compile), and the files that differ, are missing or are left over.
    pub fn check(mut self, protos: &[impl AsRef<Path>]) -> Result<(), Error> {
        let sources = self.read(protos)?;
        let dir = self.dir()?;
        let compiled = compile::compile(&mut self, sources)?;
        output::check(&dir, &compiled)
    }

    fn read(&self, protos: &[impl AsRef<Path>]) -> Result<Sources, Error> {
        let paths: Vec<PathBuf> = protos.iter().map(|path| path.as_ref().to_owned()).collect();
        if paths.is_empty() {
            return Err(Problem::new("no .proto file was given").into());
        }
        if self.includes.is_empty() {
            return Ok(read::read(&paths, Includes::guessed(&paths)));
        }
        match Includes::chosen(&self.includes, &paths) {
            Ok(includes) => Ok(read::read(&paths, includes)),
            Err(problems) => Error::unless_empty(problems).map(|()| Sources::default()),
        }
    }

    fn write(mut self, sources: Result<Sources, Error>) -> Result<(), Error> {
        let mut used = Vec::new();
        let result = sources.and_then(|sources| {
            used.clone_from(&sources.used);
            let compiled = compile::compile(&mut self, sources)?;
            output::write(&self.dir()?, &compiled)?;
            if let Some(path) = &self.descriptors {
                output::write_file(path, &compiled.descriptors)?;
            }
            Ok(())
        });
        output::tell_cargo(&used, &result);
        result
    }

    fn dir(&self) -> Result<PathBuf, Problem> {
        self.out_dir.clone().map_or_else(output::default_dir, Ok)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("includes", &self.includes)
            .field("out_dir", &self.out_dir)
            .field("descriptors", &self.descriptors)
            .field("options", &self.options)
            .field("prost", &self.prost)
            .finish()
    }
}
