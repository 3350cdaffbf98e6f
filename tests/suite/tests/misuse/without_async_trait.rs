//! The attribute above the implementation is forgotten.

use broach_core::{Context, Status};
use broach_tests::greeter::v1::{Greeter, HelloReply, HelloRequest};

struct Hello;

impl Greeter for Hello {
    async fn say_hello(&self, _: Context, _: HelloRequest) -> Result<HelloReply, Status> {
        Ok(HelloReply::default())
    }
}

fn main() {}
