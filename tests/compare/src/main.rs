//! Streams of Broach beside those of tonic: one after the other, again and again, so that whatever
//! else the machine does meets both.
//!
//! ```text
//! cargo build --release -p broach-bench
//! cargo run --release --manifest-path tests/compare/Cargo.toml
//! ```
//!
//! Prints, for each shape, size and number of streams, the messages per second of both in the
//! middle of all rounds, and how many times as many Broach carries. For tonic too the server is a
//! process of its own, and its requests come from an iterator, the cheapest way there is.

mod tonic_side;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Measures streams of Broach and of tonic in turns.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// The program `broach-bench`.
    #[arg(long, default_value = "target/release/broach-bench")]
    broach: PathBuf,
    /// Bytes of each message.
    #[arg(long, value_delimiter = ',', default_value = "32,1024,16384")]
    payloads: Vec<u32>,
    /// Streams under way at once.
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    concurrencies: Vec<usize>,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How often each is made.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until standard input is closed (the measurement starts it).
    #[command(hide = true)]
    Serve,
}

/// Which way the messages go.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    Up,
    Down,
    Duplex,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Serve) => tonic_side::serve().await,
        None => compare(&cli).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broach-compare: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(cli: &Cli) -> Result<(), Error> {
    println!("| shape | bytes | streams | Broach, messages/s | tonic, messages/s | times tonic |");
    println!("|---|---|---|---|---|---|");
    for mode in [Mode::Up, Mode::Down, Mode::Duplex] {
        for &payload in &cli.payloads {
            for &concurrency in &cli.concurrencies {
                let (mut broach, mut tonic, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
                for _ in 0..cli.rounds {
                    let ours = run_broach(&cli.broach, mode, payload, concurrency, cli.seconds);
                    let ours = ours.await?;
                    let window = Duration::from_secs_f64(cli.seconds);
                    let theirs = tonic_side::measure(mode, payload, concurrency, window).await?;
                    broach.push(ours);
                    tonic.push(theirs);
                    ratios.push(ours / theirs);
                }
                let [ours, theirs, ratio] = [broach, tonic, ratios].map(middle);
                let shape = format!("{mode:?}").to_lowercase();
                println!(
                    "| {shape} | {payload} | {concurrency} | {ours:.0} | {theirs:.0} | {ratio:.2} |"
                );
            }
        }
    }
    Ok(())
}

/// The one in the middle.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What Broach's own benchmark says.
async fn run_broach(
    program: &Path,
    mode: Mode,
    payload: u32,
    concurrency: usize,
    seconds: f64,
) -> Result<f64, Error> {
    let mut command = tokio::process::Command::new(program);
    command.args(["--mode", &format!("{mode:?}").to_lowercase()]);
    command.args(["--payload", &payload.to_string(), "--concurrency", &concurrency.to_string()]);
    command.args(["--seconds", &seconds.to_string()]);
    let output = command.output().await.map_err(|error| {
        format!("cannot run {}: {error}; build it, or name it with --broach", program.display())
    })?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    Ok(line["messages_per_s"].as_f64().ok_or("broach-bench told no messages_per_s")?)
}
