//! What a [`Pair`] does with streams, and the records that they are made of.

use bytes::Bytes;

use super::pair::{End, Pair};
use crate::deadline::Time;
use crate::ids::MethodId;
use crate::proto::{Call, CallBytes, Failed, NewCall, StreamKey, Streams, Ticket};
use crate::wire::{Record, RecordKind, put_record_head};

impl Pair {
    /// Makes a call with a stream in it, which sends `records` first.
    pub(super) fn stream(&mut self, streams: Streams, records: Vec<u8>) -> StreamKey {
        self.try_stream(streams, records, None).expect("the call can be made")
    }

    /// The same with a deadline, or in vain.
    pub(super) fn try_stream(
        &mut self,
        streams: Streams,
        records: Vec<u8>,
        deadline: Option<Time>,
    ) -> Result<StreamKey, Failed> {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let (method, made_at) = (MethodId(1), self.now);
        let (flags, yields) = (0, false);
        let call = Call { ticket, method, flags, streams, deadline, made_at, yields };
        let bytes = CallBytes::with_metadata(0, records, Bytes::new());
        let opened = self.client.endpoint.open(self.now, self.server.addr, NewCall { call, bytes });
        opened.map(|session| {
            self.session = Some(session);
            StreamKey::Made { session, ticket }
        })
    }

    /// What the server knows a stream by that has just come.
    pub(super) fn served(&mut self) -> StreamKey {
        StreamKey::Served(self.server.arrived.remove(0).serving)
    }
}

impl End {
    /// Takes the records that have come of a stream, and says so.
    pub(super) fn take_records(&mut self, now: Time, stream: StreamKey) -> Vec<Record> {
        let mut taken = Vec::new();
        self.records.retain(|(key, record)| {
            if *key == stream {
                taken.push(record.clone());
            }
            *key != stream
        });
        let bytes = taken.iter().map(Record::wire_len).sum();
        self.endpoint.consumed(now, stream, bytes);
        if self.large.contains(&stream) {
            self.large.retain(|key| *key != stream);
            self.endpoint.set_awaited(stream);
        }
        taken
    }
}

/// A record.
pub(super) fn record(kind: RecordKind, bytes: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    put_record_head(&mut buffer, kind, bytes.len());
    buffer.extend_from_slice(bytes);
    buffer
}

/// The record that a stream begins with.
pub(super) fn metadata() -> Vec<u8> {
    record(RecordKind::Metadata, b"")
}

/// A message of so many bytes.
pub(super) fn message(bytes: usize) -> Vec<u8> {
    record(RecordKind::Message, &vec![7; bytes])
}
