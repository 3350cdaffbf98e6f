//! The test without a network in the guide, and the macro in the way it is shown.

broach_core::include_protos!();

use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

use broach_core::{Channel, Context, Status};

struct Hello;

#[broach_core::async_trait]
impl Greeter for Hello {
    async fn say_hello(&self, _: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: format!("Hello {}!", request.name) })
    }
}

#[tokio::test]
async fn people_are_greeted_by_their_names() -> Result<(), Status> {
    let greeter = GreeterClient::new(Channel::in_process(GreeterServer::new(Hello)));
    let reply = greeter.say_hello(HelloRequest { name: "Ada".into() }).await?;
    assert_eq!(reply.message, "Hello Ada!");
    Ok(())
}
