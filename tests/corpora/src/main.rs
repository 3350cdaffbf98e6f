//! Compiles the `.proto` files of the world, and says what came of it.
//!
//! ```text
//! tests/corpora/fetch DIR             fetch what CI compiles; --all for the rest
//! broach-corpora generate DIR         generate code for each; counts, and why files are refused
//! broach-corpora package DIR --out P  write a package of generated code, for rustc to check
//! ```
//!
//! `tests/corpora/run` does all of it; see there for what else is compared.

mod corpus;
mod generate;
mod package;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::corpus::Corpus;
use crate::generate::Descriptors;

#[derive(Parser)]
#[command(about = "Compiles the .proto files of the world, and says what came of it")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generates code for each file alone, and fails if that panics.
    Generate {
        #[command(flatten)]
        corpora: Corpora,
        /// Write the descriptors of each file here, and a list of them.
        #[arg(long)]
        descriptors: Option<PathBuf>,
    },
    /// Writes a package with the generated code of many files, for rustc to check and to run.
    Package {
        #[command(flatten)]
        corpora: Corpora,
        /// Where to write the package.
        #[arg(long)]
        out: PathBuf,
        /// Take only the files that this file lists, one `CORPUS PATH` per line.
        #[arg(long)]
        list: Option<PathBuf>,
        /// Take only so many files, spread evenly over all of them.
        #[arg(long)]
        sample: Option<usize>,
    },
}

/// What to look at.
#[derive(Args)]
struct Corpora {
    /// Where they have been fetched to.
    dir: PathBuf,
    /// Only those of this name; may be given several times.
    #[arg(long)]
    corpus: Vec<String>,
}

impl Corpora {
    fn read(&self) -> io::Result<Vec<Corpus>> {
        let mut corpora = corpus::all(&self.dir.canonicalize()?)?;
        if !self.corpus.is_empty() {
            corpora.retain(|corpus| self.corpus.contains(&corpus.name));
        }
        match corpora.is_empty() {
            true => Err(io::Error::other("there is no such corpus: fetch it first")),
            false => Ok(corpora),
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Generate { corpora, descriptors } => generate(&corpora, descriptors),
        Command::Package { corpora, out, list, sample } => corpora
            .read()
            .and_then(|corpora| package::write(&corpora, &out, list.as_deref(), sample)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing panicked.
fn generate(corpora: &Corpora, descriptors: Option<PathBuf>) -> io::Result<bool> {
    if let Some(dir) = &descriptors {
        fs::create_dir_all(dir)?;
    }
    let mut descriptors = descriptors.map(Descriptors::new);
    let out = tempfile::tempdir()?;
    let mut panicked = false;
    for corpus in corpora.read()? {
        let counts = generate::corpus(&corpus, out.path(), &mut descriptors)?;
        counts.print(&corpus.name);
        panicked |= counts.has_panicked();
    }
    if let Some(descriptors) = &descriptors {
        descriptors.write_index()?;
    }
    Ok(!panicked)
}
