//! Five nodes that differ, called by one picker after the other: who gets how many of the calls,
//! and how long they take.
//!
//! ```text
//! cargo run --release -p broach-examples --bin balancing
//! ```
//!
//! All nodes are in this process, so that there is one thing to start; they find each other and
//! talk over UDP all the same.

// What the build script made of `greeter.proto`.
broach_core::include_protos!();

mod chart;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use broach_core::picker::{
    ConsistentHash, LeastInFlight, Nearest, NetworkQuality, PowerOfTwoChoices, Random, RoundRobin,
    Sticky, WeightedRoundRobin, ZoneFirst,
};
use broach_core::{Channel, Context, Location, Node, Status};
use futures::{StreamExt, stream};
use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

use crate::chart::Chart;

/// A node: where it is, how much it weighs, and how long it takes.
struct Kind {
    city: &'static str,
    latitude: f64,
    longitude: f64,
    weight: u32,
    takes: Duration,
}

const fn kind(city: &'static str, place: (f64, f64), weight: u32, millis: u64) -> Kind {
    let takes = Duration::from_millis(millis);
    Kind { city, latitude: place.0, longitude: place.1, weight, takes }
}

const BERLIN: (f64, f64) = (52.52, 13.40);
const PARIS: (f64, f64) = (48.86, 2.35);

const KINDS: [Kind; 5] = [
    kind("berlin", BERLIN, 100, 2),
    kind("berlin", BERLIN, 100, 2),
    kind("paris", PARIS, 200, 2),
    kind("paris", PARIS, 100, 2),
    kind("paris", PARIS, 100, 20),
];

/// A service that takes its time.
struct Takes(Duration);

#[broach_core::async_trait]
impl Greeter for Takes {
    async fn say_hello(&self, _cx: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        tokio::time::sleep(self.0).await;
        Ok(HelloReply { message: format!("Hello {}!", request.name) })
    }
}

/// Starts the nodes. Each says of itself what it is like, and the others hear of it.
async fn start() -> Result<Vec<Node>, Box<dyn Error>> {
    let mut nodes: Vec<Node> = Vec::new();
    for Kind { city, latitude, longitude, weight, takes } in &KINDS {
        let node = Node::builder()
            .zone(*city)
            .location(*latitude, *longitude)
            .weight(*weight)
            .join(nodes.first().map(Node::local_addr))
            .serve(GreeterServer::new(Takes(*takes)))
            .start()
            .await?;
        nodes.push(node);
    }
    Ok(nodes)
}

/// Makes calls, 32 at a time, and counts who answers them.
async fn measure(channel: Channel, addrs: &[SocketAddr]) -> Result<Chart, Status> {
    let client = GreeterClient::new(channel);
    let mut chart = Chart::new(addrs.len());
    let calls = stream::iter(0..CALLS).map(|number| {
        // Some names are greeted more often than others, as it is with people.
        let name = format!("guest {}", number % 97 % 50);
        let call = client.say_hello(HelloRequest { name: name.clone() }).key(name);
        async move {
            let begun = Instant::now();
            let response = call.response().await?;
            Ok::<_, Status>((response.peer.map(|peer| peer.addr), begun.elapsed()))
        }
    });
    let mut calls = calls.buffer_unordered(AT_ONCE);
    while let Some(end) = calls.next().await {
        let (addr, took) = end?;
        if let Some(node) = addrs.iter().position(|own| Some(*own) == addr) {
            chart.add(node, took);
        }
    }
    Ok(chart)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let nodes = start().await?;
    let addrs: Vec<SocketAddr> = nodes.iter().map(Node::local_addr).collect();
    // It makes the calls, and is no member: nobody calls it.
    let caller = Node::builder().client_only().join([addrs[0]]).start().await?;
    let known = |caller: &Node| {
        let members = caller.members();
        members.iter().filter(|member| member.services().is_some()).count() == addrs.len()
    };
    while !known(&caller) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (number, kind) in (1..).zip(&KINDS) {
        let Kind { city, weight, takes, .. } = kind;
        println!("node {number} is in {city}, weighs {weight} and takes {takes:?}");
    }
    println!("{CALLS} calls from berlin for each picker, {AT_ONCE} at a time");

    let berlin = Location::new(BERLIN.0, BERLIN.1)?;
    let any = caller.channel();
    let channels = [
        ("PowerOfTwoChoices", any.picker(PowerOfTwoChoices::new())),
        ("RoundRobin", any.picker(RoundRobin::new())),
        ("WeightedRoundRobin", any.picker(WeightedRoundRobin::new())),
        ("Random", any.picker(Random::new())),
        ("LeastInFlight", any.picker(LeastInFlight::new())),
        ("NetworkQuality", any.picker(NetworkQuality::new())),
        ("ZoneFirst", any.picker(ZoneFirst::new("berlin"))),
        ("Nearest", any.picker(Nearest::new(berlin))),
        ("ConsistentHash", any.picker(ConsistentHash::new())),
        ("ConsistentHash, unbounded", any.picker(ConsistentHash::unbounded())),
        ("Sticky, by key", any.picker(Sticky::new())),
    ];
    for (name, channel) in channels {
        println!("\n{name}\n{}", measure(channel, &addrs).await?);
    }
    for node in nodes {
        node.shutdown().await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

const CALLS: u64 = 5_000;
const AT_ONCE: usize = 32;
