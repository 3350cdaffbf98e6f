//! Requests, and the call that proves that a node is alive.

use broach_core::{Channel, Code};

use crate::broach::testing::v1::{
    ActRequest, EchoRequest, FailRequest, ProbeClient, SleepRequest, WaitRequest,
};

/// A small request to send back.
pub fn echo(token: u64) -> EchoRequest {
    EchoRequest { token, payload: token.to_be_bytes().to_vec() }
}

/// A request to send back with this many bytes, which depend on the token.
pub fn echo_bytes(token: u64, bytes: usize) -> EchoRequest {
    let payload = (0..bytes as u64).map(|at| (at ^ (at >> 8)).wrapping_add(token) as u8).collect();
    EchoRequest { token, payload }
}

/// A request to answer after a while.
pub fn sleep(token: u64, milliseconds: u64) -> SleepRequest {
    SleepRequest { token, milliseconds }
}

/// A request to answer when the test lets it.
pub fn wait(token: u64) -> WaitRequest {
    WaitRequest { token }
}

/// A request to fail.
pub fn fail(code: Code, message: &str) -> FailRequest {
    FailRequest { code: code.number(), message: message.to_owned(), detail: 0 }
}

/// A request to do what the test says.
pub fn act(text: &str) -> ActRequest {
    ActRequest { token: 0, text: text.to_owned() }
}

/// A call through this channel gets its reply at the first attempt.
///
/// # Panics
///
/// If it does not.
pub async fn good_call(channel: &Channel) {
    let request = echo_bytes(0x600d, 100);
    let response = ProbeClient::new(channel.clone()).echo(request.clone()).response().await;
    let response = response.expect("the node answers");
    assert_eq!(response.message.payload, request.payload);
    assert_eq!(response.attempts.len(), 1, "{:?}", response.attempts);
}

/// A call through this channel gets its reply, if perhaps not at the first attempt.
///
/// # Panics
///
/// If it does not.
pub async fn call_in_the_end(channel: &Channel) {
    let request = echo_bytes(0x600d, 100);
    let reply = ProbeClient::new(channel.clone()).echo(request.clone()).await;
    assert_eq!(reply.expect("the node answers").payload, request.payload);
}
