//! Serves greetings, and asks for some.

broach_core::include_protos!();

use std::time::Duration;

use broach_core::{Channel, Context, Node, Status};
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
    // Two nodes, here in one process; `.bind("127.0.0.1:7400")` would choose the address.
    let one = Node::builder().serve(HelloServer::new(Greeter)).start().await?;
    let two = Node::builder().serve(HelloServer::new(Greeter)).start().await?;

    let nodes = Channel::list([one.local_addr(), two.local_addr()]).await?;
    let hello = HelloClient::new(nodes);
    let reply = hello.greet(GreetRequest { name: "Ada".into() }).await?;
    println!("{}", reply.message);

    // A node that is gone costs no call.
    drop(one);
    for name in ["Bob", "Eve"] {
        let call = hello.greet(GreetRequest { name: name.into() }).timeout(Duration::from_secs(2));
        println!("{}", call.await?.message);
    }

    // A failed call says whether its handler ran.
    let status = hello.greet(GreetRequest::default()).await.unwrap_err();
    println!("{status}, outcome: {:?}", status.outcome());
    Ok(())
}
