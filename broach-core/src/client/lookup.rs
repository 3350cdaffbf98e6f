//! [`Targets`]: the nodes that a channel is given, by their addresses and by names that are looked
//! up again and again.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::task::AbortHandle;

use crate::client::ConnectError;
use crate::config::{self, Security};
use crate::deadline::Clock;
use crate::net::{
    AddressError, DNS, Lookup, Target, check_reachable, look_up, parse, resolve_target,
};
use crate::routing::{Directory, Member, Source};

/// The nodes that a channel calls.
pub(crate) struct Targets {
    /// In the order in which they were given.
    entries: Vec<Entry>,
    lookup: Arc<dyn Lookup>,
    clock: Arc<dyn Clock>,
    security: Option<Security>,
}

enum Entry {
    Addr(SocketAddr),
    Name(Name),
}

/// A name and what has come of looking it up.
struct Name {
    text: String,
    /// What it stood for when it last stood for anything.
    found: Vec<SocketAddr>,
    /// What went wrong the last time.
    problem: Option<String>,
}

impl Targets {
    /// Those that the texts stand for. Addresses and plain names are settled now. Names that begin
    /// with `dns://` need not be known yet.
    ///
    /// # Errors
    ///
    /// If a text cannot be used, there is none, or security has to be settled first.
    pub(super) async fn of(
        texts: Vec<String>,
        security: Option<Security>,
        lookup: Arc<dyn Lookup>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConnectError> {
        let mut entries = Vec::new();
        for text in texts {
            entries.push(match text.starts_with(DNS) {
                true => Entry::of_dns(text)?,
                false => Entry::Addr(resolve_target(&text).await?),
            });
        }
        let mut this = Self { entries, lookup, clock, security };
        this.look_up().await;
        let known = this.known();
        if known.is_empty() && !this.has_names() {
            return Err(ConnectError::Empty);
        }
        let missing = known.iter().find(|&&addr| Security::is_missing(security, addr));
        match missing {
            Some(&addr) => Err(ConnectError::Security { addr }),
            None => Ok(this),
        }
    }

    /// All addresses that are known, in order.
    pub(super) fn known(&self) -> Vec<SocketAddr> {
        let addrs = self.entries.iter().flat_map(|entry| match entry {
            Entry::Addr(addr) => std::slice::from_ref(addr),
            Entry::Name(name) => &name.found,
        });
        addrs.copied().collect()
    }

    /// Whether addresses may be added.
    pub(super) fn has_names(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Name(_)))
    }

    pub(super) const fn security(&self) -> Option<Security> {
        self.security
    }

    /// What they are called by people.
    pub(super) fn text(&self) -> String {
        let texts = self.entries.iter().map(|entry| match entry {
            Entry::Addr(addr) => addr.to_string(),
            Entry::Name(name) => name.text.clone(),
        });
        texts.collect::<Vec<_>>().join(",")
    }

    /// A directory of them for a socket that is bound to `local` and calls with these settings, and
    /// what keeps it up to date. To be called in a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the socket cannot send to one of the addresses that were given.
    pub(super) fn directory(
        mut self,
        local: SocketAddr,
        config: &config::Client,
    ) -> Result<(Arc<Directory>, Option<Lookups>), ConnectError> {
        for entry in &self.entries {
            if let Entry::Addr(addr) = entry {
                check_reachable(*addr, local)?;
            }
        }
        if !self.has_names() {
            return Ok((Directory::list(self.known()), None));
        }
        let directory = Directory::with_slow_start(Source::Names, config.slow_start);
        let clock = Arc::clone(&self.clock);
        self.apply(&directory, local);
        let keeps = Arc::clone(&directory);
        let task = tokio::spawn(async move {
            let mut looked_up_at = clock.now();
            loop {
                clock.sleep_until(clock.now() + LOOK_UP_SOON).await;
                let waited = clock.now().since(looked_up_at);
                if LOOK_UP_AGAIN <= waited || keeps.is_out_of_reach() {
                    self.look_up().await;
                    looked_up_at = clock.now();
                    self.apply(&keeps, local);
                }
            }
        });
        Ok((directory, Some(Lookups(task.abort_handle()))))
    }

    /// Looks all names up.
    async fn look_up(&mut self) {
        let Self { entries, lookup, clock, .. } = self;
        let names = entries.iter_mut().filter_map(|entry| match entry {
            Entry::Addr(_) => None,
            Entry::Name(name) => Some(name),
        });
        join_all(names.map(async |name: &mut Name| {
            match look_up(&name.text, &**clock, &**lookup).await {
                Ok(found) => (name.found, name.problem) = (found, None),
                // That the resolver fails says nothing of the nodes.
                Err(problem) => name.problem = Some(problem),
            }
        }))
        .await;
    }

    /// Brings a directory up to date. Of the addresses that names stand for, those that cannot be
    /// called are left out.
    fn apply(&self, directory: &Directory, local: SocketAddr) {
        let (mut members, mut problems) = (Vec::new(), Vec::new());
        for entry in &self.entries {
            let name = match entry {
                Entry::Addr(addr) => {
                    members.push(Member::named(*addr));
                    continue;
                }
                Entry::Name(name) => name,
            };
            problems.extend(name.problem.clone());
            for &addr in &name.found {
                match self.check(addr, local) {
                    Ok(()) => members.push(Member::named(addr)),
                    Err(error) => problems.push(error.to_string()),
                }
            }
        }
        directory.say(problems.join("; "));
        directory.update(self.clock.now(), members);
    }

    /// Whether an address may be called that a name stands for.
    fn check(&self, addr: SocketAddr, local: SocketAddr) -> Result<(), ConnectError> {
        if addr.ip().is_unspecified() || addr.port() == 0 {
            return Err(AddressError::Unspecified { addr }.into());
        }
        if Security::is_missing(self.security, addr) {
            return Err(ConnectError::Security { addr });
        }
        Ok(check_reachable(addr, local)?)
    }
}

impl Entry {
    /// What a text stands for that begins with `dns://`.
    fn of_dns(text: String) -> Result<Self, AddressError> {
        Ok(match parse(&text)? {
            Target::Addr(addr) => Self::Addr(addr),
            Target::Name { .. } => Self::Name(Name { text, found: Vec::new(), problem: None }),
        })
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Targets").field(&self.text()).finish()
    }
}

/// The task that looks names up again. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lookups(AbortHandle);

impl Drop for Lookups {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How often names are looked up again: as long as some node answers, and if none does or none is
/// known.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(30);
const LOOK_UP_SOON: Duration = Duration::from_secs(5);
