//! The program on the front page of `broach-core`.

broach_core::include_protos!();

use broach_core::{Channel, Context, Node, Status};
use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

struct Hello;

#[broach_core::async_trait]
impl Greeter for Hello {
    async fn say_hello(&self, _: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: format!("Hello {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::builder().serve(GreeterServer::new(Hello)).start().await?;

    let greeter = GreeterClient::new(Channel::connect(node.local_addr()).await?);
    let reply = greeter.say_hello(HelloRequest { name: "Ada".into() }).await?;
    println!("{}", reply.message);
    Ok(())
}
