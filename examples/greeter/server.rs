//! Serves greetings until Ctrl-C or SIGTERM.
//!
//! ```text
//! cargo run -p broach-examples --bin greeter-server [ADDRESS [--join SEED]]
//! ```
//!
//! A seed is the address of another greeter: the two then are a cluster, and so are all that join
//! through either.

// What the build script made of `greeter.proto`.
broach_core::include_protos!();

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use broach_core::{Context, Node, Status};
use greeter::v1::{Greeter, GreeterServer, HelloReply, HelloRequest};

/// The service. What all calls share, such as a pool of database connections, would be a field.
struct Hello;

// The greeter has more methods; those left out answer `UNIMPLEMENTED`.
#[broach_core::async_trait]
impl Greeter for Hello {
    async fn say_hello(&self, _cx: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        if request.name.is_empty() {
            return Err(Status::invalid_argument("whom shall I greet? The name is empty"));
        }
        Ok(HelloReply { message: format!("Hello {}!", request.name) })
    }
}

async fn serve(addr: &str, seed: Option<&str>) -> Result<(), Box<dyn Error>> {
    let node = Node::builder()
        .bind(addr)
        .join(seed)
        .serve(GreeterServer::new(Hello))
        // Less than what containers are usually given to end.
        .drain_timeout(Duration::from_secs(5))
        .start()
        .await?;
    println!("serving on {}, until Ctrl-C", node.local_addr());
    // Calls that are under way when the signal comes may finish, for as long as said above.
    node.run_until(asked_to_end()).await?;
    Ok(())
}

/// Ends when somebody wants the program to end: with Ctrl-C, or as containers and service managers
/// do, with SIGTERM.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (addr, seed) = match args[..] {
        [] => ("127.0.0.1:7400", None),
        [addr] if !addr.starts_with('-') => (addr, None),
        [addr, "--join", seed] => (addr, Some(seed)),
        _ => {
            eprintln!("usage: greeter-server [ADDRESS [--join SEED]]; otherwise 127.0.0.1:7400");
            return if args == ["--help"] { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    match serve(addr, seed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
