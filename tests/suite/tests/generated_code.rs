//! What is generated for the greeter, called in all four ways.

use std::sync::Arc;

use broach_core::codegen::Dispatch;
use broach_core::{Channel, Code, Context, Node, Outcome, Receiver, Sender, Status, stream};
use broach_tests::greeter::v1::{
    GREETER, Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};
use futures::StreamExt;

struct Hello;

#[broach_core::async_trait]
impl Greeter for Hello {
    async fn say_hello(&self, _cx: Context, request: HelloRequest) -> Result<HelloReply, Status> {
        Ok(hello("Hello", &request.name))
    }

    async fn languages(
        &self,
        _cx: Context,
        request: HelloRequest,
        mut replies: Sender<HelloReply>,
    ) -> Result<(), Status> {
        for word in ["Hello", "Bonjour", "Hallo"] {
            replies.send(hello(word, &request.name)).await?;
        }
        Ok(())
    }

    async fn everyone(
        &self,
        _cx: Context,
        mut requests: Receiver<HelloRequest>,
    ) -> Result<HelloReply, Status> {
        let mut names = Vec::new();
        while let Some(request) = requests.message().await? {
            names.push(request.name);
        }
        Ok(hello("Hello", &names.join(" and ")))
    }

    async fn door(
        &self,
        _cx: Context,
        mut requests: Receiver<HelloRequest>,
        mut replies: Sender<HelloReply>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            replies.send(hello("Come in", &request.name)).await?;
        }
        Err(Status::aborted("the door is shut"))
    }
}

/// Leaves everything out.
struct Silent;

impl Greeter for Silent {}

#[tokio::test]
async fn one_request_gives_one_reply() {
    let reply = greeter().say_hello(name("Ada")).await.unwrap();
    assert_eq!(reply.message, "Hello Ada");
}

#[tokio::test]
async fn one_request_gives_many_replies() {
    let replies = greeter().languages(name("Ada")).await.unwrap();
    let replies: Vec<_> = replies.map(|reply| reply.unwrap().message).collect().await;
    assert_eq!(replies, ["Hello Ada", "Bonjour Ada", "Hallo Ada"]);
}

#[tokio::test]
async fn many_requests_give_one_reply() {
    let names = futures::stream::iter([name("Ada"), name("Bob")]);
    let reply = greeter().everyone(names).await.unwrap();
    assert_eq!(reply.message, "Hello Ada and Bob");
}

#[tokio::test]
async fn many_requests_give_many_replies_and_a_status() {
    let (mut names, fed) = stream::channel(1);
    names.send(name("Ada")).await.unwrap();
    let mut replies = greeter().door(fed).await.unwrap();
    let first = replies.message().await.unwrap().unwrap();
    assert_eq!(first.message, "Come in Ada");
    names.send(name("Bob")).await.unwrap();
    let second = replies.message().await.unwrap().unwrap();
    assert_eq!(second.message, "Come in Bob");
    drop(names);
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn a_method_left_out_answers_unimplemented() {
    let greeter = GreeterClient::new(Channel::in_process(GreeterServer::new(Silent)));
    let names = || futures::stream::iter([name("Ada")]);
    for status in [
        greeter.say_hello(name("Ada")).await.unwrap_err(),
        greeter.languages(name("Ada")).await.unwrap_err(),
        greeter.everyone(names()).await.unwrap_err(),
        greeter.door(names()).await.unwrap_err(),
    ] {
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(status.outcome(), Outcome::NotExecuted);
        assert!(status.message().contains("greeter.v1.Greeter/"), "{status}");
    }
}

#[tokio::test]
async fn an_implementation_may_be_chosen_at_run_time() {
    let chosen: Arc<dyn Greeter> =
        if std::env::args().count() == 0 { Arc::new(Silent) } else { Arc::new(Hello) };
    let server: GreeterServer<dyn Greeter> = GreeterServer::from(chosen);
    let greeter = GreeterClient::new(Channel::in_process(server));
    assert!(greeter.say_hello(name("Ada")).await.is_ok());
}

#[test]
fn a_server_has_the_version_that_it_was_given() {
    assert_eq!(Dispatch::version(&GreeterServer::new(Hello)), "");
    let given = GreeterServer::new(Hello).version("1.4.0");
    assert_eq!(Dispatch::version(&given), "1.4.0");
    let chosen: Arc<dyn Greeter> = Arc::new(Hello);
    let last = GreeterServer::from(chosen).version("1.4.0").version(String::from("2.0.0-rc.1"));
    assert_eq!(Dispatch::version(&last), "2.0.0-rc.1");
}

#[tokio::test]
async fn a_node_does_not_start_with_what_is_no_version() {
    let served = Node::builder().serve(GreeterServer::new(Hello).version("1.4"));
    let error = served.start().await.unwrap_err().to_string();
    let expected = "service greeter.v1.Greeter has the version \"1.4\", which does not read like";
    assert!(error.starts_with(expected), "{error}");
    let served = Node::builder().serve(GreeterServer::new(Hello).version("1.4.0"));
    let node = served.start().await.unwrap();
    let greeter = GreeterClient::new(Channel::connect(node.local_addr()).await.unwrap());
    assert!(greeter.say_hello(name("Ada")).await.is_ok());
}

#[tokio::test]
async fn calls_are_values_that_can_be_made_at_once_and_moved() {
    let greeter = greeter();
    let (a, b) = futures::join!(greeter.say_hello(name("A")), greeter.say_hello(name("B")));
    assert_ne!(a.unwrap(), b.unwrap());
    let call = greeter.clone().say_hello(name("Ada"));
    drop(greeter);
    assert!(tokio::spawn(call).await.unwrap().is_ok());
}

#[tokio::test]
async fn the_generated_ids_are_those_of_calls_by_name() {
    let channel = Channel::in_process(GreeterServer::new(Hello));
    // Field 1, three bytes.
    let reply = channel.call("greeter.v1.Greeter/SayHello", "\n\x03Ada").await.unwrap();
    assert_eq!(&reply[..], b"\n\x09Hello Ada");
    let status = channel.call("greeter.v1.Greeter/Goodbye", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[test]
fn idempotency_is_that_of_the_proto() {
    use broach_core::codegen::{Idempotency, Shape};
    let [say_hello, languages, everyone, door] = GREETER.methods else {
        panic!("the greeter has four methods");
    };
    assert_eq!(say_hello.idempotency(), Idempotency::NoSideEffects);
    assert_eq!(languages.idempotency(), Idempotency::None);
    assert_eq!(everyone.shape(), Shape::ClientStreaming);
    assert_eq!(door.shape(), Shape::Bidirectional);
    let old = &broach_tests::awkward::old_syntax::OLD_SYNTAX.methods[0];
    assert_eq!(old.idempotency(), Idempotency::Idempotent);
}

fn greeter() -> GreeterClient {
    GreeterClient::new(Channel::in_process(GreeterServer::new(Hello)))
}

fn name(name: &str) -> HelloRequest {
    let name = name.to_owned();
    HelloRequest { name }
}

fn hello(word: &str, name: &str) -> HelloReply {
    let message = format!("{word} {name}");
    HelloReply { message }
}
