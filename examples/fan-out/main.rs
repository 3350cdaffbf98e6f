//! Calls at all nodes at once: every answer, all of them, the first, and enough of them; then a
//! call that nobody waits for.
//!
//! ```text
//! cargo run -p broach-examples --bin fan-out
//! ```
//!
//! Five nodes greet, each somewhat later than the one before it. The fourth refuses one guest, and
//! the fifth dies in the middle.

// What the build script made of `greeter.proto`.
broach_core::include_protos!();

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use broach_core::{Answers, Context, Node, Status};
use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

/// A greeter that takes its time.
struct Host {
    number: u64,
}

#[broach_core::async_trait]
impl Greeter for Host {
    async fn say_hello(&self, _cx: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        tokio::time::sleep(Duration::from_millis(20 * self.number)).await;
        if self.number == 4 && request.name == "Eve" {
            return Err(Status::permission_denied("Eve is not welcome here"));
        }
        Ok(HelloReply { message: format!("Hello {}, says node {}!", request.name, self.number) })
    }
}

async fn start(number: u64, seed: Option<SocketAddr>) -> Result<Node, Box<dyn Error>> {
    let service = GreeterServer::new(Host { number });
    Ok(Node::builder().join(seed).serve(service).start().await?)
}

fn print(answers: &Answers<HelloReply>) {
    for answer in answers {
        match &answer.result {
            Ok(reply) => println!("  {}", reply.message),
            Err(status) => println!("  {}: {}", status.code(), status.message()),
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut nodes = vec![start(1, None).await?];
    let seed = nodes[0].local_addr();
    for number in 2..=5 {
        nodes.push(start(number, Some(seed)).await?);
    }
    let caller = Node::builder().client_only().join([seed]).start().await?;
    let offers = || caller.members().iter().filter(|node| node.services().is_some()).count();
    while offers() < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let greeter = GreeterClient::new(caller.channel());
    let hello = |name: &str| greeter.say_hello(HelloRequest { name: name.to_owned() });

    println!("each node's own answer");
    print(&hello("Eve").fan_out().each().await?);

    println!("all have to succeed");
    print(&hello("Ada").fan_out().all().await?);
    match hello("Eve").fan_out().all().await {
        Ok(_) => return Err("somebody should have refused".into()),
        Err(error) => println!("  {error}"),
    }

    println!("the first that succeeds");
    print(&hello("Bob").fan_out().first().await?);

    println!("three of five");
    print(&hello("Bob").fan_out().quorum(3).await?);

    println!("the fifth node dies, and nobody knows it yet");
    // Dropping a node is what a crash is: it tells nobody.
    let dead = nodes.pop().map(|node| node.local_addr());
    let answers = hello("Ada").timeout(Duration::from_secs(1)).fan_out().each().await?;
    println!("  {} answers, {} failed", answers.succeeded().count(), answers.failed().count());
    if answers.failed().any(|answer| answer.addr != dead) {
        return Err("somebody else failed".into());
    }

    println!("a call that nobody waits for");
    hello("Ada").one_way().await?;
    println!("  some node has begun");

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
