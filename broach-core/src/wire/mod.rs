//! From bytes to frames and back; knows the format and none of its rules.
//!
//! ```text
//!  0         1       2        3    4 .. 11           12 .. 19        20 ..           last 4
//! +---------+-------+--------+----+-----------------+---------------+---------------+--------+
//! | magic   | type  | key id | 0  | session id      | packet number | INIT's part,  | CRC32C |
//! | version | flags |        |    | of the receiver |               | then protobuf |        |
//! +---------+-------+--------+----+-----------------+---------------+---------------+--------+
//! ```
//!
//! `proto/broach/wire/v1/wire.proto` and [`guide::wire`](crate::guide::wire) are the specification.
//! What is sent for every call is encoded by hand, in [`Writer`]; tests hold it to what prost makes
//! of the schema, byte for byte.

mod datagram;
mod frame;
mod header;
mod parts;
mod record;
// The generator writes `pub`; the schema stays inside of the crate all the same.
#[cfg_attr(not(test), allow(dead_code, reason = "tests alone read and write a whole Packet"))]
#[allow(missing_debug_implementations, unnameable_types, unreachable_pub)]
#[rustfmt::skip]
pub(crate) mod schema;
mod writer;

pub(crate) use crate::config::BASE_DATAGRAM_BYTES;
pub(crate) use datagram::{Datagram, KNOCK_BYTES, stateless};
pub(crate) use frame::{Frame, Frames};
pub(crate) use header::{Header, Init, Kind, Token};
#[cfg(test)]
pub(crate) use header::{MAGIC, TOKEN_BYTES_MAX};
pub(crate) use parts::{
    metadata_from_wire, metadata_to_wire, micros, status_from_wire, status_to_wire,
};
pub(crate) use record::{
    RECORD_HEAD_MAX, Record, RecordHead, RecordKind, put_record, put_record_head, record_head,
};
pub(crate) use writer::{AckRange, Marks, Open, Piece, Writer};

/// The version of the wire format that this crate speaks.
pub(crate) const VERSION: u8 = 1;

/// Bytes of the header that every datagram begins with.
pub(crate) const HEADER_BYTES: usize = 20;

/// Bytes of the checksum that every datagram ends with.
pub(crate) const TRAILER_BYTES: usize = 4;
