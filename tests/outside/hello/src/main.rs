//! Serves greetings, and asks for some.

broach_core::include_protos!();

use std::time::Duration;

use broach_core::{Context, Node, Status};
use hello::v1::{GreetReply, GreetRequest, Hello, HelloClient, HelloServer};

struct Greeter;

#[broach_core::async_trait]
impl Hello for Greeter {
    async fn greet(&self, _cx: Context, request: GreetRequest) -> Result<GreetReply, Status> {
        if request.name.is_empty() {
            return Err(Status::invalid_argument("the name is empty"));
        }
        Ok(GreetReply { message: format!("Hello {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two nodes, here in one process; `.bind("127.0.0.1:7400")` would choose the address. The
    // second one joins the first.
    let one = Node::builder().serve(HelloServer::new(Greeter)).start().await?;
    let seed = one.local_addr();
    let two = Node::builder().join([seed]).serve(HelloServer::new(Greeter)).start().await?;

    // One that only makes calls. Whom it can call it finds out by itself.
    let caller = Node::builder().join([seed]).client_only().start().await?;
    caller.wait_for_members(2).await;
    let hello = HelloClient::new(caller.channel());
    let reply = hello.greet(GreetRequest { name: "Ada".into() }).await?;
    println!("{}", reply.message);

    // A node that leaves costs no call.
    one.shutdown().await?;
    for name in ["Bob", "Eve"] {
        let call = hello.greet(GreetRequest { name: name.into() }).timeout(Duration::from_secs(2));
        println!("{}", call.await?.message);
    }

    // A failed call says whether its handler ran.
    let status = hello.greet(GreetRequest::default()).await.unwrap_err();
    println!("{status}, outcome: {:?}", status.outcome());

    caller.shutdown().await?;
    two.shutdown().await?;
    Ok(())
}
