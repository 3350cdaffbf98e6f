//! Datagrams that are damaged or forged, to a node and to a caller with a call under way: each is
//! counted under its reason, and the call ends as if there had been none.

use broach_core::observe::DropReason;
use broach_tests::broach::testing::v1::ProbeClient;
use broach_tests::broach::wire::v1 as wire;
use broach_tests::forge::{
    self, DATA, Forged, GOSSIP, HEADER, INIT, Init, RESET, RETRY, VERSIONS, seal,
};
use broach_tests::requests::{echo, good_call};
use broach_tests::{Tap, World, millis, secs};

use crate::live::{Live, Real};

#[tokio::test(start_paused = true)]
async fn every_prefix_of_a_datagram_is_dropped_and_counted() {
    let live = Live::new().await;
    let before = live.sent();
    let mut expected = [[0; 2]; 2];
    for real in live.real() {
        for len in 1..real.bytes.len() {
            live.inject(real.to, &real.bytes[..len]);
            expected[usize::from(real.to) - 1][usize::from(24 <= len)] += 1;
        }
        tokio::time::sleep(millis(5)).await;
    }
    for node in [1, 2] {
        let watch = live.world.watch(node);
        let dropped = [DropReason::Truncated, DropReason::Checksum].map(|why| watch.dropped(why));
        assert_eq!(dropped, expected[usize::from(node) - 1], "node {node}");
        assert!(1_000 < dropped[1] && dropped[0] % 23 == 0);
    }
    assert_eq!(live.sent(), before, "damage gets no answer");
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn every_flipped_bit_of_a_datagram_is_noticed_and_counted() {
    let live = Live::new().await;
    let before = live.sent();
    let real = live.real();
    for Real { to, bytes } in &real {
        for bit in 0..8 * bytes.len() {
            live.inject(*to, &flipped(bytes, bit));
        }
        tokio::time::sleep(millis(5)).await;
    }
    let mut answered = 0;
    for node in [1, 2] {
        let all: Vec<&Vec<u8>> =
            real.iter().filter(|real| real.to == node).map(|real| &real.bytes).collect();
        let count = all.len() as u64;
        let kind_bits = |kind: u8| (0..4).filter(|bit| GOSSIP < (kind ^ 1 << bit)).count() as u64;
        let types: u64 = all.iter().map(|bytes| kind_bits(bytes[1] >> 4)).sum();
        let bits: u64 = all.iter().map(|bytes| 8 * bytes.len() as u64).sum();
        // Callers' first datagrams of another version are answered, whatever else is wrong.
        let full = all.iter().filter(|bytes| bytes[1] >> 4 == INIT && 1199 <= bytes.len());
        answered += 4 * full.count() as u64;
        let watch = live.world.watch(node);
        for (reason, expected) in [
            (DropReason::Magic, 4 * count),
            (DropReason::Version, 4 * count),
            (DropReason::Key, 8 * count),
            (DropReason::Type, types),
            (DropReason::Checksum, bits - 16 * count - types),
        ] {
            assert_eq!(watch.dropped(reason), expected, "{reason} at node {node}");
        }
    }
    assert!(8 <= answered, "without a token and with one: {answered}");
    assert_eq!(live.sent(), [before[0] + answered, before[1]]);
    assert_eq!(live.world.watch(2).dropped(DropReason::Stray), answered, "it did not ask");
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_stranger_makes_of_datagrams_it_has_seen_does_no_harm() {
    let live = Live::new().await;
    let started = live.probe.started();
    let stranger = Tap::new(live.world.socket(66));
    for Real { to, bytes } in live.real() {
        for bit in 0..8 * (bytes.len() - 4) {
            let mut forged = flipped(&bytes, bit);
            seal(&mut forged);
            stranger.inject(World::addr(to), &forged);
        }
        tokio::time::sleep(millis(5)).await;
    }
    assert_eq!(live.probe.started(), started, "no handler was started");
    for node in [1, 2] {
        let counters = live.world.watch(node).counters();
        assert!(counters.datagrams_add_up() && 5_000 < counters.datagrams_received, "{counters:?}");
    }
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_on_the_way_can_end_calls_and_nothing_else() {
    let live = Live::new().await;
    for Real { to, bytes } in live.real() {
        for bit in 0..8 * (bytes.len() - 4).min(200) {
            let mut forged = flipped(&bytes, bit);
            seal(&mut forged);
            live.inject(to, &forged);
            if bit % 50 == 0 {
                // What comes of it cannot be said, but there is an end.
                let call = ProbeClient::new(live.channel.clone()).echo(echo(5));
                let _ = call.timeout(secs(1)).await;
            }
        }
    }
    live.probe.release(1);
    let Live { world, probe, node, channel, under_way, .. } = live;
    let _ = under_way.await.unwrap();
    assert_eq!(probe.started_for(77), 1);
    // What this caller was told of limits may have been forged; another one hears the truth.
    let other = world.channel(3, 1).await;
    good_call(&other).await;
    world.end((node, channel, other)).await;
}

#[tokio::test(start_paused = true)]
async fn random_bytes_are_dropped_and_counted() {
    let live = Live::new().await;
    let before = live.sent();
    let stranger = Tap::new(live.world.socket(66));
    // A generator of Lehmer's is random enough for this.
    let mut state = 0x1234_5678_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    let (mut count, mut ours) = (0, 0);
    for round in 0..4_000 {
        let mut bytes: Vec<u8> = (0..1 + next() % 1_400).map(|_| next() as u8).collect();
        if round % 2 == 0 && 24 <= bytes.len() {
            // It looks like ours, and the checksum is right.
            bytes[..4].copy_from_slice(&[0xb1, (next() % 3) as u8 * 16, 0, 0]);
            seal(&mut bytes);
            ours += 1;
        }
        for node in [1, 2] {
            match round % 4 {
                0 | 1 => stranger.inject(World::addr(node), &bytes),
                _ => live.inject(node, &bytes),
            }
        }
        count += 1;
        if round % 100 == 0 {
            tokio::time::sleep(millis(5)).await;
        }
    }
    tokio::time::sleep(millis(10)).await;
    for node in [1, 2] {
        let counters = live.world.watch(node).counters();
        let dropped: u64 = counters.datagrams_dropped.values().sum();
        assert!(counters.datagrams_add_up() && count <= dropped, "{counters:?}");
    }
    let answers = live.sent()[0] - before[0];
    assert!(answers <= ours, "{answers} answers to what looks like ours, of which were {ours}");
    live.end().await;
}

#[tokio::test(start_paused = true)]
async fn well_made_nonsense_is_dropped_for_the_right_reason() {
    let live = Live::new().await;
    let stranger = Tap::new(live.world.socket(66));
    let nothing = wire::Packet::default();
    let here = live.session_at(1);
    let init = |change: fn(&mut Init)| {
        let mut forged = Forged::init(1_000, &nothing);
        forged.init.as_mut().map(change).unwrap();
        forged.padded()
    };
    let with_body = |kind, body: &[u8]| {
        Forged { body: body.to_vec(), ..Forged::new(kind, here, 900, &nothing) }.bytes()
    };
    let data = |packet: wire::Packet| Forged::new(DATA, here, 901, &packet).bytes();
    let reply = wire::Reply { call: 0, fin: true, ..wire::Reply::default() };
    let far = wire::Request { call: u64::MAX, fin: true, ..wire::Request::default() };
    let cases = [
        (
            "unknown session",
            Forged::new(DATA, 0x99, 0, &nothing).bytes(),
            DropReason::UnknownSession,
        ),
        (
            "another key",
            Forged { key: 7, ..Forged::new(DATA, here, 0, &nothing) }.bytes(),
            DropReason::Key,
        ),
        ("no such type", Forged::new(9, here, 0, &nothing).bytes(), DropReason::Type),
        ("gossip of no cluster", Forged::new(GOSSIP, 77, 0, &nothing).bytes(), DropReason::Cluster),
        ("no sender's session", init(|init| init.from = 0), DropReason::Malformed),
        ("no sender's life", init(|init| init.instance = 0), DropReason::Malformed),
        ("too long a token", init(|init| init.token = vec![1; 49]), DropReason::Malformed),
        ("a token of nobody", init(|init| init.token = vec![1; 24]), DropReason::Token),
        ("another life", init(|init| init.meant = 5), DropReason::Instance),
        ("another cluster", init(|init| init.cluster = forge::hash("other")), DropReason::Cluster),
        ("a token cut short", cut_in_the_token(&init(|_| {})), DropReason::Truncated),
        ("no frames", with_body(DATA, &[0xff; 11]), DropReason::Malformed),
        ("frames cut short", with_body(DATA, b"\x12\x0a\x08"), DropReason::Malformed),
        (
            "a reply to a server",
            data(wire::Packet { replies: vec![reply], ..nothing.clone() }),
            DropReason::Malformed,
        ),
        (
            "a call too far ahead",
            data(wire::Packet { requests: vec![far], ..nothing.clone() }),
            DropReason::Malformed,
        ),
        ("a RETRY that is none", with_body(RETRY, &[0xff; 11]), DropReason::Malformed),
        ("a RETRY without a token", with_body(RETRY, b""), DropReason::Malformed),
        ("a RESET that is none", with_body(RESET, &[0xff; 11]), DropReason::Malformed),
        ("VERSIONS that are none", with_body(VERSIONS, &[0xff; 11]), DropReason::Malformed),
        ("VERSIONS unasked", with_body(VERSIONS, b"\x0a\x01\x02"), DropReason::Stray),
        ("the same again", live.client.sent().last().unwrap().clone(), DropReason::Duplicate),
    ];
    let watch = live.world.watch(1);
    for (what, bytes, reason) in cases {
        let (before, all) = (watch.dropped(reason), watch.counters());
        // Those that belong to the session from its own address, the others from anywhere.
        match bytes[4..12] == here.to_be_bytes() {
            true => live.inject(1, &bytes),
            false => stranger.inject(World::addr(1), &bytes),
        }
        tokio::time::sleep(millis(5)).await;
        let now = watch.counters();
        assert_eq!(now.datagrams_received, all.datagrams_received + 1, "{what}");
        assert_eq!(watch.dropped(reason), before + 1, "{what}: {:?}", now.datagrams_dropped);
    }
    // A caller takes no requests in its own session.
    let request = wire::Packet { requests: vec![wire::Request::default()], ..nothing };
    live.inject(2, &Forged::new(DATA, live.session_at(2), 900, &request).bytes());
    tokio::time::sleep(millis(5)).await;
    assert_eq!(live.world.watch(2).dropped(DropReason::Malformed), 1);
    live.end().await;
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// An INIT that ends before its token does.
fn cut_in_the_token(init: &[u8]) -> Vec<u8> {
    let mut bytes = init[..HEADER + 4 * 8 + 1].to_vec();
    *bytes.last_mut().unwrap() = 24;
    bytes.extend([0; 10 + forge::TRAILER]);
    seal(&mut bytes);
    bytes
}
