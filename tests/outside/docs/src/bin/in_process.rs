//! The program on the front page of `broach-build`.

broach_core::include_protos!();

use broach_core::{Channel, Context, Status};
use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

struct Hello;

#[broach_core::async_trait]
impl Greeter for Hello {
    async fn say_hello(&self, _: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: format!("Hello {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    let greeter = GreeterClient::new(Channel::in_process(GreeterServer::new(Hello)));
    let reply = greeter.say_hello(HelloRequest { name: "Ada".into() }).await?;
    println!("{}", reply.message);
    Ok(())
}
