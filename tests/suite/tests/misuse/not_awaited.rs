//! A call is made and not awaited, so that nothing is sent.

#![deny(unused_must_use)]

use broach_tests::greeter::v1::{GreeterClient, HelloRequest};

fn call(greeter: &GreeterClient) {
    greeter.say_hello(HelloRequest::default());
}

fn main() {
    let _ = call;
}
