//! The end of the link that calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broach_core::{Channel, Security};
use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Error;
use crate::broach::thin::v1::{Load, ThinClient};
use crate::cli::ThinCall;
use crate::thin::tcp;

/// How long small calls took, and how many failed.
#[derive(Default)]
struct Small {
    took: Vec<Duration>,
    failed: u64,
}

/// Does what it is told to, and prints what came of it.
///
/// # Errors
///
/// If there is no server.
pub(crate) async fn call(options: ThinCall) -> Result<(), Error> {
    let small = Arc::new(Mutex::new(Small::default()));
    let mut flows = Vec::new();
    for _ in 0..options.broach_flows {
        let arrived = Arc::new(AtomicU64::new(0));
        let client = connect(&options.broach).await?;
        for _ in 0..IN_FLIGHT {
            tokio::spawn(transfer(client.clone(), Arc::clone(&arrived)));
        }
        flows.push(arrived);
    }
    for _ in 0..options.tcp_flows {
        let arrived = Arc::new(AtomicU64::new(0));
        let flow =
            tcp::send(options.tcp.clone(), options.tcp_congestion.clone(), Arc::clone(&arrived));
        tokio::spawn(async {
            if let Err(error) = flow.await {
                eprintln!("the flow of TCP ended: {error}");
            }
        });
        flows.push(arrived);
    }
    if 0 < options.burst {
        burst(&options, &small).await?;
        print(&[], &small);
        return Ok(());
    }
    tokio::time::sleep(WARM_UP).await;
    if options.small {
        // By a session of its own, as another program would: it waits in the queue of the link
        // only, not in that of the bulk's window.
        let client = connect(&options.broach).await?;
        tokio::spawn(calls(client, Arc::clone(&small)));
    }
    let count = || flows.iter().map(|arrived| arrived.load(Relaxed)).collect::<Vec<_>>();
    let (before, begun) = (count(), Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
    let seconds = begun.elapsed().as_secs_f64();
    let rates = count()
        .into_iter()
        .zip(before)
        .map(|(after, before)| 8.0 * (after - before) as f64 / seconds);
    print(&rates.collect::<Vec<_>>(), &small);
    Ok(())
}

async fn connect(addr: &str) -> Result<ThinClient, Error> {
    let channel = Channel::builder().security(Security::clear()).connect(addr).await?;
    Ok(ThinClient::new(channel))
}

/// Large calls, one after the other.
async fn transfer(client: ThinClient, arrived: Arc<AtomicU64>) {
    let data = Bytes::from(vec![0x5a; LARGE]);
    loop {
        let call = client.take(Load { data: data.clone() }).timeout(CALL_MAX);
        match call.await {
            Ok(_) => {
                arrived.fetch_add(data.len() as u64, Relaxed);
            }
            Err(status) => eprintln!("a transfer failed: {status:#}"),
        }
    }
}

/// Small calls at a fixed rate, whatever the others take.
async fn calls(client: ThinClient, small: Arc<Mutex<Small>>) {
    let mut ticks = interval(SMALL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        tokio::spawn(small_call(client.clone(), Arc::clone(&small)));
    }
}

async fn small_call(client: ThinClient, small: Arc<Mutex<Small>>) {
    let begun = Instant::now();
    let result = client.take(Load { data: Bytes::from_static(&[1; 32]) }).timeout(CALL_MAX).await;
    let mut small = small.lock().unwrap_or_else(PoisonError::into_inner);
    match result {
        Ok(_) => small.took.push(begun.elapsed()),
        Err(status) => {
            eprintln!("a small call failed: {status:#}");
            small.failed += 1;
        }
    }
}

/// Many small calls in one moment, over a session that is there.
async fn burst(options: &ThinCall, small: &Arc<Mutex<Small>>) -> Result<(), Error> {
    let client = connect(&options.broach).await?;
    client.take(Load { data: Bytes::new() }).await?;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..options.burst {
        calls.spawn(small_call(client.clone(), Arc::clone(small)));
    }
    calls.join_all().await;
    Ok(())
}

fn print(rates: &[f64], small: &Mutex<Small>) {
    let mut small = small.lock().unwrap_or_else(PoisonError::into_inner);
    small.took.sort_unstable();
    let Small { took, failed } = &*small;
    let millis = |share: f64| {
        let at = (share * took.len() as f64) as usize;
        took.get(at.min(took.len().saturating_sub(1))).map(|took| took.as_secs_f64() * 1e3)
    };
    let line = json!({
        "bits_per_s": rates,
        "p50_ms": millis(0.5),
        "p99_ms": millis(0.99),
        "calls": took.len(),
        "failed": failed,
    });
    println!("{line}");
}

/// Bytes of a large call, of which so many are under way at once in each flow.
const LARGE: usize = 64 << 10;
const IN_FLIGHT: usize = 8;

const SMALL_EVERY: Duration = Duration::from_millis(20);

/// Long enough for any of them to end.
const CALL_MAX: Duration = Duration::from_secs(20);

/// Until flows have found how much the link carries.
const WARM_UP: Duration = Duration::from_secs(2);
