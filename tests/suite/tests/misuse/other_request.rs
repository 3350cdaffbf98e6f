//! A client is given a message of another method.

use broach_tests::greeter::v1::{GreeterClient, HelloReply};

async fn call(greeter: GreeterClient) {
    let _ = greeter.say_hello(HelloReply::default()).await;
}

fn main() {
    let _ = call;
}
