//! Asks the greeter for a greeting.
//!
//! ```text
//! cargo run -p broach-examples --bin greeter-client [--join] [ADDRESS] [NAME]
//! ```
//!
//! With `--join` the address is that of any node of a cluster, and whoever greets there answers.

// What the build script made of `greeter.proto`.
broach_core::include_protos!();

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use broach_core::{Channel, Node};
use greeter::v1::{GreeterClient, HelloRequest};

/// Calls the node at an address.
async fn greet_at(addr: String, name: String) -> Result<(), Box<dyn Error>> {
    // There is no connection to set up, so nothing is sent yet.
    greet(Channel::connect(addr).await?, name).await
}

/// Calls any node that greets, found through one of them.
async fn greet_in_cluster(seed: String, name: String) -> Result<(), Box<dyn Error>> {
    let node = Node::builder().client_only().join([seed]).start().await?;
    // The call waits until a node that serves it has been found.
    greet(node.channel(), name).await
}

async fn greet(channel: Channel, name: String) -> Result<(), Box<dyn Error>> {
    let greeter = GreeterClient::new(channel);
    let request = HelloRequest { name };
    // Every call ends: without a timeout of its own it has ten seconds.
    let reply = greeter.say_hello(request).timeout(Duration::from_secs(2)).await?;
    println!("{}", reply.message);
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    let join = args.next_if(|arg| arg == "--join").is_some();
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:7400".to_owned());
    let name = args.next().unwrap_or_else(|| "Ada".to_owned());
    if addr.starts_with('-') || args.next().is_some() {
        eprintln!("usage: greeter-client [--join] [ADDRESS] [NAME]");
        eprintln!("without an address 127.0.0.1:7400, without a name Ada");
        return if addr == "--help" { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let greeted =
        if join { greet_in_cluster(addr, name).await } else { greet_at(addr, name).await };
    match greeted {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `#` asks for the long form, which tells what was tried.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
