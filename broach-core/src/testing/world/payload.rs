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
    (number(&body[..8]), number(&body[8..16]) as usize)
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

/// What is to happen in a call that streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) token: u64,
    /// How many messages there are of each, if they are a stream.
    pub(super) requests: u64,
    pub(super) replies: u64,
    /// The handler does not wait for all requests.
    pub(super) early: bool,
    /// It ends a stream of replies with a status.
    pub(super) fails: bool,
}

impl Plan {
    pub(super) fn encode(self) -> Vec<u8> {
        let Self { token, requests, replies, early, fails } = self;
        let numbers = [token, requests, replies, u64::from(early), u64::from(fails)];
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    pub(super) fn decode(body: &[u8]) -> Self {
        let numbers: Vec<u64> = body.chunks_exact(8).map(number).collect();
        let [token, requests, replies, early, fails] = numbers[..] else {
            panic!("a plan has five numbers");
        };
        Self { token, requests, replies, early: early == 1, fails: fails == 1 }
    }
}

/// A message of a stream: which call it belongs to, the how manieth it is, and filling.
pub(super) fn item_body(token: u64, item: u64, server: bool, filling: usize) -> Bytes {
    let mut body = token.to_be_bytes().to_vec();
    body.extend_from_slice(&item.to_be_bytes());
    body.push(u8::from(server));
    body.resize(17 + filling, (token + item) as u8);
    body.into()
}

/// The how manieth message of its stream this is; `None` if it is none of this stream, or damaged.
pub(super) fn item_number(token: u64, server: bool, body: &[u8]) -> Option<u64> {
    let item = number(body.get(8..16)?);
    let whole = *body == *item_body(token, item, server, body.len().checked_sub(17)?);
    whole.then_some(item)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("a number has eight bytes"))
}
