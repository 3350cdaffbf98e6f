//! The stand-in for a service in the guide: what calls a client is tested without the service.

broach_core::include_protos!();

use greeter::v1::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

use broach_core::{Channel, Code, Context, Status};

/// What is tested: it does not know who answers.
async fn invitation(greeter: &GreeterClient, name: &str) -> String {
    match greeter.say_hello(HelloRequest { name: name.into() }).await {
        Ok(reply) => format!("{} Come in.", reply.message),
        Err(status) if status.code() == Code::NotFound => "Who are you?".into(),
        Err(_) => "Come back later.".into(),
    }
}

/// Answers every request with what it holds. Methods that the test does not need are left out.
struct Answers(Result<&'static str, Code>);

#[broach_core::async_trait]
impl Greeter for Answers {
    async fn say_hello(&self, _: Context, _: HelloRequest) -> Result<HelloReply, Status> {
        match self.0 {
            Ok(message) => Ok(HelloReply { message: message.into() }),
            Err(code) => Err(Status::new(code, "as the test says")),
        }
    }
}

/// A client whose calls this service answers.
fn client(service: impl Greeter) -> GreeterClient {
    GreeterClient::new(Channel::in_process(GreeterServer::new(service)))
}

#[tokio::test]
async fn strangers_are_asked_who_they_are() {
    let friend = client(Answers(Ok("Hello Ada!")));
    assert_eq!(invitation(&friend, "Ada").await, "Hello Ada! Come in.");
    let stranger = client(Answers(Err(Code::NotFound)));
    assert_eq!(invitation(&stranger, "Eve").await, "Who are you?");
    let down = client(Answers(Err(Code::Unavailable)));
    assert_eq!(invitation(&down, "Ada").await, "Come back later.");
}

#[test]
fn without_the_feature_no_descriptors_are_carried_along() {
    assert!(FILE_DESCRIPTOR_SET.is_empty());
}
