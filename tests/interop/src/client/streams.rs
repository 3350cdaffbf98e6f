//! The cases of calls that stream.

use broach_core::metadata::Value;
use broach_core::{Metadata, Receiver, stream};
use bytes::Bytes;
use futures::FutureExt;

use crate::broach::testing::v1::{
    EchoStatus, ReplyPart, StreamingInputRequest, StreamingOutputReply, StreamingOutputRequest,
};
use crate::bytes_of;
use crate::client::caller::{Caller, Failed, Turn};

pub(crate) async fn client_streaming(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let request = |&size: &usize| StreamingInputRequest { payload: bytes_of::request("", size) };
    let requests = futures::stream::iter(REQUEST_SIZES.iter().map(request));
    let call = turn.service().streaming_input_call(requests).timeout(caller.deadline());
    let result = call.response().await.map_err(Failed::from).and_then(|response| {
        let (got, sent) = (response.message.aggregated_payload_size, REQUEST_SIZES.iter().sum());
        match usize::try_from(got) == Ok(sent) {
            true => Ok(response),
            false => Err(Failed::Wrong(format!("{got} of {sent} bytes came in"))),
        }
    });
    caller.record(&turn, result).map(|_| ()).map_err(Failed::text)
}

pub(crate) async fn server_streaming(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let request = StreamingOutputRequest {
        parts: REPLY_SIZES.iter().map(|&size| part(size)).collect(),
        ..StreamingOutputRequest::default()
    };
    let exchange = async {
        let call = turn.service().streaming_output_call(request).timeout(caller.deadline());
        let mut replies = call.await?;
        for size in REPLY_SIZES {
            next(&mut replies, size).await?;
        }
        end(&mut replies).await
    };
    let result = exchange.await;
    caller.record_stream(&turn, result).map_err(Failed::text)
}

pub(crate) async fn ping_pong(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let exchange = async {
        let (mut requests, fed) = stream::channel(1);
        let call = turn.service().full_duplex_call(fed).timeout(caller.deadline());
        // The replies begin with the first of them, so the first request goes before.
        requests.send(request(REQUEST_SIZES[0], REPLY_SIZES[0])).await?;
        let mut replies = call.await?;
        next(&mut replies, REPLY_SIZES[0]).await?;
        for (payload, size) in REQUEST_SIZES.into_iter().zip(REPLY_SIZES).skip(1) {
            requests.send(request(payload, size)).await?;
            next(&mut replies, size).await?;
        }
        drop(requests);
        end(&mut replies).await
    };
    let result = exchange.await;
    caller.record_stream(&turn, result).map_err(Failed::text)
}

pub(crate) async fn empty(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let exchange = async {
        let none = futures::stream::empty();
        let mut replies = turn.service().full_duplex_call(none).timeout(caller.deadline()).await?;
        end(&mut replies).await
    };
    let result = exchange.await;
    caller.record_stream(&turn, result).map_err(Failed::text)
}

pub(crate) async fn cancel_after_begin(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let before = turn.cancelled();
    let (requests, fed) = stream::channel(1);
    let mut call = turn.service().streaming_input_call(fed).timeout(caller.deadline());
    // It begins when it is first polled.
    let early = (&mut call).now_or_never();
    if let Some(result) = early {
        let result = match result {
            Ok(_) => Err(Failed::Wrong("it ended before the first request".to_owned())),
            Err(status) => Err(Failed::Status(status)),
        };
        return caller.record_stream(&turn, result).map_err(Failed::text);
    }
    drop((call, requests));
    caller.record_cancelled(&turn);
    was_cancelled(&turn, before)
}

pub(crate) async fn cancel_after_first_response(caller: &Caller) -> Result<(), String> {
    let turn = caller.turn();
    let before = turn.cancelled();
    let exchange = async {
        let (mut requests, fed) = stream::channel(1);
        let call = turn.service().full_duplex_call(fed).timeout(caller.deadline());
        requests.send(request(REQUEST_SIZES[0], REPLY_SIZES[0])).await?;
        let mut replies = call.await?;
        next(&mut replies, REPLY_SIZES[0]).await
    };
    // With its end both directions are dropped.
    if let Err(failed) = exchange.await {
        return caller.record_stream(&turn, Err(failed)).map_err(Failed::text);
    }
    caller.record_cancelled(&turn);
    was_cancelled(&turn, before)
}

/// A stream of one request with this, and a reply of this size.
#[derive(Debug)]
pub(crate) struct Duplex {
    pub(crate) size: u32,
    pub(crate) payload: usize,
    pub(crate) status: Option<EchoStatus>,
    pub(crate) metadata: Vec<(&'static str, Value)>,
}

/// Makes such a call to its end; gives what came along.
pub(crate) async fn duplex(caller: &Caller, duplex: Duplex) -> Result<Metadata, Failed> {
    let turn = caller.turn();
    let Duplex { size, payload, status, metadata } = duplex;
    let mut request = request(payload, size);
    if status.is_some() {
        (request.parts, request.echo_status) = (Vec::new(), status);
    }
    let replies_come = !request.parts.is_empty();
    let exchange = async {
        let requests = futures::stream::iter([request]);
        let mut call = turn.service().full_duplex_call(requests).timeout(caller.deadline());
        for (key, value) in metadata {
            call = call.metadata(key, value);
        }
        let mut replies = call.await?;
        if replies_come {
            next(&mut replies, size).await?;
        }
        end(&mut replies).await?;
        Ok(replies.metadata().clone())
    };
    let result = exchange.await;
    caller.record_stream(&turn, result)
}

fn was_cancelled(turn: &Turn, before: u64) -> Result<(), String> {
    match turn.cancelled() - before {
        1 => Ok(()),
        count => Err(format!("{count} calls were counted as cancelled, and not 1")),
    }
}

const fn part(size: u32) -> ReplyPart {
    ReplyPart { size, interval_us: 0 }
}

fn request(payload: usize, size: u32) -> StreamingOutputRequest {
    let payload = bytes_of::request("", payload);
    StreamingOutputRequest { parts: vec![part(size)], payload, echo_status: None }
}

/// The next reply, which is to have this size.
async fn next(replies: &mut Receiver<StreamingOutputReply>, size: u32) -> Result<(), Failed> {
    let Some(reply) = replies.message().await? else {
        return Err(Failed::Wrong(format!("the stream ended before a reply of {size} bytes")));
    };
    let expected: Bytes = bytes_of::reply("", size as usize);
    if reply.payload == expected {
        return Ok(());
    }
    let text = format!("a reply of {size} bytes was to come, not this of {}", reply.payload.len());
    Err(Failed::Wrong(text))
}

/// The end of the stream, which is to come now.
async fn end(replies: &mut Receiver<StreamingOutputReply>) -> Result<(), Failed> {
    match replies.message().await? {
        None => Ok(()),
        Some(_) => Err(Failed::Wrong("there was one reply more than asked for".to_owned())),
    }
}

const REQUEST_SIZES: [usize; 4] = [27_182, 8, 1_828, 45_904];
const REPLY_SIZES: [u32; 4] = [31_415, 9, 2_653, 58_979];

#[cfg(test)]
mod tests {
    use broach_core::Channel;

    use super::*;
    use crate::broach::testing::v1::TestServiceServer;
    use crate::client::case::Case;
    use crate::client::run_case;
    use crate::server::Service;

    #[tokio::test]
    async fn the_cases_pass_within_a_process() {
        for case in [
            Case::ClientStreaming,
            Case::ServerStreaming,
            Case::PingPong,
            Case::EmptyStream,
            Case::CancelAfterBegin,
            Case::CancelAfterFirstResponse,
            Case::CustomMetadata,
            Case::StatusCodeAndMessage,
        ] {
            let service = TestServiceServer::new(Service::for_test());
            let caller = Caller::through(Channel::in_process(service)).await;
            let problem = run_case(case, &caller, 1).await.err();
            let results = caller.finish(problem).await;
            assert!(results.passed(), "{}: {:?}", case.name(), results.problems);
        }
    }
}
