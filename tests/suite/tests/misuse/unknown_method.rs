//! An implementation has a method that the service does not.

use broach_core::{Context, Status};
use broach_tests::greeter::v1::{Greeter, HelloReply, HelloRequest};

struct Hello;

#[broach_core::async_trait]
impl Greeter for Hello {
    async fn say_helo(&self, _: Context, _: HelloRequest) -> Result<HelloReply, Status> {
        Ok(HelloReply::default())
    }
}

fn main() {}
