//! Measures calls over the loopback interface: this process makes them, and another one serves
//! them.
//!
//! ```text
//! broach-bench --payload 32 --concurrency 64 --seconds 3
//! ```
//!
//! Prints one JSON object on one line; everything else goes to standard error.

mod harness;
mod meter;
mod server;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use broach_core::{Channel, Node, config};
use bytes::Bytes;
use clap::{Parser, Subcommand, ValueEnum};

broach_core::include_protos!();

use crate::harness::Server;
use crate::meter::{Figures, Meter};

/// Measures calls over the loopback interface.
#[derive(Parser)]
#[command(about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until standard input is closed (the measurement starts it).
    #[command(hide = true)]
    Serve(Common),
}

/// What both processes are told.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// Worker threads of the runtime in each process.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Keep both processes on this one CPU.
    #[arg(long)]
    pin: Option<usize>,
    /// Bytes of a datagram, or `auto`.
    #[arg(long, default_value = "auto")]
    datagram: Datagram,
}

#[derive(clap::Args)]
struct Bench {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = Mode::Unary)]
    mode: Mode,
    /// Bytes that each call carries, there and back.
    #[arg(long, default_value_t = 32)]
    payload: usize,
    /// Calls under way at once.
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    /// How long to measure.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How long to run before.
    #[arg(long, default_value_t = 0.3)]
    warmup: f64,
    /// How the server is found.
    #[arg(long, value_enum, default_value_t = Route::Direct)]
    channel: Route,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Each call echoes its payload.
    Unary,
}

#[derive(Clone, Copy, ValueEnum)]
enum Route {
    /// By its address.
    Direct,
    /// As the one that offers the service, by a node which joins its cluster as a client only.
    Cluster,
}

/// A size of datagrams.
#[derive(Clone, Copy, Debug)]
struct Datagram(Option<usize>);

impl std::str::FromStr for Datagram {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            _ => text.parse().map(Some).map(Self).map_err(|_| "a number or auto".to_owned()),
        }
    }
}

impl std::fmt::Display for Datagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("auto"),
            Some(bytes) => bytes.fmt(f),
        }
    }
}

impl Common {
    fn transport(&self) -> config::Transport {
        let mut config = config::Transport::default();
        config.datagram_bytes = self.datagram.0;
        config
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Serve(common)) => server::serve(&common),
        None => bench(&cli.bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broach-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(bench: &Bench) -> Result<(), Error> {
    // Not counted among the measured process's threads' times: the server is a process of its own.
    harness::pin(bench.common.pin)?;
    let server = Server::start(&bench.common)?;
    let runtime = harness::runtime(bench.common.workers)?;
    let meter = Meter::shared();
    let transport = bench.common.transport();
    // Its channel ends with the node, which is why both are kept.
    let (channel, _node) = runtime.block_on(open(bench, server.addr, transport))?;
    let payload = Bytes::from(vec![0xa5; bench.payload]);
    for _ in 0..bench.concurrency {
        runtime.spawn(server::call(channel.clone(), payload.clone(), meter.clone()));
    }
    let [warmup, window] = [bench.warmup, bench.seconds].map(Duration::from_secs_f64);
    let figures = meter.run(server.pid(), warmup, window)?;
    // What is still under way is not waited for.
    runtime.shutdown_background();
    print(bench, &figures);
    Ok(())
}

/// A channel to the server, and the node that it belongs to if it belongs to one.
async fn open(
    bench: &Bench,
    server: SocketAddr,
    transport: config::Transport,
) -> Result<(Channel, Option<Node>), Error> {
    match (bench.mode, bench.channel) {
        (Mode::Unary, Route::Direct) => {
            Ok((Channel::builder().transport(transport).connect(server).await?, None))
        }
        (Mode::Unary, Route::Cluster) => {
            let builder = Node::builder().transport(transport);
            let node = builder.client_only().join([server]).start().await?;
            Ok((node.channel(), Some(node)))
        }
    }
}

fn print(bench: &Bench, figures: &Figures) {
    let line = serde_json::json!({
        "impl": "broach",
        "channel": match bench.channel {
            Route::Direct => "direct",
            Route::Cluster => "cluster",
        },
        "payload": bench.payload,
        "concurrency": bench.concurrency,
        "calls_per_s": figures.calls_per_s,
        "p50_us": figures.p50_us,
        "p90_us": figures.p90_us,
        "p99_us": figures.p99_us,
        "p999_us": figures.p999_us,
        "client_cpu_us": figures.client_cpu_us,
        "server_cpu_us": figures.server_cpu_us,
        "errors": figures.errors,
    });
    println!("{line}");
}
