//! A bad network between real processes.
//!
//! ```text
//! broach-relay --to 127.0.0.1:7400 --loss 0.1 --duplicate 0.1 --delay-ms 0-20 --mtu 1200
//! ```
//!
//! carries datagrams between whoever sends to the address that it prints, `READY ADDRESS`, and the
//! given one. With several `--to` it has an address for each of them, in the same order, with a
//! comma between them. Each client of an address has a socket of its own behind it, so that the
//! server tells them apart; all of them share the way there, and the way back. SIGINT or SIGTERM
//! ends it, and then it prints what it did as JSON.
//!
//! ```text
//! cargo build --release -p broach-interop -p broach-relay
//! cargo run --release -p broach-relay -- interop
//! ```
//!
//! runs all cases of `broach-interop`, first without anything in between, then through a relay that
//! loses a tenth of all datagrams, repeats another one, and holds each up for up to 20 ms each way,
//! and prints a table. The exit code is 0 only if all of them pass.
//!
//! ```text
//! cargo run --release -p broach-relay -- bulk
//! ```
//!
//! sends messages of 16 MiB and streams of 10,000 items through a relay that loses 5 % of all
//! datagrams each way, with a round trip of 1 ms and datagrams as they fit into Ethernet, and
//! prints how long each took and how many bytes went over the network.
//!
//! ```text
//! cargo run --release -p broach-relay -- thin
//! ```
//!
//! needs root, and `ip` and `tc` of Linux. It sets up three network namespaces, of which the one in
//! the middle passes on 10 Mbit/s each way and queues for 50 ms (`tbf`), measures how much of that
//! a bulk transfer gets, what it does to small calls, and how Broach and TCP share it, and takes
//! everything down again. The exit code is 0 only if every goal was reached.

mod bulk;
mod cases;
mod cli;
mod post;
mod programs;
mod relay;
mod thin;

broach_core::include_protos!();

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Cli, Command};
use crate::relay::Relay;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Interop(options)) => cases::run(options).await,
        Some(Command::Thin(options)) => thin::run(options).await,
        Some(Command::Bulk(options)) => bulk::run(options).await,
        Some(Command::ThinServe { ip }) => thin::serve(ip).await.map(|()| ExitCode::SUCCESS),
        Some(Command::ThinCall(options)) => thin::call(options).await.map(|()| ExitCode::SUCCESS),
        None => carry(cli.carry).await.map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("broach-relay: {error}");
        ExitCode::from(2)
    })
}

/// Carries datagrams until a signal comes.
async fn carry(options: cli::Carry) -> Result<(), Error> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (faults, mut relays) = (options.network.faults()?, Vec::new());
    for (number, &target) in options.to.iter().enumerate() {
        let listen = options.listen.get(number).copied().unwrap_or(cli::ANY);
        let seed = options.network.seed.wrapping_add(number as u64);
        let relay = Relay::bind(listen, faults.clone(), seed).await?;
        relay.carry_to(target)?;
        relays.push(relay);
    }
    let addrs: Vec<String> = relays.iter().map(|relay| relay.addr().to_string()).collect();
    println!("READY {}", addrs.join(","));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let figures: Vec<_> = relays.iter().map(|relay| relay.figures().to_json()).collect();
    println!("{}", serde_json::Value::from(figures));
    Ok(())
}
