//! An implementation is served as it is, and not in the server generated for it.

use broach_core::Channel;
use broach_tests::greeter::v1::Greeter;

struct Hello;

impl Greeter for Hello {}

fn main() {
    let _ = Channel::in_process(Hello);
}
