//! The frames of a DATA or INIT datagram, read one by one.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};

use crate::observe::DropReason;
use crate::wire::schema;

/// One frame: one field of the schema's `Packet`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    Ack(schema::Ack),
    Request(schema::Request),
    Reply(schema::Reply),
    Cancel(schema::Cancel),
    Hello(Box<schema::Hello>),
    Close(Box<schema::Close>),
    Ping,
    Credit(schema::Credit),
    Allowance(schema::Allowance),
    Goaway,
}

/// The frames of a datagram's body. Those that this version does not know are passed over.
///
/// The bytes of calls in them are slices of the body, not copies.
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    body: Bytes,
}

impl Frames {
    pub(crate) const fn new(body: Bytes) -> Self {
        Self { body }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if the bytes are no protobuf, or not of the schema's types.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, DropReason> {
        while self.body.has_remaining() {
            let (tag, wire_type) = decode_key(&mut self.body).map_err(malformed)?;
            if !KNOWN.contains(&tag) || wire_type != WireType::LengthDelimited {
                let context = DecodeContext::default();
                skip_field(wire_type, tag, &mut self.body, context).map_err(malformed)?;
                continue;
            }
            let len = decode_varint(&mut self.body).map_err(malformed)?;
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if self.body.remaining() < len {
                return Err(DropReason::Malformed);
            }
            return frame(tag, self.body.split_to(len)).map(Some).map_err(malformed);
        }
        Ok(None)
    }
}

/// The frame in a field of `Packet`.
fn frame(tag: u32, bytes: Bytes) -> Result<Frame, DecodeError> {
    Ok(match tag {
        1 => Frame::Ack(Message::decode(bytes)?),
        2 => Frame::Request(Message::decode(bytes)?),
        3 => Frame::Reply(Message::decode(bytes)?),
        4 => Frame::Cancel(Message::decode(bytes)?),
        5 => Frame::Hello(Box::new(Message::decode(bytes)?)),
        6 => Frame::Close(Box::new(Message::decode(bytes)?)),
        7 => {
            schema::Ping::decode(bytes)?;
            Frame::Ping
        }
        8 => Frame::Credit(Message::decode(bytes)?),
        9 => Frame::Allowance(Message::decode(bytes)?),
        _ => {
            schema::Goaway::decode(bytes)?;
            Frame::Goaway
        }
    })
}

fn malformed(_: DecodeError) -> DropReason {
    DropReason::Malformed
}

/// The fields of `Packet` that are frames.
const KNOWN: std::ops::RangeInclusive<u32> = 1..=10;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: impl Into<Bytes>) -> Result<Vec<Frame>, DropReason> {
        let mut frames = Frames::new(bytes.into());
        let mut all = Vec::new();
        while let Some(frame) = frames.next()? {
            all.push(frame);
        }
        Ok(all)
    }

    #[test]
    fn frames_come_out_as_the_schema_puts_them_in() {
        let packet = schema::Packet {
            ack: Some(schema::Ack {
                largest: 9,
                delay_us: 5,
                below: 3,
                ranges: vec![1, 2],
                ce: 7,
                bare: 8,
            }),
            requests: vec![schema::Request {
                call: 4,
                open: Some(schema::Open { method: 1, timeout_us: 2, flags: 1 }),
                offset: 0,
                fin: true,
                data: Bytes::from_static(b"abc"),
                size: 70,
            }],
            replies: vec![schema::Reply {
                call: 5,
                offset: 10,
                fin: false,
                data: Bytes::from_static(b"d"),
                size: 0,
            }],
            cancels: vec![schema::Cancel { call: 1 }, schema::Cancel { call: 0 }],
            hello: Some(schema::Hello { features: vec![1, 300], ..schema::Hello::default() }),
            close: Some(schema::Close { code: 2, reason: "bye".into(), calls_below: 9 }),
            ping: Some(schema::Ping {}),
            credits: vec![schema::Credit { call: 5, limit: 1 << 40 }],
            allowance: Some(schema::Allowance { bytes: 1, unfinished_bytes: 2 }),
            goaway: Some(schema::Goaway {}),
            padding: Bytes::from_static(&[0; 100]),
        };
        let frames = all(packet.encode_to_vec()).unwrap();
        let expected = [
            Frame::Ack(packet.ack.unwrap()),
            Frame::Request(packet.requests[0].clone()),
            Frame::Reply(packet.replies[0].clone()),
            Frame::Cancel(packet.cancels[0]),
            Frame::Cancel(packet.cancels[1]),
            Frame::Hello(Box::new(packet.hello.unwrap())),
            Frame::Close(Box::new(packet.close.unwrap())),
            Frame::Ping,
            Frame::Credit(packet.credits[0]),
            Frame::Allowance(packet.allowance.unwrap()),
            Frame::Goaway,
        ];
        assert_eq!(frames, expected);
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        // Field 99 as a varint, field 14 as bytes, field 7 (Ping) as a varint, then a real Ping.
        let bytes = [0x98, 0x06, 0x05, 0x72, 0x02, 1, 2, 0x38, 0x01, 0x3a, 0x00];
        assert_eq!(all(bytes.to_vec()).unwrap(), [Frame::Ping]);
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let packet = schema::Packet {
            requests: vec![schema::Request {
                call: 4,
                data: Bytes::from_static(b"abc"),
                ..schema::Request::default()
            }],
            ..schema::Packet::default()
        };
        let bytes = packet.encode_to_vec();
        for len in 1..bytes.len() {
            assert!(all(bytes[..len].to_vec()).is_err(), "{len} bytes");
        }
    }
}
