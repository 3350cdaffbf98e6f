//! Measures calls over the loopback interface: this process makes them, and another one serves
//! them.
//!
//! ```text
//! broach-bench --payload 32 --concurrency 64 --seconds 3
//! broach-bench --mode down --payload 1024 --concurrency 4
//! ```
//!
//! Prints one JSON object on one line; everything else goes to standard error.

mod cli;
mod client;
mod harness;
mod meter;
mod modes;
mod server;

use std::process::ExitCode;

broach_core::include_protos!();

use crate::cli::{Cli, Command, Mode};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::read();
    let result = match cli.command {
        Some(Command::Serve(options)) => server::serve(&options),
        None => measure(&cli.bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broach-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(bench: &cli::Bench) -> Result<(), Error> {
    harness::pin(bench.common.pin)?;
    let figures = match bench.mode {
        Mode::Unary => modes::unary::run(bench)?,
        Mode::Up | Mode::Down | Mode::Duplex => modes::streams::run(bench)?,
        Mode::Mixed => modes::mixed::run(bench)?,
        Mode::Cold => modes::cold::run(bench)?,
        Mode::Idle => modes::idle::run(bench)?,
    };
    println!("{figures}");
    Ok(())
}
