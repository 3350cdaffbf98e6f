//! [`StatsFile`]: the counters of a node, as one JSON object in a file that is always whole.

use std::collections::BTreeMap;
use std::path::PathBuf;

use broach_core::observe::{Counters, Errnos, Held};
use broach_core::{Channel, Code};
use nix::errno::Errno;
use serde_json::{Map, Value, json};

use crate::lines::FileError;
use crate::server::members::View;

/// Where the counters are put.
#[derive(Debug)]
pub(crate) struct StatsFile {
    path: PathBuf,
    /// It takes the place of the other one once it is whole.
    next: PathBuf,
}

impl StatsFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        let mut next = path.clone().into_os_string();
        next.push(".next");
        Self { path, next: next.into() }
    }

    /// Replaces what is there.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; the one that is there stays as it is.
    pub(crate) fn write(&self, channel: &Channel, view: &View) -> Result<(), FileError> {
        let line = format!("{}\n", object(&read(channel), channel.held(), view));
        std::fs::write(&self.next, line)
            .and_then(|()| std::fs::rename(&self.next, &self.path))
            .map_err(|error| FileError::new(&self.path, error))
    }
}

/// The counters at a moment at which no datagram is half counted.
fn read(channel: &Channel) -> Counters {
    let mut counters = channel.counters();
    for _ in 0..READS_MAX {
        if counters.datagrams_add_up() {
            break;
        }
        std::thread::yield_now();
        counters = channel.counters();
    }
    counters
}

fn object(counters: &Counters, held: Held, view: &View) -> Value {
    let mut all = Map::new();
    all.insert("datagrams_in".into(), counters.datagrams_received.into());
    all.insert("accepted".into(), counters.datagrams_accepted.into());
    for (reason, count) in &counters.datagrams_dropped {
        all.insert(format!("dropped_{reason}"), (*count).into());
    }
    put_errnos(&mut all, "send_errno", &counters.send_errors);
    put_errnos(&mut all, "recv_errno", &counters.receive_errors);
    put_calls(&mut all, counters);
    all.insert("bytes_held_incoming".into(), held.incoming_bytes.into());
    all.insert("bytes_held_replies".into(), held.reply_bytes.into());
    let members = view.members().map(|(addr, instance, state)| {
        json!({
            "addr": addr.to_string(),
            "instance": instance.to_string(),
            "state": state.to_string(),
        })
    });
    all.insert("members".into(), members.collect());
    all.into()
}

fn put_errnos(all: &mut Map<String, Value>, kind: &str, errnos: &Errnos) {
    for (&number, &count) in errnos {
        let name = match Errno::from_raw(number) {
            Errno::UnknownErrno => number.to_string(),
            errno => format!("{errno:?}"),
        };
        all.insert(format!("{kind}_{name}"), count.into());
    }
}

/// The calls that came in: those whose handlers were started, and those that were refused.
fn put_calls(all: &mut Map<String, Value>, counters: &Counters) {
    let refused: u64 = counters.calls_refused.values().sum();
    all.insert("calls_started".into(), (counters.handlers_started + refused).into());
    let mut ended: BTreeMap<Code, u64> = counters.handlers_ended.clone();
    for (&code, &count) in &counters.calls_refused {
        *ended.entry(code).or_default() += count;
    }
    for (code, count) in ended {
        all.insert(format!("calls_ended_{code}"), count.into());
    }
    all.insert("calls_in_flight".into(), counters.handlers_running().into());
}

/// A datagram is half counted for some microseconds only.
const READS_MAX: usize = 1000;
