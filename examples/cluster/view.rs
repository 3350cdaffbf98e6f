//! [`View`]: what one node sees of the others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::watch;

use crate::said::Said;

/// What a node sees of the others, as far as it has said so.
#[derive(Clone, Debug)]
pub(crate) struct View(watch::Receiver<Seen>);

/// Where the node says so.
#[derive(Debug)]
pub(crate) struct Teller(watch::Sender<Seen>);

#[derive(Debug, Default)]
struct Seen {
    members: usize,
    /// Who died, and when that was said.
    dead: HashMap<SocketAddr, Instant>,
}

impl View {
    /// The view of a node that has said nothing yet.
    pub(crate) fn new() -> (Teller, Self) {
        let (sender, receiver) = watch::channel(Seen::default());
        (Teller(sender), Self(receiver))
    }

    /// How many members it sees.
    pub(crate) fn members(&self) -> usize {
        self.0.borrow().members
    }

    /// Waits until it sees so many members. Returns whether it does; if not, it has ended.
    pub(crate) async fn sees(&mut self, count: usize) -> bool {
        self.0.wait_for(|seen| seen.members == count).await.is_ok()
    }

    /// Waits until it calls the node at this address dead, and says when it did. What it said of
    /// it before `since` does not count. `None` if it has ended.
    pub(crate) async fn calls_dead(&mut self, addr: SocketAddr, since: Instant) -> Option<Instant> {
        let dead = |seen: &Seen| seen.dead.get(&addr).copied().filter(|&at| since <= at);
        let seen = self.0.wait_for(|seen| dead(seen).is_some()).await;
        seen.ok().and_then(|seen| dead(&seen))
    }
}

impl Teller {
    /// The node has said this now.
    pub(crate) fn on_said(&self, said: Said) {
        let now = Instant::now();
        self.0.send_modify(|seen| match said {
            Said::Members(count) => seen.members = count,
            Said::Died(addr) => {
                seen.dead.insert(addr, now);
            }
            // Nothing of the others.
            Said::Ready(_) => {}
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_said_before_does_not_count() {
        let (teller, mut view) = View::new();
        let addr = SocketAddr::from(([127, 0, 0, 1], 1));
        teller.on_said(Said::Died(addr));
        let killed = Instant::now();
        teller.on_said(Said::Members(4));
        assert!(view.sees(4).await);
        drop(teller);
        assert_eq!(view.calls_dead(addr, killed).await, None);
        assert!(!view.sees(5).await);
    }

    #[tokio::test]
    async fn a_death_is_seen_once_it_is_said() {
        let (teller, mut view) = View::new();
        let addr = SocketAddr::from(([127, 0, 0, 1], 1));
        let killed = Instant::now();
        let (seen, ()) = tokio::join!(view.calls_dead(addr, killed), async {
            teller.on_said(Said::Died(addr));
        });
        assert!(seen.is_some_and(|at| killed <= at));
    }
}
