//! The bytes of requests and replies in a simulation: with numbers of the application's own in
//! them, so that a mistake in the framework's numbering cannot hide.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::rng::Rng;

/// A number from a range, every magnitude as likely as every other.
pub(super) fn magnitude(rng: &mut Rng, range: &RangeInclusive<usize>) -> usize {
    let (low, high) = (*range.start() as f64 + 1.0, *range.end() as f64 + 1.0);
    let drawn = low * (high / low).powf(rng.fraction());
    (drawn as usize - 1).clamp(*range.start(), *range.end())
}

/// A request: its token, how long a reply it wants, and filling.
pub(super) fn request_body(token: u64, filling: usize, reply: usize) -> Bytes {
    let mut body = token.to_be_bytes().to_vec();
    body.extend_from_slice(&(reply as u64).to_be_bytes());
    body.resize(16 + filling, token as u8);
    body.into()
}

pub(super) fn read_request(body: &[u8]) -> (u64, usize) {
    let number = |at: usize| {
        let bytes = body[at..at + 8].try_into().expect("requests hold two numbers");
        u64::from_be_bytes(bytes)
    };
    (number(0), number(8) as usize)
}

/// The one right reply to a request.
pub(super) fn reply_body(token: u64, len: usize) -> Bytes {
    let mut body = (!token).to_be_bytes().to_vec();
    body.extend((0..len).map(|at| (token as usize + at) as u8));
    body.into()
}

pub(super) fn is_reply_to(token: u64, body: &[u8]) -> bool {
    8 <= body.len() && *body == *reply_body(token, body.len() - 8)
}
