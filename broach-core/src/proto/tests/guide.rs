//! The pages of the guide on the wire and on credit say what the code does: the numbers are the
//! same.

use std::fmt::Display;
use std::time::Duration;

use crate::config::{DATAGRAM_BYTES_MAX, Transport};
use crate::method::hash64;
use crate::proto::credit::session_pool;
use crate::proto::incoming_stream::call_bytes_max;
use crate::proto::pool::{Pool, Purpose};
use crate::proto::{
    assemble, budget, grants, limiter, link, path, path_mtu, pool, queue, received, seen, sent,
    stateless, unasked,
};
use crate::wire::{
    BASE_DATAGRAM_BYTES, HEADER_BYTES, Kind, MAGIC, Open, RecordKind, TOKEN_BYTES_MAX,
    TRAILER_BYTES, VERSION,
};

#[test]
fn datagrams_look_as_the_guide_says() {
    says(format_args!("The wire format, version {VERSION}."));
    says(format_args!("byte 0 .. {} header", HEADER_BYTES - 1));
    says(format_args!("last {TRAILER_BYTES} CRC32C"));
    says(format_args!("high 4 bits: `{MAGIC:#x}`; low 4 bits: the version, {VERSION}"));
    says(format_args!("fewer than {} bytes", HEADER_BYTES + TRAILER_BYTES));
    says(format_args!("length of the token, at most {TOKEN_BYTES_MAX}"));
    says(format_args!("at most {DATAGRAM_BYTES_MAX} bytes, and {BASE_DATAGRAM_BYTES} unless"));
    let less = BASE_DATAGRAM_BYTES - 1;
    says(format_args!("the field `padding` to {less} or {BASE_DATAGRAM_BYTES} bytes"));
    says(format_args!("a client's INIT has at least {less} bytes"));
    for kind in [Kind::Data, Kind::Init, Kind::Retry, Kind::Reset, Kind::Versions, Kind::Gossip] {
        let name = format!("{kind:?}").to_uppercase();
        says(format_args!("| {} | {name} |", kind as u8));
    }
    says("the first 8 bytes of the SHA-256 of its name, which is `default`");
    // As `printf default | sha256sum` has it.
    assert_eq!(hash64("default"), 0x37a8_eec1_ce19_687d);
}

#[test]
fn calls_look_as_the_guide_says() {
    for (kind, bytes) in [
        (RecordKind::Message, "a message of the method's type"),
        (RecordKind::Metadata, "`Metadata`; at most one"),
        (RecordKind::Status, "`Status`; in replies only"),
    ] {
        says(format_args!("| {} | {bytes}", kind as u8));
    }
    says(format_args!("keeps apart all numbers up to {} above", seen::WINDOW));
    // What the schema says of flags.
    let schema = include_str!("../../../../proto/broach/wire/v1/wire.proto");
    assert_eq!((Open::IDEMPOTENT, Open::RETRY), (1 << 0, 1 << 1));
    let flags = "Bit 0: the call may run more than once. Bit 1: it is another try of a call";
    assert!(schema.contains(flags));
    assert_eq!((Open::STREAMS_REQUESTS, Open::STREAMS_REPLIES), (1 << 2, 1 << 3));
    says("a stream, as bits 2 and 3 of the Open's flags say,");
}

#[test]
fn credit_is_given_as_the_guide_says() {
    let (least, most) = (budget::ALLOWANCE_MIN, budget::ALLOWANCE_MAX);
    says(format_args!("before a Hello has come they are {most}, and there are never more"));
    says(format_args!("and {} before it has come; one may go out", unasked::UNTOLD_MAX));
    says(format_args!("Calls of at most {} bytes do not count", queue::SMALL_BYTES));
    says(format_args!("beyond {most} ends the session"));
    says(format_args!("from {least} to {most} bytes"));
    let kib = |bytes: u64| format!("{} KiB", bytes >> 10);
    says(format_args!("{} at least and {} MiB at most", kib(budget::INCOMING_MIN), 4));
    assert_eq!(budget::INCOMING_MAX, 4 << 20);
    says(format_args!("round-trip time of more than {}", short(grants::SHORT_RTT)));
    says(format_args!("not used for {} does not count", short(grants::STALLED_AFTER)));
    assert_eq!((grants::AT_ONCE, grants::OLDEST_EVERY, pool::PASSED_MAX), (8, 16, 16));
    says(format_args!(
        "up to {}. For a record",
        kib(Transport::default().stream_window_bytes as u64)
    ));
}

#[test]
fn memory_is_set_aside_as_the_guide_says() {
    let page = include_str!("../../guide/credit.rs");
    let says = |text: std::fmt::Arguments<'_>| page_says("credit", page, text);
    let (kib, mib) = (|bytes: usize| bytes >> 10, |bytes: usize| bytes >> 20);
    let config = Transport::default();
    let (session, node) = (config.reassembly_bytes_per_session_max, config.reassembly_bytes_max);
    says(format_args!("[`reassembly_bytes_per_session_max`] ({} MiB)", mib(session)));
    says(format_args!("[`reassembly_bytes_max`] ({} MiB)", mib(node)));
    says(format_args!("[`stream_window_bytes`] ({} KiB)", kib(config.stream_window_bytes)));
    says(format_args!("[`stream_send_bytes`] ({} KiB)", kib(config.stream_send_bytes)));
    says(format_args!("[`reply_bytes_max`] ({} MiB), {}", mib(config.reply_bytes_max), 4));
    says(format_args!("[`idle_server`] ({})", short(config.idle_server)));
    assert_eq!(budget::REPLY_BYTES, 4 << 10);
    let (least, most) = (budget::ALLOWANCE_MIN, budget::ALLOWANCE_MAX);
    says(format_args!("from {least} to {most} bytes for each call"));
    says(format_args!("and {} MiB at most", mib(budget::UNFINISHED_MAX)));
    let (buffer, most) = (budget::INCOMING_MIN >> 10, budget::INCOMING_MAX >> 20);
    says(format_args!("{buffer} KiB at least and {most} MiB at most"));
    says(format_args!("time above {} count", short(grants::SHORT_RTT)));
    says(format_args!("no use is made for {} does", short(grants::STALLED_AFTER)));
    says(format_args!("at most {} at a time", grants::AT_ONCE));
    says(format_args!("One grant in {} goes to the oldest", grants::OLDEST_EVERY));
    says(format_args!("lets {} younger ones pass", pool::PASSED_MAX));
    says(format_args!("every {}th turn is for the oldest", queue::OLDEST_EVERY));
    // How much there is for each kind of bytes.
    let pool = session_pool(&config);
    let streams = most_of(&pool, Purpose::Stream);
    assert_eq!((streams + (1 << 19)) >> 20, 40);
    says(format_args!("by default {} MiB in a session", 40));
    assert!(config.calls_per_session_max << 15 <= streams);
    says(format_args!("the {} streams that it may have", config.calls_per_session_max));
    let messages = most_of(&pool, Purpose::Message { age: 0 });
    assert_eq!(messages / config.message_bytes_max, 3);
    assert_eq!((messages - streams) / config.message_bytes_max, 1);
    says(format_args!("three of {} MiB have room", mib(config.message_bytes_max)));
    says(format_args!("with its metadata and {} KiB for a status", 64));
    let call = config.message_bytes_max + config.metadata_bytes_max;
    assert_eq!(call_bytes_max(&config) - call, 64 << 10);
    let least = Transport { reassembly_bytes_per_session_max: call + (256 << 10), ..config };
    least.validate().unwrap();
    let streams = kib(most_of(&session_pool(&least), Purpose::Stream));
    says(format_args!(
        "{streams} KiB are for windows, which is {} streams",
        word(streams as u64 / 32)
    ));
}

/// How many bytes can be set aside for one purpose.
fn most_of(pool: &Pool, purpose: Purpose) -> usize {
    let (mut least, mut most) = (0, usize::MAX / 4);
    while least < most {
        let middle = least + (most - least).div_ceil(2);
        if pool.has(purpose, middle) { least = middle } else { most = middle - 1 }
    }
    least
}

#[test]
fn losses_are_found_as_the_guide_says() {
    says(format_args!("{} or more numbers later", word(sent::REORDERING_MIN)));
    says(format_args!("that number doubles, up to {},", sent::REORDERING_MAX));
    says(format_args!("at least {} ms, have passed", link::LOSS_DELAY_MIN.as_millis()));
    says(format_args!("{} datagrams wait for one", word(u64::from(received::UNACKED_MAX))));
    says(format_args!("no more than {} ranges", received::RANGES_MAX));
    let (first, least) = (path::LAN_INITIAL_DATAGRAMS, path::LAN_MIN_DATAGRAMS);
    says(format_args!("begins with {first} datagrams and never falls below {least}"));
    let (first, least) = (path::WAN_INITIAL_DATAGRAMS, path::WAN_MIN_DATAGRAMS);
    says(format_args!("begins with {first} and never falls below {least}"));
    says(format_args!("count here with at most {} bytes", path::COUNTED_BYTES_MAX));
    let sizes = path_mtu::LADDER.map(|size| size.to_string());
    let [sizes @ .., last, _loopback] = &sizes;
    says(format_args!("the sizes {} and {last} are tried", sizes.join(", ")));
    says(format_args!("{} times each", word(path_mtu::PROBES_MAX.into())));
    says(format_args!("again after {} minutes", path_mtu::SETTLED.as_secs() / 60));
    let (holes, pause) = (word(path_mtu::HOLES_MAX.into()), path_mtu::BLACK_HOLE.as_secs());
    says(format_args!("lost {holes} times"));
    says(format_args!("for {pause} s at least"));
    assert_eq!(stateless::AMPLIFICATION_MAX as u64, assemble::AMPLIFICATION_MAX);
    let three = word(assemble::AMPLIFICATION_MAX);
    says(format_args!("sends at most {three} bytes for each that it got"));
    says(format_args!("They are at most {three} times as large"));
    let (rate, burst) = (limiter::PER_SECOND, limiter::BURST);
    says(format_args!("at most {rate} of them per second, after a burst of {burst}"));
}

#[test]
fn times_are_those_that_the_guide_says() {
    let Transport {
        token_lifetime,
        max_ack_delay,
        initial_rtt,
        probe_timeout_min,
        probe_timeout_max,
        dead_after,
        keep_alive,
        idle_client,
        idle_server,
        ..
    } = Transport::default();
    says(format_args!("`max_ack_delay` ({};", short(max_ack_delay)));
    says(format_args!("The first round-trip time is taken to be {}.", short(initial_rtt)));
    let (least, most) = (short(probe_timeout_min), short(probe_timeout_max));
    says(format_args!("at least {least}, doubled each time up to {most}"));
    says(format_args!("{} minutes ago", word(token_lifetime.as_secs() / 60)));
    says(format_args!("without calls {} after it was last used", short(idle_client)));
    says(format_args!("The server does after {}.", short(idle_server)));
    says(format_args!("sends a Ping after {} in which", short(keep_alive)));
    says(format_args!("said nothing at all for {} is dead", short(dead_after)));
    let (all, streams) = (short(idle_server), short(dead_after));
    says(format_args!("heard of it for {all}, or for {streams} if there is a stream"));
}

/// The page on the wire says this.
fn says(text: impl Display) {
    page_says("wire", include_str!("../../guide/wire.rs"), text);
}

/// A page says this, whatever its lines and columns.
fn page_says(name: &str, page: &str, text: impl Display) {
    let page = page.lines().map(|line| line.trim_start_matches("//!"));
    let page: Vec<&str> = page.flat_map(str::split_whitespace).collect();
    let page = page.join(" ").replace("**", "");
    let text = text.to_string();
    assert!(page.contains(&text), "guide/{name}.rs does not say: {text}");
}

fn word(number: u64) -> &'static str {
    match number {
        3 => "three",
        10 => "ten",
        _ => panic!("the guide does not say {number} in words"),
    }
}

fn short(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        millis => format!("{millis} ms"),
    }
}
