//! Counts the words of real text on a cluster of processes, of which one is killed and another one
//! joins meanwhile.
//!
//! ```text
//! cargo run --release -p broach-examples --bin cluster
//! ```
//!
//! This process reads the text ([`input`]), cuts it ([`cut`](mod@cut)), starts the nodes
//! ([`processes`]; what runs in them is in [`node`]), finds them ([`caller`]) and has them count
//! ([`run`]). What they say is summed up ([`results`]) and compared with a count of the whole text
//! made here ([`report`]). [`measure`] has what is measured with the same nodes.

mod caller;
mod cut;
mod figures;
mod input;
mod measure;
mod node;
mod options;
mod process;
mod processes;
mod progress;
mod queue;
mod report;
mod results;
mod run;
mod said;
mod timeline;
mod view;
mod words;

// What the build script made of the `.proto` files.
broach_core::include_protos!();

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use crate::caller::Caller;
use crate::cut::cut;
use crate::figures::{bytes, count_of};
use crate::input::{Input, InputError};
use crate::options::{Cli, Command, Options};
use crate::processes::Nodes;
use crate::progress::say;
use crate::report::Report;
use crate::run::Plan;
use crate::words::Tally;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::read();
    let result = match cli.command {
        Some(Command::Node { join, bind }) => {
            node::serve(join, bind).await.map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Joins(options)) => measure::joins(&options).await,
        Some(Command::Kills(options)) => measure::kills(&options).await,
        Some(Command::Rolls(options)) => measure::rolls(&options).await,
        Some(Command::Shares(options)) => measure::shares(&options).await,
        None => count(cli.options).await,
    };
    result.unwrap_or_else(|error| {
        say(&format!("cluster: {error}"));
        ExitCode::FAILURE
    })
}

/// The whole job.
async fn count(options: Options) -> Result<ExitCode, Error> {
    let input = read(&options)?;
    // Of the whole text, before it is cut: a word that is cut apart would show.
    let expected = Tally::of(&input.text);
    if expected.different() == 0 {
        return Err(InputError::Empty { inputs: options.inputs }.into());
    }
    let chunks = cut(&input.text, options.chunk as usize)?;
    let plan = Plan {
        in_flight: options.in_flight as usize,
        time: options.seconds,
        // One in the middle, as there is nothing special about it.
        victim: (!options.no_kill).then_some(options.nodes as usize / 2),
        newcomer: !options.no_join,
        text: input.text,
        chunks,
    };
    let plan = Arc::new(plan);
    let mut nodes = Nodes::start(options.nodes as usize).await?;
    let run = async {
        let caller = Caller::join(nodes.a_live_one(), options.nodes as usize).await?;
        say(&format!("started {}, which see each other", count_of(options.nodes, "node")));
        plan.run(&mut nodes, &caller).await
    };
    let results = tokio::select! {
        // First, so that nothing has begun before the signal is listened for.
        biased;
        signal = tokio::signal::ctrl_c() => signal.map(|()| None)?,
        results = run => Some(results),
    };
    // Whatever happened, and before anything is said of it.
    let problems = nodes.stop().await;
    let Some(results) = results else {
        say("cluster: interrupted");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let report = Report {
        files: input.files,
        files_skipped: input.skipped.len(),
        text_bytes: input.bytes,
        in_flight: plan.in_flight,
        // A word that is longer than a chunk should be is not cut.
        chunk_bytes: plan.chunks.iter().map(|chunk| chunk.len()).max().unwrap_or_default(),
        expected,
        results: results?,
        problems: problems?,
    };
    print(&report)?;
    Ok(if report.wrong().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the text, and says what is left out.
fn read(options: &Options) -> Result<Input, InputError> {
    let input = match options.inputs.as_slice() {
        [] => Input::of_repository()?,
        paths => Input::of_paths(paths)?,
    };
    for skipped in input.skipped.iter().take(SKIPPED_SHOWN) {
        say(&format!("skipped {}: {}", skipped.path.display(), skipped.reason));
    }
    if let more @ 1.. = input.skipped.len().saturating_sub(SKIPPED_SHOWN) {
        say(&format!("skipped {more} more"));
    }
    let files = count_of(input.files as u64, "file");
    say(&format!("read {files}, {}", bytes(input.bytes as u64)));
    Ok(input)
}

/// Prints the report. That nobody wants to read it to its end is no error.
fn print(report: &Report) -> io::Result<()> {
    match write!(io::stdout(), "{report}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// How many files that are left out are named.
const SKIPPED_SHOWN: usize = 10;

/// What shells give for a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;
