//! Looking for others: the seeds, and what to say if nobody answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join;

use crate::net::{Handle, Resolver, Seeds, Update};
use crate::observe::Event;
use crate::routing::Directory;

/// Keeps the membership supplied with the addresses of the seeds, and says what is wrong with
/// them, for as long as it is polled.
pub(super) async fn look(seeds: Seeds, own: SocketAddr, handle: Handle, directory: Arc<Directory>) {
    let known = Mutex::new(Vec::new());
    let shared = handle.shared();
    let resolving = seeds.run(
        Arc::clone(&shared.clock),
        Resolver,
        |addrs| {
            let others = addrs.iter().copied().filter(|&addr| addr != own).collect();
            *known.lock().unwrap_or_else(PoisonError::into_inner) = others;
            handle.update(Update::Seeds(addrs));
        },
        |seed, problem| {
            shared.observe.emit(Event::SeedUnusable { seed, problem });
            directory.say(format!("the seed {seed:?} cannot be used: {problem}"));
        },
    );
    let watching = async {
        let mut wait = FIRST;
        loop {
            shared.clock.sleep_until(shared.clock.now() + wait).await;
            wait = AGAIN;
            let seeds = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let alone = directory.snapshot().iter().all(|member| member.is_self());
            if alone && !seeds.is_empty() {
                shared.observe.emit(Event::NobodyAnswers { seeds: &seeds });
            }
        }
    };
    join(resolving, watching).await;
}

/// When it is first said that no seed answers, and how often then. The first node of a cluster that
/// is being set up has to wait for the others a little.
const FIRST: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(60);
