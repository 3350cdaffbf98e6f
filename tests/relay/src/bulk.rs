//! Large messages and long streams through a relay that loses datagrams.

use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use broach_core::{Channel, Security, Status};
use bytes::Bytes;
use tokio::process::Command;

use crate::Error;
use crate::broach::thin::v1::{Load, ThinClient, Wanted};
use crate::cli::{ANY, Bulk};
use crate::relay::{Figures, Relay};
use crate::thin::started;

/// Something large that goes one way.
struct Work {
    name: &'static str,
    loads: u64,
    bytes_each: usize,
    back: bool,
}

const WORK: [Work; 5] = [
    Work { name: "a message of 16 MiB", loads: 1, bytes_each: LARGE, back: false },
    Work { name: "10,000 requests of 32 B", loads: 10_000, bytes_each: 32, back: false },
    Work { name: "10,000 replies of 32 B", loads: 10_000, bytes_each: 32, back: true },
    Work { name: "10,000 requests of 1 KiB", loads: 10_000, bytes_each: 1 << 10, back: false },
    Work { name: "10,000 replies of 1 KiB", loads: 10_000, bytes_each: 1 << 10, back: true },
];

/// Measures, and prints a table.
///
/// # Errors
///
/// If a call fails, or not everything arrives.
pub(crate) async fn run(mut options: Bulk) -> Result<ExitCode, Error> {
    options.default_to_lossy();
    let relay = Relay::bind(ANY, options.network.faults()?, options.network.seed).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["thin-serve", &ANY.ip().to_string()]).stdin(Stdio::null());
    let (_server, addr, _) = started(command).await?;
    relay.carry_to(addr.parse::<SocketAddr>()?)?;
    let channel = Channel::builder().security(Security::clear());
    let client = ThinClient::new(channel.connect(relay.addr().to_string()).await?);
    println!("{:26} {:>9} {:>9} {:>9}  datagrams lost", "", "p50", "slowest", "bytes");
    for work in &WORK {
        let mut took = Vec::new();
        let before = relay.figures();
        for _ in 0..options.rounds.max(1) {
            let begun = Instant::now();
            work.run(&client).await?;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        println!("{}", work.line(&took, before, relay.figures()));
    }
    println!("bytes: on the network, in that direction, as a multiple of what was carried");
    Ok(ExitCode::SUCCESS)
}

impl Work {
    async fn run(&self, client: &ThinClient) -> Result<(), Error> {
        let data = Bytes::from(vec![0x5a; self.bytes_each]);
        let load = move || Load { data: data.clone() };
        let arrived = match (self.back, self.loads) {
            (false, 1) => client.take(load()).timeout(CALL_MAX).await?.loads,
            (false, loads) => {
                let loads = futures::stream::iter((0..loads).map(move |_| load()));
                client.take_all(loads).timeout(CALL_MAX).await?.loads
            }
            (true, loads) => fetched(client, loads, self.bytes_each).await?,
        };
        if arrived == self.loads {
            return Ok(());
        }
        Err(format!("{}: {arrived} of {} arrived", self.name, self.loads).into())
    }

    fn line(&self, took: &[Duration], before: Figures, after: Figures) -> String {
        let millis = |took: Duration| format!("{:.1} ms", took.as_secs_f64() * 1e3);
        let (sent, struck, earlier) = if self.back {
            (after.back_bytes - before.back_bytes, after.back, before.back)
        } else {
            (after.there_bytes - before.there_bytes, after.there, before.there)
        };
        let carried = self.loads * self.bytes_each as u64 * took.len() as u64;
        let lost = struck.lost - earlier.lost;
        format!(
            "{:26} {:>9} {:>9} {:>9.3}  {lost} of {}",
            self.name,
            millis(took[took.len() / 2]),
            millis(took[took.len() - 1]),
            sent as f64 / carried as f64,
            struck.sent - earlier.sent,
        )
    }
}

async fn fetched(client: &ThinClient, loads: u64, bytes_each: usize) -> Result<u64, Status> {
    let wanted = Wanted { loads, bytes_each: bytes_each as u64 };
    let mut replies = client.give(wanted).timeout(CALL_MAX).await?;
    let mut count = 0;
    while replies.message().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// As much data as fits into a message of 16 MiB, the limit that is the default.
const LARGE: usize = (16 << 20) - 8;

/// Long enough for any of them to end.
const CALL_MAX: Duration = Duration::from_secs(50);
