//! Between requests and replies and the records that stand for them on the wire.

use bytes::Bytes;

use crate::code::Outcome;
use crate::config::SizeLimits;
use crate::exchange::{Body, Reply};
use crate::metadata::Metadata;
use crate::observe::{DropReason, TraceContext};
use crate::proto::CallBytes;
use crate::status::{Detail, Status};
use crate::wire::{
    Record, RecordKind, metadata_from_wire, metadata_to_wire, put_record, put_record_head,
    status_from_wire, status_to_wire,
};

/// What a unary request says, apart from its method and deadline.
#[derive(Debug)]
pub(crate) struct RequestRecords {
    pub(crate) metadata: Metadata,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) message: Bytes,
}

/// The bytes of a call with one message.
pub(crate) fn message_bytes(
    metadata: &Metadata,
    trace: Option<TraceContext>,
    message: Bytes,
) -> CallBytes {
    let Some(wire) = metadata_to_wire(metadata, trace) else { return CallBytes::message(message) };
    let mut head = Vec::new();
    put_record(&mut head, RecordKind::Metadata, &wire);
    put_record_head(&mut head, RecordKind::Message, message.len());
    CallBytes::with_metadata(metadata.bytes(), head, message)
}

/// The bytes of a status. What is more than one of the sides takes is left out, and the text says
/// so: the code and the outcome have to arrive.
pub(crate) fn status_bytes(status: Status, limits: [(SizeLimits, &str); 2]) -> CallBytes {
    CallBytes::status(&fitted(status, limits))
}

/// The record at the end of a stream of replies that has failed; like [`status_bytes`].
pub(crate) fn status_record(status: Status, limits: [(SizeLimits, &str); 2]) -> Vec<u8> {
    let mut record = Vec::new();
    put_record(&mut record, RecordKind::Status, &status_to_wire(&fitted(status, limits)));
    record
}

/// The record that a stream begins with: it is there also if there is nothing to say.
pub(crate) fn metadata_record(metadata: &Metadata, trace: Option<TraceContext>) -> Vec<u8> {
    let mut record = Vec::new();
    let wire = metadata_to_wire(metadata, trace).unwrap_or_default();
    put_record(&mut record, RecordKind::Metadata, &wire);
    record
}

/// Reads what a stream of requests begins with, from the content of its first record.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if it is no metadata, `RESOURCE_EXHAUSTED` if it exceeds this node's limits.
pub(crate) fn read_request_metadata(
    bytes: Bytes,
    limits: SizeLimits,
) -> Result<(Metadata, Option<TraceContext>), Status> {
    let (metadata, trace) = metadata_from_wire(bytes).map_err(|_: DropReason| {
        let text = "the stream of requests does not begin with metadata";
        Status::invalid_argument(text).with_outcome(Outcome::NotExecuted)
    })?;
    match limits.exceeded(0, metadata.bytes(), "the request", "the serving node") {
        Some(text) => Err(Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted)),
        None => Ok((metadata, trace)),
    }
}

/// Reads what a stream of replies begins with, from the content of its first record.
///
/// # Errors
///
/// `INTERNAL` if it is no metadata, `RESOURCE_EXHAUSTED` if it exceeds this node's limits.
pub(crate) fn read_reply_metadata(bytes: Bytes, limits: SizeLimits) -> Result<Metadata, Status> {
    let (metadata, _) = metadata_from_wire(bytes).map_err(|_: DropReason| {
        Status::internal("the stream of replies does not begin with metadata")
    })?;
    match limits.exceeded(0, metadata.bytes(), "the reply", "the caller") {
        Some(text) => Err(Status::resource_exhausted(text)),
        None => Ok(metadata),
    }
}

/// Reads the status that a stream of replies ends with; `INTERNAL` if it is none.
pub(crate) fn read_status(bytes: Bytes) -> Status {
    status_from_wire(bytes).unwrap_or_else(|_: DropReason| {
        Status::internal("the stream of replies ends with a status that does not decode")
    })
}

/// A status that both sides take.
fn fitted(mut status: Status, limits: [(SizeLimits, &str); 2]) -> Status {
    for (limits, whose) in limits {
        let limits = SizeLimits { message: limits.message.max(STATUS_BYTES_MAX), ..limits };
        let detail = |detail: &Detail| detail.type_url.len() + detail.value.len();
        let bytes = status.message().len() + status.details().iter().map(detail).sum::<usize>();
        if let Some(why) = limits.exceeded(bytes, 0, "the status", whose) {
            let text: String = status.message().chars().take(TEXT_CHARS_MAX).collect();
            let text = format!("{text} (cut short: {why})");
            status = status.with_details(Vec::new()).with_message(text);
        }
        if let Some(why) = limits.exceeded(0, status.metadata().bytes(), "the status", whose) {
            let text = format!("{} (without its metadata: {why})", status.message());
            status = status.with_metadata(Metadata::new()).with_message(text);
        }
    }
    status
}

/// A status may have this many bytes where messages may have less.
const STATUS_BYTES_MAX: usize = 32 << 10;

/// What is left of a text that is too long.
const TEXT_CHARS_MAX: usize = 1024;

/// Reads a unary request.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if it is none, `RESOURCE_EXHAUSTED` if it exceeds this node's limits.
pub(crate) fn read_request(mut bytes: Bytes, limits: SizeLimits) -> Result<RequestRecords, Status> {
    let malformed = |_: DropReason| {
        let text = "the request is not made of the records that make a unary call";
        Status::invalid_argument(text).with_outcome(Outcome::NotExecuted)
    };
    let mut record = Record::take(&mut bytes).map_err(malformed)?;
    let (mut metadata, mut trace) = (Metadata::new(), None);
    if record.kind == RecordKind::Metadata {
        (metadata, trace) = metadata_from_wire(record.bytes).map_err(malformed)?;
        record = Record::take(&mut bytes).map_err(malformed)?;
    }
    if record.kind != RecordKind::Message || !bytes.is_empty() {
        return Err(malformed(DropReason::Malformed));
    }
    let exceeded =
        limits.exceeded(record.bytes.len(), metadata.bytes(), "the request", "the serving node");
    if let Some(text) = exceeded {
        return Err(Status::resource_exhausted(text).with_outcome(Outcome::NotExecuted));
    }
    Ok(RequestRecords { metadata, trace, message: record.bytes })
}

/// Reads the reply to a unary request: a reply, or the status that was sent instead.
///
/// # Errors
///
/// The status; `INTERNAL` if it is neither, `RESOURCE_EXHAUSTED` if it exceeds this node's limits.
pub(crate) fn read_reply(mut bytes: Bytes, limits: SizeLimits) -> Result<Reply, Status> {
    let malformed = |_: DropReason| {
        Status::internal("the reply is not made of the records that make a unary call")
    };
    let mut record = Record::take(&mut bytes).map_err(malformed)?;
    let mut metadata = Metadata::new();
    if record.kind == RecordKind::Metadata {
        (metadata, _) = metadata_from_wire(record.bytes).map_err(malformed)?;
        record = Record::take(&mut bytes).map_err(malformed)?;
    }
    match record.kind {
        _ if !bytes.is_empty() => Err(malformed(DropReason::Malformed)),
        RecordKind::Message => {
            let sizes = (record.bytes.len(), metadata.bytes());
            if let Some(text) = limits.exceeded(sizes.0, sizes.1, "the reply", "the caller") {
                return Err(Status::resource_exhausted(text));
            }
            let mut reply = Reply::new(Body::Message(record.bytes));
            reply.metadata = metadata;
            Ok(reply)
        }
        RecordKind::Status => Err(status_from_wire(record.bytes).map_err(malformed)?),
        RecordKind::Metadata => Err(malformed(DropReason::Malformed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SizeLimits = SizeLimits { message: 100, metadata: 1_000 };

    #[test]
    fn a_request_goes_there_and_back() {
        let mut metadata = Metadata::new();
        metadata.insert("k", "v").unwrap();
        let trace = TraceContext { trace_id: 1, span_id: 2, flags: 1 };
        for (metadata, trace) in [(Metadata::new(), None), (metadata, Some(trace))] {
            let bytes = message_bytes(&metadata, trace, Bytes::from_static(b"message"));
            let request = read_request(bytes.joined(), LIMITS).unwrap();
            assert_eq!(request.metadata, metadata);
            assert_eq!(request.trace, trace);
            assert_eq!(request.message, "message");
        }
    }

    #[test]
    fn a_reply_or_a_status_goes_there_and_back() {
        let bytes = message_bytes(&Metadata::new(), None, Bytes::from_static(b"message"));
        let reply = read_reply(bytes.joined(), LIMITS).unwrap();
        assert_eq!(reply.body.as_message().unwrap(), "message");
        let status = Status::not_found("no").with_outcome(Outcome::NotExecuted);
        let back = read_reply(CallBytes::status(&status).joined(), LIMITS).unwrap_err();
        assert_eq!((back.code(), back.outcome()), (crate::Code::NotFound, Outcome::NotExecuted));
    }

    #[test]
    fn of_a_status_that_is_too_large_the_code_and_the_beginning_arrive() {
        let mut metadata = Metadata::new();
        metadata.insert("k", "v".repeat(100)).unwrap();
        let detail =
            |bytes: usize| Detail { type_url: "t/a.B".into(), value: vec![1; bytes].into() };
        let full = Status::not_found("gone").with_metadata(metadata).with_outcome(Outcome::Unknown);
        let less = SizeLimits { message: 4, metadata: 108 };
        for (status, message, details, entries) in [
            (full.clone(), "gone (without its metadata: the status comes with metadata of", 0, 0),
            (full.clone().with_details(vec![detail(5_000)]), "gone (without its metadata:", 1, 0),
            (
                full.clone().with_details(vec![detail(40_000)]).with_metadata(Metadata::new()),
                "gone (cut short: the status has 40009 bytes, and the serving node takes",
                0,
                0,
            ),
            (full.with_message("ü".repeat(20_000)), "üüü", 0, 0),
        ] {
            let bytes = status_bytes(status, [(LIMITS, "the serving node"), (less, "the caller")]);
            let back = read_reply(bytes.joined(), LIMITS).unwrap_err();
            assert_eq!((back.code(), back.outcome()), (crate::Code::NotFound, Outcome::Unknown));
            assert!(back.message().starts_with(message), "{back}");
            assert!(back.message().len() < 4_000);
            assert_eq!((back.details().len(), back.metadata().len()), (details, entries));
        }
    }

    #[test]
    fn what_is_no_unary_call_is_refused() {
        let bytes = message_bytes(&Metadata::new(), None, Bytes::from_static(b"message"));
        let good = bytes.joined();
        for len in 0..good.len() {
            assert!(read_request(good.slice(..len), LIMITS).is_err());
            assert!(read_reply(good.slice(..len), LIMITS).is_err());
        }
        let twice = Bytes::from([&good[..], &good[..]].concat());
        assert!(read_request(twice.clone(), LIMITS).is_err());
        assert!(read_reply(twice, LIMITS).is_err());
    }

    #[test]
    fn too_much_names_the_limit() {
        let mut metadata = Metadata::new();
        metadata.insert("k", "v".repeat(100)).unwrap();
        let bytes = message_bytes(&metadata, None, Bytes::from_static(b"12345")).joined();
        let too_long = SizeLimits { message: 4, ..LIMITS };
        let too_much = SizeLimits { metadata: 50, ..LIMITS };
        for (limits, text) in [
            (too_long, "has 5 bytes, and the serving node takes 4 (transport.message_bytes_max)"),
            (too_much, "metadata of 109 bytes, and the serving node takes 50 (transport.metadata_"),
        ] {
            let status = read_request(bytes.clone(), limits).unwrap_err();
            assert_eq!(status.code(), crate::Code::ResourceExhausted);
            assert_eq!(status.outcome(), Outcome::NotExecuted);
            assert!(status.message().contains(text), "{status}");
            let status = read_reply(bytes.clone(), limits).unwrap_err();
            assert_eq!(status.outcome(), Outcome::Executed);
        }
    }
}
