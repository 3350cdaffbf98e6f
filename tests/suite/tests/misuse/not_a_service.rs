//! A server is made of something that does not implement the service.

use broach_tests::greeter::v1::GreeterServer;

struct Hello;

fn main() {
    let _ = GreeterServer::new(Hello);
}
