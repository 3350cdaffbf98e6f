//! Datagrams that should not be: damaged, forged, from strangers.

use std::time::Duration;

use bytes::Bytes;

use super::pair::{End, MS, Pair, Sent, addr};
use crate::code::{Code, Outcome};
use crate::config::Transport;
use crate::ids::{PacketNumber, SessionId};
use crate::observe::{CloseReason, DropReason};
use crate::rng::Rng;
use crate::wire::{AckRange, BASE_DATAGRAM_BYTES, Header, Kind, Marks, Writer, schema, stateless};

fn open() -> Pair {
    let mut pair = Pair::new();
    pair.call(1);
    pair.advance(100 * MS);
    pair
}

fn dropped(end: &End, reason: DropReason) -> u64 {
    end.counters().datagrams_dropped.get(&reason).copied().unwrap_or(0)
}

#[test]
fn no_damage_to_any_datagram_gets_an_answer_or_does_harm() {
    let mut pair = open();
    pair.call(3_000);
    pair.drive();
    let recorded: Vec<Sent> = std::mem::take(&mut pair.sent);
    let mut rng = Rng::from_seed(77);
    let now = pair.now;
    let started = pair.server.started;
    for sent in &recorded {
        for _ in 0..200 {
            let mut bytes = sent.bytes.to_vec();
            match rng.below(4) {
                0 => bytes.truncate(rng.below(bytes.len() as u64) as usize),
                1 => bytes.extend_from_slice(&rng.next_u64().to_be_bytes()),
                2 => {
                    let other = &recorded[rng.below(recorded.len() as u64) as usize].bytes;
                    let cut = rng.below(bytes.len().min(other.len()) as u64) as usize;
                    let spliced = [&bytes[..cut], &other[cut..]].concat();
                    if recorded.iter().any(|sent| sent.bytes == spliced) {
                        continue;
                    }
                    bytes = spliced;
                }
                _ => {
                    let bit = rng.below(8 * bytes.len() as u64) as usize;
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
            let end = if sent.to == pair.server.addr { &mut pair.server } else { &mut pair.client };
            end.receive(now, sent.from, bytes.into());
        }
    }
    pair.drive();
    assert_eq!(pair.sent.len(), 0, "no answer to garbage");
    for end in [&pair.client, &pair.server] {
        assert!(end.counters().datagrams_add_up());
    }
    assert_eq!(pair.server.started, started);
    let call = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(call));
}

#[test]
fn random_bytes_are_counted_and_nothing_else() {
    let mut pair = open();
    pair.sent.clear();
    let mut rng = Rng::from_seed(5);
    let now = pair.now;
    for _ in 0..20_000 {
        let len = rng.below(100) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        // Half of them look like ours at first sight.
        if rng.chance(0.5) && 4 <= len {
            bytes[..4].copy_from_slice(&[0xb1, (rng.below(8) << 4) as u8, 0, 0]);
        } else if let Some(first) = bytes.first_mut() {
            // Not a datagram of another version: that may be answered.
            *first &= 0x7f;
        }
        pair.server.receive(now, addr("10.6.6.6:6"), bytes.into());
    }
    pair.drive();
    assert_eq!(pair.sent.len(), 0);
    assert!(pair.server.counters().datagrams_add_up());
}

#[test]
fn a_stranger_of_another_cluster_is_refused_and_told() {
    let mut pair = Pair::new();
    let (now, here) = (pair.now, pair.client.addr);
    pair.client = End::new(now, here, 100, 2, Transport::default());
    let call = pair.call(10);
    pair.drive();
    assert_eq!(pair.failed(call), (Code::FailedPrecondition, Outcome::NotExecuted));
    let text = pair.ended(call).as_ref().unwrap_err().to_string();
    assert!(text.contains("10.0.0.2:2 belongs to another cluster"), "{text}");
    assert_eq!(dropped(&pair.server, DropReason::Cluster), 1);
    assert_eq!(pair.client.counters().sessions_closed[&CloseReason::Cluster], 1);
}

#[test]
fn a_node_of_another_version_is_told_which_are_spoken_here() {
    let mut pair = Pair::new();
    let call = pair.call(10);
    let now = pair.now;
    let mut first = pair.client.transmit(now)[0].bytes.to_vec();
    first[0] = 0xb2;
    let from = pair.client.addr;
    pair.server.receive(now, from, first.clone().into());
    let answers = pair.server.transmit(now);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].bytes.len() <= 50, "much less than what came in");
    assert_eq!(dropped(&pair.server, DropReason::Version), 1);
    // A small datagram of another version gets nothing.
    first.truncate(BASE_DATAGRAM_BYTES / 2);
    pair.server.receive(now, from, first.into());
    assert!(pair.server.transmit(now).is_empty());
    // And who gets such an answer says which versions are spoken there.
    let own_id = SessionId(u64::from_be_bytes(pair_first_id(&answers[0])));
    let body = schema::Versions { versions: vec![2, 3] };
    let bytes = stateless(Kind::Versions, own_id, PacketNumber(0), &body);
    pair.client.receive(now, pair.server.addr, bytes.into());
    pair.drive();
    assert_eq!(pair.failed(call), (Code::FailedPrecondition, Outcome::NotExecuted));
    let text = pair.ended(call).as_ref().unwrap_err().to_string();
    assert!(text.contains("speaks wire versions 2, 3, and this node speaks 1"), "{text}");
}

fn pair_first_id(answer: &Sent) -> [u8; 8] {
    answer.bytes[4..12].try_into().expect("a header holds an id")
}

#[test]
fn answers_to_questions_that_were_not_asked_are_ignored() {
    let mut pair = open();
    let call = pair.call(10);
    let now = pair.now;
    let server = pair.server.addr;
    let retry = schema::Retry { instance: 9, token: vec![1; 24].into(), ..Default::default() };
    let reset = schema::Reset { instance: 9, dead_for_us: u64::MAX, reason: 1, echo: 0 };
    let versions = schema::Versions { versions: vec![7] };
    for id in [0, 1, u64::MAX].map(SessionId) {
        let forged = [
            stateless(Kind::Retry, id, PacketNumber(0), &retry),
            stateless(Kind::Reset, id, PacketNumber(0), &reset),
            stateless(Kind::Versions, id, PacketNumber(0), &versions),
        ];
        for bytes in forged {
            pair.client.receive(now, server, bytes.into());
        }
    }
    assert_eq!(dropped(&pair.client, DropReason::Stray), 9);
    pair.drive();
    assert!(pair.is_answered(call));
}

#[test]
fn a_reset_from_another_address_is_ignored() {
    let mut pair = open();
    pair.call(10);
    pair.drive();
    let last = pair.sent.iter().rfind(|sent| sent.to == pair.server.addr).unwrap();
    let id = SessionId(u64::from_be_bytes(last.bytes[4..12].try_into().unwrap()));
    let reset = schema::Reset { instance: 9, dead_for_us: u64::MAX, reason: 1, echo: 0 };
    let bytes = Bytes::from(stateless(Kind::Reset, id, PacketNumber(0), &reset));
    let now = pair.now;
    pair.client.receive(now, addr("10.6.6.6:6"), bytes.clone());
    assert_eq!(pair.client.counters().sessions_open(), 1);
    pair.client.receive(now, pair.server.addr, bytes);
    assert_eq!(pair.client.counters().sessions_open(), 0, "from the right one it counts");
}

#[test]
fn a_session_is_tied_to_its_address() {
    let mut pair = open();
    let elsewhere = addr("10.0.0.77:77");
    let call = pair.call(10);
    let now = pair.now;
    let sent = pair.client.transmit(now);
    pair.client.addr = elsewhere;
    let started = pair.server.started;
    pair.server.receive(now, elsewhere, sent[0].bytes.clone());
    pair.drive();
    assert_eq!(pair.server.started, started);
    assert_eq!(dropped(&pair.server, DropReason::Address), 1);
    assert_eq!(pair.failed(call), (Code::Unavailable, Outcome::Unknown));
    let again = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(again), "a new session from the new address");
}

#[test]
fn a_token_is_good_for_one_address() {
    let mut pair = open();
    // The session ends, and the token for another one stays.
    pair.advance(Duration::from_secs(50));
    assert_eq!(pair.client.counters().sessions_open(), 0);
    let (now, elsewhere) = (pair.now, addr("10.0.0.77:77"));
    let home = std::mem::replace(&mut pair.client.addr, elsewhere);
    // A copy of the datagram may be on its way from the old address, and would be taken.
    let started = pair.server.started;
    let refused = pair.call(10);
    let copies = pair.client.transmit(now);
    copies.iter().for_each(|sent| pair.server.receive(now, elsewhere, sent.bytes.clone()));
    pair.drive();
    assert_eq!((pair.server.started, pair.failed(refused).1), (started, Outcome::Unknown));
    for sent in copies {
        pair.server.receive(now, home, sent.bytes);
    }
    pair.drive();
    assert_eq!(pair.server.started, started + 1);
    let again = pair.call(10);
    pair.drive();
    assert!(pair.is_answered(again), "a new session from the new address");
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_ends_the_session() {
    let mut pair = open();
    let last = pair.sent.iter().rfind(|sent| sent.to == pair.server.addr).unwrap();
    let to = SessionId(u64::from_be_bytes(last.bytes[4..12].try_into().unwrap()));
    let mut buffer = Vec::new();
    let header = Header { kind: Kind::Data, ack_now: false, to, number: PacketNumber(1_000) };
    let mut writer = Writer::begin(&mut buffer, 1_200, header, None);
    let never: AckRange = 5_000..6_000;
    assert!(writer.ack(std::iter::once(never), 0, Marks::default()));
    writer.finish();
    let now = pair.now;
    pair.server.receive(now, pair.client.addr, buffer.into());
    pair.drive();
    assert_eq!(pair.server.counters().sessions_closed[&CloseReason::Protocol], 1);
    assert_eq!(pair.client.counters().sessions_closed[&CloseReason::Remote], 1);
}

#[test]
fn an_address_that_has_proved_nothing_gets_three_bytes_for_one() {
    let mut pair = Pair::new();
    pair.echoes = false;
    pair.idempotent_call(10);
    let now = pair.now;
    let init = pair.client.transmit(now).remove(0);
    let victim = addr("192.0.2.1:9");
    pair.server.receive(now, victim, init.bytes.clone());
    let mut out = 0;
    for _ in 0..10_000 {
        pair.server.act_once();
        // The handler answers with all that it can.
        for call in std::mem::take(&mut pair.server.arrived) {
            let large = crate::proto::CallBytes::message(vec![0; 1 << 20].into());
            pair.server.endpoint.reply(call.serving, large);
        }
        out += pair.server.transmit(pair.now).iter().map(|sent| sent.bytes.len()).sum::<usize>();
        pair.now = pair.now + 10 * MS;
        pair.server.endpoint.handle_timeout(pair.now);
    }
    assert!(init.bytes.len() <= out, "it does answer");
    assert!(out <= 3 * init.bytes.len(), "{out} bytes for {}", init.bytes.len());
    assert_eq!(pair.server.endpoint.bytes_held(), (0, 0), "and it is over some time");
}

#[test]
fn two_nodes_that_are_fed_each_others_datagrams_fall_silent() {
    let mut pair = open();
    let now = pair.now;
    // A datagram for no session, as if each had sent it to the other.
    let header = Header {
        kind: Kind::Data,
        ack_now: true,
        to: SessionId(0x1234_5600),
        number: PacketNumber(0),
    };
    let mut buffer = Vec::new();
    let mut writer = Writer::begin(&mut buffer, 1_200, header, None);
    writer.ping();
    writer.finish();
    let bytes = Bytes::from(buffer);
    pair.server.receive(now, pair.client.addr, bytes.clone());
    pair.client.receive(now, pair.server.addr, bytes);
    pair.sent.clear();
    pair.drive();
    assert_eq!(pair.sent.len(), 2, "one answer each, and none to the answers");
}

#[test]
fn gossip_is_counted_where_there_is_no_membership() {
    let mut pair = open();
    let body = schema::Ping {};
    let bytes = stateless(Kind::Gossip, SessionId(1), PacketNumber(0), &body);
    let now = pair.now;
    pair.server.receive(now, pair.client.addr, bytes.into());
    assert_eq!(dropped(&pair.server, DropReason::Gossip), 1);
}

#[test]
fn a_flood_of_questions_is_answered_only_so_often() {
    let mut pair = open();
    let now = pair.now;
    let mut answered = 0;
    for number in 0..100_000_u64 {
        let header = Header {
            kind: Kind::Data,
            ack_now: false,
            to: SessionId(number << 8 | 1 << 40),
            number: PacketNumber(0),
        };
        let mut buffer = Vec::new();
        Writer::begin(&mut buffer, 1_200, header, None).finish();
        pair.server.receive(now, addr("10.6.6.6:6"), buffer.into());
        if number % 100 == 0 {
            answered += pair.server.transmit(now).len();
        }
    }
    assert!((1_000..=10_100).contains(&answered), "{answered}");
    pair.advance(Duration::from_secs(1));
}
