//! Serves greetings until Ctrl-C.
//!
//! ```text
//! cargo run -p broach-examples --bin greeter-server [ADDRESS]
//! ```

// What the build script made of `greeter.proto`.
broach_core::include_protos!();

use std::error::Error;
use std::process::ExitCode;

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

async fn serve(addr: String) -> Result<(), Box<dyn Error>> {
    let node = Node::builder().bind(addr).serve(GreeterServer::new(Hello)).start().await?;
    println!("serving on {}, until Ctrl-C", node.local_addr());
    // Ends when the signal comes; calls that are under way may finish first.
    node.run_until(tokio::signal::ctrl_c()).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7400".to_owned());
    match serve(addr).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
