//! `broach-gen`: what `broach_build::compile` does in a build script, for those who keep generated
//! code with their own.
//!
//! ```text
//! broach-gen proto/shop.proto --out src/gen
//! broach-gen proto/shop.proto --out src/gen --check
//! ```
//!
//! It ends with 0 if all went well, 1 if something is wrong with the files, with what it reports in
//! stderr, and 2 if it was called wrongly.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use broach_build::{Config, Error, configure};
use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
Compiles .proto files to Rust for Broach.

Usage: broach-gen FILE... --out DIR [OPTIONS]

  FILE...                      the .proto files; what they import is compiled too
      --out DIR                where to write; `mod.rs` there brings in everything
      --check                  write nothing, but fail if DIR holds anything else
  -I, --include DIR            where imports start from; may be given several times
      --fds FILE               compile the descriptors in FILE instead of .proto files
      --descriptor-set FILE    also write the descriptors of all files to FILE
      --client-only            no traits and servers
      --server-only            no clients
      --runtime PATH           where the code finds Broach [default: ::broach_core]
      --runtime-of SERVICE=PATH
      --extern-path PROTO=RUST
      --type-attribute PATH=ATTRIBUTE
      --field-attribute PATH=ATTRIBUTE
      --bytes PATH             `Bytes` instead of `Vec<u8>`
      --btree-map PATH         `BTreeMap` instead of `HashMap`
  -h, --help
  -V, --version

The options are those of broach_build::Config, and explained there.
";

/// What the command line asks for.
struct Task {
    config: Config,
    files: Vec<PathBuf>,
    fds: Option<PathBuf>,
    out: Option<PathBuf>,
    check: bool,
}

fn main() -> ExitCode {
    let task = match parse(Parser::from_env()) {
        Ok(Some(task)) => task,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return wrongly_called(&error.to_string()),
    };
    let Some(out) = task.out else {
        return wrongly_called("where to write is missing: --out DIR");
    };
    let config = task.config.out_dir(out);
    let result = match (task.fds, task.check) {
        (Some(_), _) if !task.files.is_empty() => {
            return wrongly_called("either .proto files or --fds FILE, not both");
        }
        (Some(_), true) => return wrongly_called("--check goes with .proto files, not with --fds"),
        (Some(fds), false) => config.compile_fds_path(fds),
        (None, true) => config.check(&task.files),
        (None, false) => config.compile(&task.files),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn parse(mut parser: Parser) -> Result<Option<Task>, lexopt::Error> {
    let mut task =
        Task { config: configure(), files: Vec::new(), fds: None, out: None, check: false };
    while let Some(argument) = parser.next()? {
        let config = match argument {
            Arg::Value(file) => {
                task.files.push(file.into());
                continue;
            }
            Arg::Long("out") => {
                task.out = Some(parser.value()?.into());
                continue;
            }
            Arg::Long("fds") => {
                task.fds = Some(parser.value()?.into());
                continue;
            }
            Arg::Long("check") => {
                task.check = true;
                continue;
            }
            Arg::Short('h') | Arg::Long("help") => {
                print(HELP);
                return Ok(None);
            }
            Arg::Short('V') | Arg::Long("version") => {
                print(concat!("broach-gen ", env!("CARGO_PKG_VERSION"), "\n"));
                return Ok(None);
            }
            Arg::Short('I') | Arg::Long("include") => task.config.include(parser.value()?),
            Arg::Long("descriptor-set") => task.config.file_descriptor_set_path(parser.value()?),
            Arg::Long("client-only") => task.config.client_only(),
            Arg::Long("server-only") => task.config.server_only(),
            Arg::Long("runtime") => task.config.runtime(parser.value()?.string()?),
            Arg::Long("bytes") => task.config.bytes([parser.value()?.string()?]),
            Arg::Long("btree-map") => task.config.btree_map([parser.value()?.string()?]),
            Arg::Long("runtime-of") => {
                let (service, path) = pair(&mut parser)?;
                task.config.runtime_of(service, path)
            }
            Arg::Long("extern-path") => {
                let (proto, rust) = pair(&mut parser)?;
                task.config.extern_path(proto, rust)
            }
            Arg::Long("type-attribute") => {
                let (path, attribute) = pair(&mut parser)?;
                task.config.type_attribute(path, attribute)
            }
            Arg::Long("field-attribute") => {
                let (path, attribute) = pair(&mut parser)?;
                task.config.field_attribute(path, attribute)
            }
            other => return Err(other.unexpected()),
        };
        task.config = config;
    }
    Ok(Some(task))
}

/// The value of an option that says two things: `PATH=ATTRIBUTE`.
fn pair(parser: &mut Parser) -> Result<(String, String), lexopt::Error> {
    let value = parser.value()?.string()?;
    match value.split_once('=') {
        Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
        None => Err(format!("`{value}` has no `=` between what and how").into()),
    }
}

fn report(error: &Error) {
    let stderr = std::io::stderr();
    let is_coloured = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = if is_coloured { error.coloured() } else { error.to_string() };
    // There is nobody to tell that nobody listens.
    let _ = write!(stderr.lock(), "{text}");
}

fn wrongly_called(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{message}\nSee broach-gen --help.");
    ExitCode::from(2)
}

fn print(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}
