//! The cases of a single call with one request and one reply.

use std::time::Duration;

use broach_core::metadata::Value;
use broach_core::{Code, Response, Status};
use bytes::Bytes;

use crate::broach::testing::v1::{EchoStatus, Empty};
use crate::client::caller::{Ask, Caller, Failed};
use crate::client::streams::{self, Duplex};
use crate::server::{ECHO_BYTES, ECHO_TEXT};

pub(crate) async fn empty(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let call = turn.service().empty_call(Empty {}).timeout(caller.deadline());
    let result = call.response().await.map_err(Failed::from);
    caller.record(&turn, result).map(|_| ()).map_err(Failed::text)
}

pub(crate) async fn large(caller: &Caller) -> Result<(), String> {
    caller.unary(large_ask()).await.map(|_| ()).map_err(Failed::text)
}

/// A request and a reply of a few hundred datagrams each.
pub(crate) fn large_ask() -> Ask {
    Ask { payload: LARGE_REQUEST, response_size: LARGE_REPLY, ..Ask::default() }
}

pub(crate) async fn timeout_on_sleeping_server(caller: &Caller) -> Result<(), String> {
    let ask = Ask {
        payload: 27_182,
        sleep_ms: 2_000,
        timeout: Some(Duration::from_millis(1)),
        ..Ask::default()
    };
    expect(caller.unary(ask).await, Code::DeadlineExceeded).map(|_| ())
}

pub(crate) async fn custom_metadata(caller: &Caller) -> Result<(), String> {
    let text = "test_initial_metadata_value";
    let bytes = Bytes::from_static(&[0xab, 0xab, 0xab]);
    let metadata: Vec<(&str, Value)> =
        vec![(ECHO_TEXT, text.into()), (ECHO_BYTES, bytes.clone().into())];
    let ask = Ask {
        payload: LARGE_REQUEST,
        response_size: LARGE_REPLY,
        metadata: metadata.clone(),
        ..Ask::default()
    };
    let reply = caller.unary(ask).await.map_err(Failed::text)?;
    let came_back = |metadata: &broach_core::Metadata| {
        metadata.get(ECHO_TEXT) == Some(text) && metadata.get_binary(ECHO_BYTES) == Some(&bytes)
    };
    if !came_back(&reply.metadata) {
        return Err(format!("the metadata did not come back: {:?}", reply.metadata));
    }
    let duplex = Duplex { size: LARGE_REPLY, payload: LARGE_REQUEST, status: None, metadata };
    match streams::duplex(caller, duplex).await {
        Ok(metadata) if came_back(&metadata) => Ok(()),
        Ok(metadata) => Err(format!("the metadata of a stream did not come back: {metadata:?}")),
        Err(failed) => Err(failed.text()),
    }
}

pub(crate) async fn status_code_and_message(caller: &Caller) -> Result<(), String> {
    let message = "test status message";
    let status = EchoStatus { code: Code::Unknown.number(), message: message.to_owned() };
    let is_echo = |status: &Status| status.code() == Code::Unknown && status.message() == message;
    let ask = Ask { status: Some(status.clone()), ..Ask::default() };
    let unary = expect(caller.unary(ask).await, Code::Unknown)?;
    if !is_echo(&unary) {
        return Err(format!("the status is not the one that was asked for: {unary:?}"));
    }
    let duplex = Duplex { size: 0, payload: 0, status: Some(status), metadata: Vec::new() };
    match streams::duplex(caller, duplex).await {
        Ok(_) => Err("the stream ended well".to_owned()),
        Err(Failed::Status(status)) if is_echo(&status) => Ok(()),
        Err(failed) => Err(failed.text()),
    }
}

pub(crate) async fn special_status_message(caller: &Caller) -> Result<(), String> {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";
    let status = EchoStatus { code: Code::Unknown.number(), message: message.to_owned() };
    let ask = Ask { status: Some(status), ..Ask::default() };
    let status = expect(caller.unary(ask).await, Code::Unknown)?;
    if status.message() == message {
        return Ok(());
    }
    Err(format!("the text is {:?}", status.message()))
}

pub(crate) async fn unimplemented_method(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let call = turn.service().unimplemented_call(Empty {}).timeout(caller.deadline());
    let result = call.response().await.map_err(Failed::from);
    expect(caller.record(&turn, result), Code::Unimplemented).map(|_| ())
}

pub(crate) async fn unimplemented_service(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let call = turn.unimplemented_service().unimplemented_call(Empty {});
    let result = call.timeout(caller.deadline()).response().await.map_err(Failed::from);
    expect(caller.record(&turn, result), Code::Unimplemented).map(|_| ())
}

/// The status of a call that is to fail with this code.
pub(crate) fn expect<T>(result: Result<Response<T>, Failed>, code: Code) -> Result<Status, String> {
    match result {
        Err(Failed::Status(status)) if status.code() == code => Ok(status),
        Err(failed) => Err(failed.text()),
        Ok(_) => Err(format!("it succeeded; {code} was to come")),
    }
}

const LARGE_REQUEST: usize = 271_828;
const LARGE_REPLY: u32 = 314_159;
