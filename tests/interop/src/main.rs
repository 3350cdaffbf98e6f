//! `broach-interop`: a server and a client that are run against each other, in processes of their
//! own, over whatever network lies between them.
//!
//! ```text
//! broach-interop server --listen 127.0.0.1:7400
//! broach-interop client --servers 127.0.0.1:7400 --test-case large_unary
//! ```
//!
//! Standard output carries what other programs read, and nothing else. The exit code is 0 for
//! success, 1 for failure, 2 for wrong flags or an address that cannot be had, and 127 for a test
//! case that there is not.

mod bytes_of;
mod cli;
mod client;
mod clock;
mod lines;
mod server;

// What the build script made of the `.proto` file.
broach_core::include_protos!();

use std::io::{self, Write};
use std::process::ExitCode;

use tokio::runtime::Runtime;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{Cli, Command};
use crate::clock::WallClock;

/// Why a program ends before it has begun.
type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::read();
    let clock = WallClock::start();
    abort_on_panic();
    log_to_stderr();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error);
            return USAGE.into();
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Server(options) => server::run(options, clock).await,
            Command::Client(options) => client::run(options, clock).await,
        }
    });
    // What handlers still do is not waited for: whoever called has been told.
    runtime.shutdown_background();
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            complain(&*error);
            USAGE.into()
        }
    }
}

/// Writes a line that other programs wait for.
fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn complain(error: &(dyn std::error::Error + 'static)) {
    eprintln!("broach-interop: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  cause: {cause}");
        source = cause.source();
    }
}

/// A panic ends the process, wherever it is and whoever would catch it.
fn abort_on_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        std::process::abort();
    }));
}

/// Events only: a span for each call would cost more than the call.
fn log_to_stderr() {
    let events = filter_fn(|metadata| metadata.is_event()).and(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(events)).init();
}

/// All is well.
const PASS: u8 = 0;
/// Something is not as it must be.
const FAIL: u8 = 1;
/// It cannot begin like this.
const USAGE: u8 = 2;
/// There is no such test case.
const UNKNOWN_CASE: u8 = 127;
