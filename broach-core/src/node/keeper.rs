//! [`Keeper`]: keeps the directory up to date with what the membership sees and what members offer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use tokio::sync::broadcast;

use crate::advert::schema::{GetAdvertReply, GetAdvertRequest};
use crate::advert::{AdvertHash, AdvertStore, DIRECTORY, Fetch, Fetcher, GET_ADVERT, Output};
use crate::client::cluster;
use crate::code::Code;
use crate::config;
use crate::deadline::Sleep;
use crate::gossip::{Change, Entry, State};
use crate::ids::Instance;
use crate::net::{Handle, Sighting, Sightings};
use crate::node::events::{MemberEvent, event_of};
use crate::observe::Event as Seen;
use crate::peer::Peer;
use crate::routing::{Directory, Member, MemberState, Offers};

/// Makes a directory of what comes in.
///
/// ```text
///   the driver: who is there -----> Keeper -----> the directory, events
///   others: what they offer ---calls--^
/// ```
pub(super) struct Keeper {
    own: Instance,
    handle: Handle,
    sightings: Arc<Sightings>,
    store: Arc<AdvertStore>,
    fetcher: Fetcher,
    fetches: FuturesUnordered<BoxFuture<'static, Fetched>>,
    directory: Arc<Directory>,
    events: broadcast::Sender<MemberEvent>,
    entries: Vec<Entry>,
}

/// How a fetch has ended.
type Fetched = (Fetch, Result<Bytes, Code>);

/// Why the keeper has something to do.
enum Woken {
    Sighting(Option<Sighting>),
    Fetched(Fetched),
    Time,
}

impl Keeper {
    pub(super) fn new(
        own: Instance,
        handle: Handle,
        sightings: Arc<Sightings>,
        store: Arc<AdvertStore>,
        directory: Arc<Directory>,
        events: broadcast::Sender<MemberEvent>,
    ) -> Self {
        let fetcher = Fetcher::new(Arc::clone(&store), handle.shared().fork_rng());
        let (fetches, entries) = (FuturesUnordered::new(), Vec::new());
        Self { own, handle, sightings, store, fetcher, fetches, directory, events, entries }
    }

    /// Goes on until the driver has gone.
    pub(super) async fn run(mut self) {
        loop {
            let now = self.handle.shared().clock.now();
            while let Some(output) = self.fetcher.poll(now) {
                match output {
                    Output::Ask(fetch) => self.fetches.push(ask(self.handle.clone(), fetch)),
                    Output::Full { wanted } => {
                        self.handle.shared().observe.emit(Seen::AdvertsFull { wanted });
                    }
                }
            }
            match self.wait().await {
                Woken::Sighting(Some(sighting)) => self.on_sighting(sighting),
                Woken::Sighting(None) => return,
                Woken::Fetched(fetched) => self.on_fetched(fetched),
                Woken::Time => {}
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let due = self.fetcher.next_timeout();
        let sleep: Sleep = match due {
            Some(due) => self.handle.shared().clock.sleep_until(due),
            None => Box::pin(std::future::pending()),
        };
        let fetches = &mut self.fetches;
        let fetched = async {
            match fetches.next().await {
                Some(fetched) => fetched,
                None => std::future::pending().await,
            }
        };
        let sighting = std::pin::pin!(self.sightings.next());
        // What has been fetched first: it is little, and there may always be a change of members.
        match select(std::pin::pin!(fetched), select(sighting, sleep)).await {
            Either::Left((fetched, _)) => Woken::Fetched(fetched),
            Either::Right((Either::Left((sighting, _)), _)) => Woken::Sighting(sighting),
            Either::Right((Either::Right(((), _)), _)) => Woken::Time,
        }
    }

    fn on_sighting(&mut self, sighting: Sighting) {
        let Sighting { members, changes, heard } = sighting;
        for peer in heard {
            self.directory.on_heard(peer);
        }
        let Some(members) = members else { return };
        self.entries = members;
        let mut wanted: BTreeMap<AdvertHash, Vec<SocketAddr>> = BTreeMap::new();
        let others = self.entries.iter().filter(|entry| entry.peer.instance != self.own);
        // Who is suspected may not answer: only if nobody else has it.
        let (well, suspects): (Vec<_>, Vec<_>) =
            others.partition(|entry| entry.state == State::Alive);
        let hash = |entry: &Entry| AdvertHash(entry.advert.hash);
        for entry in well {
            wanted.entry(hash(entry)).or_default().push(entry.peer.addr);
        }
        let held: BTreeSet<AdvertHash> = wanted.keys().copied().collect();
        for entry in suspects.into_iter().filter(|entry| !held.contains(&hash(entry))) {
            wanted.entry(hash(entry)).or_default().push(entry.peer.addr);
        }
        self.fetcher.set_wanted(self.handle.shared().clock.now(), wanted);
        self.update();
        for change in &changes {
            if let Change::Up { peer, replaces: Some(instance) } = *change {
                self.tell(MemberEvent::Died(Peer { instance, ..peer }));
            }
            if let Some(event) = event_of(change) {
                self.tell(event);
            }
        }
    }

    fn on_fetched(&mut self, fetched: Fetched) {
        let (Fetch { hash, ask: from, .. }, result) = fetched;
        let now = self.handle.shared().clock.now();
        let came = result.is_ok();
        if let Err(refused) = self.fetcher.on_result(now, hash, result) {
            tracing::debug!(%from, %refused, "an advert is not what was asked for");
            self.handle.shared().observe.emit(Seen::AdvertRefused { from });
        } else if came {
            self.update();
            let of = self.entries.iter().filter(|entry| entry.advert.hash == hash.0);
            of.for_each(|entry| self.tell(MemberEvent::Changed(entry.peer)));
        }
    }

    fn update(&self) {
        let members = self.entries.iter().map(|entry| self.member(entry));
        self.directory.update(self.handle.shared().clock.now(), members.collect());
    }

    fn member(&self, entry: &Entry) -> Member {
        let Entry { peer, state, facts, advert } = entry;
        let own = peer.instance == self.own;
        let hash = AdvertHash(advert.hash);
        let advert = match own {
            true => self.store.own().map(|own| Arc::clone(own.advert())),
            false if hash == AdvertHash::NONE => Some(Arc::default()),
            false => self.fetcher.get(hash),
        };
        Member {
            addr: peer.addr,
            instance: Some(peer.instance),
            state: match state {
                State::Suspect => MemberState::Suspect,
                _ => MemberState::Alive,
            },
            draining: facts.draining,
            weight: facts.weight,
            zone: facts.zone.clone(),
            offers: advert.map_or(Offers::Unknown, Offers::Only),
            own,
        }
    }

    fn tell(&self, event: MemberEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

/// Asks a member for an advert.
fn ask(handle: Handle, fetch: Fetch) -> BoxFuture<'static, Fetched> {
    let config = config::Client { timeout: fetch.timeout, ..config::Client::default() };
    let channel = cluster(handle, Directory::list([fetch.ask]), None, config, "directory");
    let request = GetAdvertRequest { hash: fetch.hash.0 };
    let call = channel.unary(&DIRECTORY.methods[GET_ADVERT], request);
    Box::pin(async move {
        let result = call.await.map(|reply: GetAdvertReply| reply.advert);
        (fetch, result.map_err(|status| status.code()))
    })
}
