//! Streams and the sessions that they open and end with.

use super::flow::{BOTH, REPLIES, kinds, open, ticket};
use super::pair::{MS, Pair};
use super::records::{message, metadata};
use crate::code::{Code, Outcome};

#[test]
fn a_stream_opens_a_session_with_one_round_trip_more() {
    let mut pair = Pair::new();
    pair.echoes = false;
    let made = pair.stream(BOTH, [metadata(), message(5_000)].concat());
    pair.client.endpoint.send(made, message(50_000).into(), true);
    pair.drive();
    assert_eq!(pair.server.started, 1, "after a RETRY, and once");
    let served = pair.served();
    assert_eq!(kinds(&mut pair, served).len(), 2);
    pair.server.endpoint.send(served, metadata().into(), true);
    pair.drive();
    assert!(pair.ended(ticket(made)).is_ok());
}

#[test]
fn streams_end_with_their_session() {
    // The server shuts down, or it is another one suddenly.
    for restarts in [false, true] {
        let mut pair = open();
        let made = [pair.stream(BOTH, metadata()), pair.stream(REPLIES, message(1))];
        pair.drive();
        let now = pair.now;
        match restarts {
            true => pair.restart_server(),
            false => pair.server.endpoint.close_all(now),
        }
        pair.client.endpoint.send(made[0], message(10).into(), false);
        pair.advance(2_000 * MS);
        if !restarts {
            assert_eq!(pair.server.stopped.len(), 2);
        }
        for key in made {
            assert_eq!(pair.failed(ticket(key)), (Code::Unavailable, Outcome::Unknown));
            assert_eq!(pair.client.endpoint.room(key), 0);
        }
        assert_eq!(pair.client.endpoint.bytes_held(), (0, 0));
    }
}
