//! [`Cluster`]: whole nodes that find each other, and the truth about who of them lives.

use std::collections::BTreeMap;
use std::time::Duration;

use broach_core::testing::TraceHash;
use broach_core::{Channel, Instance, MemberState, Node, NodeBuilder};

use tokio::task::AbortHandle;

use crate::broach::testing::v1::ProbeClient;
use crate::{Fate, Load, Note, Notes, Probe, World, eventually, millis, secs};

/// Whole nodes in a world. Each serves a [`Probe`] of its own unless the test starts it otherwise.
#[derive(Debug)]
pub struct Cluster {
    /// Where they live.
    pub world: World,
    /// What they have seen of each other.
    pub notes: Notes,
    /// All that they did, as one number.
    pub trace: TraceHash,
    nodes: BTreeMap<u8, Node>,
    probes: BTreeMap<u8, Probe>,
    lives: BTreeMap<u64, Life>,
    loads: BTreeMap<u8, Vec<AbortHandle>>,
}

/// One life of a node, as it really was.
#[derive(Clone, Copy, Debug)]
struct Life {
    number: u8,
    ended: Option<Duration>,
}

impl Cluster {
    /// Without nodes yet. To be made as soon as the world is.
    pub fn new(world: World) -> Self {
        Self {
            world,
            notes: Notes::new(),
            trace: TraceHash::new(),
            nodes: BTreeMap::new(),
            probes: BTreeMap::new(),
            lives: BTreeMap::new(),
            loads: BTreeMap::new(),
        }
    }

    /// With so many nodes that all know each other, and all that they offer.
    pub async fn of(world: World, nodes: u8) -> Self {
        let mut cluster = Self::new(world);
        for number in 1..=nodes {
            cluster.start(number).await;
        }
        cluster.full().await;
        cluster
    }

    /// A node that joins through the first and the second, and can be told more.
    pub fn builder(&self, number: u8) -> NodeBuilder {
        let builder = self.world.node(number).observe(self.notes.of(number));
        let builder = builder.observe(self.trace.of(&number.to_string()));
        builder.join([World::addr(1), World::addr(2)])
    }

    /// Starts a node that serves a probe: the one that was there in its earlier lives.
    pub async fn start(&mut self, number: u8) {
        let probe = self.probe(number);
        self.start_with(number, self.builder(number).serve(probe.server())).await;
    }

    /// Starts a node as the test wants it.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_with(&mut self, number: u8, builder: NodeBuilder) {
        let node = builder.start().await.expect("the test's settings are good");
        self.lives.insert(node.instance().0, Life { number, ended: None });
        self.nodes.insert(number, node);
    }

    /// The probe of a node, over all its lives.
    pub fn probe(&mut self, number: u8) -> Probe {
        self.probes.entry(number).or_default().clone()
    }

    /// All probes.
    pub fn probes(&self) -> impl Iterator<Item = &Probe> {
        self.probes.values()
    }

    /// How many handlers were started for this token, over all nodes.
    pub fn started_for(&self, token: u64) -> usize {
        self.probes().map(|probe| probe.started_for(token)).sum()
    }

    /// A node that lives.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn node(&self, number: u8) -> &Node {
        self.nodes.get(&number).unwrap_or_else(|| panic!("node {number} lives"))
    }

    /// The numbers of the nodes that live.
    pub fn alive(&self) -> Vec<u8> {
        self.nodes.keys().copied().collect()
    }

    /// A channel to the cluster through this node.
    pub fn channel(&self, number: u8) -> Channel {
        self.node(number).channel()
    }

    /// A client of the probes, through this node.
    pub fn client(&self, number: u8) -> ProbeClient {
        ProbeClient::new(self.channel(number))
    }

    /// Takes a node away, to end it as the test wants. From now on nobody is wrong who calls it
    /// dead.
    ///
    /// # Panics
    ///
    /// If it does not live.
    pub fn take(&mut self, number: u8) -> Node {
        let node = self.nodes.remove(&number).expect("the node lives");
        self.loads.remove(&number).iter().flatten().for_each(AbortHandle::abort);
        if let Some(life) = self.lives.get_mut(&node.instance().0) {
            life.ended = Some(self.world.elapsed());
        }
        node
    }

    /// Ends a node without a word to anybody. Its address is free again afterwards.
    pub async fn crash(&mut self, number: u8) -> Instance {
        let node = self.take(number);
        let instance = node.instance();
        self.world.network.unplug(World::addr(number));
        drop(node);
        tokio::time::sleep(millis(1)).await;
        self.world.network.plug_in(World::addr(number));
        instance
    }

    /// Calls from this node from now on, until the load stops or the node ends.
    pub fn load(&mut self, number: u8, load: &Load, every: Duration) {
        let task = load.begin(self.client(number), every);
        self.loads.entry(number).or_default().push(task);
    }

    /// Whether each node knows each other one, in its present life, as alive, and what it offers;
    /// and nobody else.
    pub fn is_full(&self) -> bool {
        let known = |node: &Node, other: &Node| {
            node.members().get(other.advertised_addr()).is_some_and(|member| {
                member.instance() == Some(other.instance())
                    && member.state() == MemberState::Alive
                    && member.services().is_some()
            })
        };
        self.nodes.values().all(|node| {
            node.members().len() == self.nodes.len()
                && self.nodes.values().all(|other| known(node, other))
        })
    }

    /// Waits until that is so; tells how long it took.
    pub async fn full(&self) -> Duration {
        self.when(|| self.is_full()).await
    }

    /// Waits until something is so; tells how long it took.
    pub async fn when(&self, what: impl Fn() -> bool) -> Duration {
        let begun = self.world.elapsed();
        eventually(what).await;
        self.world.elapsed() - begun
    }

    /// All times that a node called another one dead that lived.
    pub fn false_deaths(&self) -> Vec<Note> {
        let lived = |note: &Note| {
            let life = self.lives.get(&note.peer.instance.0);
            life.is_none_or(|life| life.ended.is_none_or(|ended| note.at < ended))
        };
        let notes = self.notes.all().into_iter();
        notes.filter(|note| note.fate == Fate::Died && lived(note)).collect()
    }

    /// How many lives there have been.
    pub fn lives(&self) -> usize {
        self.lives.len()
    }

    /// All that nodes have seen, for a test that has failed.
    pub fn story(&self) -> String {
        let line = |note: &Note| {
            let who = self.lives.get(&note.peer.instance.0).map(|life| life.number);
            format!("{:>10.3?} {} saw {who:?} {:?}", note.at, note.by, note.fate)
        };
        self.notes.all().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The cluster and its world end, see [`World::end`].
    pub async fn end(self) {
        // What is said again and again on a bad network should not be cut off.
        tokio::time::sleep(secs(1)).await;
        self.world.end(self.nodes).await;
    }
}
