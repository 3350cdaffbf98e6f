//! Asks the greeter for a greeting.
//!
//! ```text
//! cargo run -p broach-examples --bin greeter-client [ADDRESS] [NAME]
//! ```

// What the build script made of `greeter.proto`.
broach_core::include_protos!();

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use broach_core::Channel;
use greeter::v1::{GreeterClient, HelloRequest};

async fn greet(addr: String, name: String) -> Result<(), Box<dyn Error>> {
    // There is no connection to set up, so nothing is sent yet.
    let greeter = GreeterClient::new(Channel::connect(addr).await?);

    let request = HelloRequest { name };
    // Every call ends: without a timeout of its own it has ten seconds.
    let reply = greeter.say_hello(request).timeout(Duration::from_secs(2)).await?;
    println!("{}", reply.message);
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:7400".to_owned());
    let name = args.next().unwrap_or_else(|| "Ada".to_owned());
    if addr.starts_with('-') || args.next().is_some() {
        eprintln!("usage: greeter-client [ADDRESS] [NAME]; without them 127.0.0.1:7400 and Ada");
        return if addr == "--help" { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    match greet(addr, name).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `#` asks for the long form, which tells what was tried.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
