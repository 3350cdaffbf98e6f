//! Guests that are greeted by the node that knows them: calls with keys, and what happens to the
//! keys when nodes come and go.
//!
//! ```text
//! cargo run -p broach-examples --bin shard-by-key
//! ```
//!
//! Each node remembers whom it has greeted. A guest is known only where he was greeted before, so
//! the share of guests that are known is the share of keys that have not moved.

// What the build script made of `greeter.proto`.
broach_core::include_protos!();

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use broach_core::picker::ConsistentHash;
use broach_core::{Context, Node, Status};
use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

/// A service that remembers its guests.
#[derive(Default)]
struct Host {
    guests: Mutex<HashSet<String>>,
}

#[broach_core::async_trait]
impl Greeter for Host {
    async fn say_hello(&self, _cx: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        let mut guests = self.guests.lock().map_err(|_| Status::internal("the list is broken"))?;
        let known = !guests.insert(request.name.clone());
        let words = if known { "Welcome back" } else { "Hello" };
        Ok(HelloReply { message: format!("{words} {}!", request.name) })
    }
}

async fn start(seed: Option<SocketAddr>) -> Result<Node, Box<dyn Error>> {
    let service = GreeterServer::new(Host::default());
    Ok(Node::builder().join(seed).serve(service).start().await?)
}

/// Waits until the caller knows so many nodes and what they offer.
async fn know(caller: &Node, nodes: usize) {
    let known = || {
        let members = caller.members();
        let offers = members.iter().filter(|member| member.services().is_some());
        members.len() == nodes && offers.count() == nodes
    };
    while !known() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Greets all guests, each at the node that his name stands for, and says who was known.
async fn greet(greeter: &GreeterClient, nodes: &[SocketAddr]) -> Result<(), Status> {
    let (mut known, mut guests) = (0, BTreeMap::<usize, usize>::new());
    for number in 0..GUESTS {
        let name = format!("guest {number}");
        let call = greeter.say_hello(HelloRequest { name: name.clone() }).key(name);
        let response = call.response().await?;
        known += usize::from(response.message.message.starts_with("Welcome back"));
        let at = response.peer.and_then(|peer| nodes.iter().position(|addr| *addr == peer.addr));
        *guests.entry(at.unwrap_or(nodes.len())).or_default() += 1;
    }
    println!("  {:>5.1} % of the guests are known", 100.0 * known as f64 / GUESTS as f64);
    for (node, guests) in guests {
        let bar = "█".repeat(guests / 10);
        println!("  node {} greets {guests:>3} {bar}", node + 1);
    }
    Ok(())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut nodes = vec![start(None).await?];
    let seed = nodes[0].local_addr();
    for _ in 1..4 {
        nodes.push(start(Some(seed)).await?);
    }
    let mut addrs: Vec<SocketAddr> = nodes.iter().map(Node::local_addr).collect();
    let caller = Node::builder().client_only().join([seed]).start().await?;
    know(&caller, 4).await;

    // Without a bound: a guest is greeted by the node that knows him, even if that has a lot to do.
    let channel = caller.channel().picker(ConsistentHash::unbounded());
    let greeter = GreeterClient::new(channel);
    println!("{GUESTS} guests come to four nodes");
    greet(&greeter, &addrs).await?;
    println!("and once more");
    greet(&greeter, &addrs).await?;

    nodes.push(start(Some(seed)).await?);
    addrs.extend(nodes.last().map(Node::local_addr));
    know(&caller, 5).await;
    println!("a fifth node has joined");
    greet(&greeter, &addrs).await?;

    nodes.remove(1).shutdown().await?;
    know(&caller, 4).await;
    println!("the second node has left");
    greet(&greeter, &addrs).await?;
    println!("and once more");
    greet(&greeter, &addrs).await?;

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

const GUESTS: usize = 1_000;
