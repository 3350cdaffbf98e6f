//! [`Selection`]: what a call wishes of the node that it goes to.

use std::net::SocketAddr;
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use crate::ids::Instance;
use crate::peer::Peer;
use crate::routing::Member;
use crate::routing::wishes::Wishes;

/// What a call wishes of the node that it goes to: which nodes may be called, and a key by which
/// one of them is chosen.
///
/// A call has the same methods, [`Call::version`](crate::Call::version) and the others; here they
/// are together for a whole channel ([`Channel::select`](crate::Channel::select)) or a layer
/// ([`Request::selection`](crate::Request::selection)).
///
/// ```no_run
/// # fn example(node: broach_core::Node) {
/// use broach_core::picker::Selection;
///
/// let new_ones = node.channel().select(Selection::new().version(">=2.0").tag("gpu", "yes"));
/// # }
/// ```
///
/// A node has to fulfil all wishes. What is not known of a node it does not fulfil: of nodes that
/// are named by their addresses nothing is known but that, and a call that asks more of them fails
/// with `FAILED_PRECONDITION`. If no member of a cluster fulfils them the call waits, as for a
/// service that nobody offers, and says at its deadline what there was.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    key: Option<Key>,
    /// Shared by all calls that wish the same.
    wishes: Option<Arc<Wishes>>,
}

/// What stands for the key of a call: SipHash-2-4 of its bytes under a key of zeros, the same in
/// every process, on every machine and in every release.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Key(pub(super) u64);

/// A node, by its address or by which of its lives it is.
///
/// An address stands for whichever life is there, an [`Instance`] for that life wherever it is, a
/// [`Peer`] for that life at that address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NodeId {
    pub(super) addr: Option<SocketAddr>,
    pub(super) instance: Option<Instance>,
}

impl Selection {
    /// No wishes: all nodes that offer what is called may be called.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls with the same key go to the same node, by
    /// [consistent hashing](crate::picker::ConsistentHash) unless the channel has a picker of
    /// another mind. The key says nothing of which nodes may be called.
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(Key::of(key.as_ref()));
        self
    }

    /// Only nodes whose version of the service fulfils this requirement, such as `>=1.0, <2`,
    /// `^1.4` or `~1.4.2`: as Cargo reads them. `1.4` is the same as `^1.4`. A version before a
    /// release, such as `2.0.0-rc.1`, fulfils only requirements that name one of its numbers. A
    /// service without a version fulfils none.
    ///
    /// What is no requirement makes the call fail with `INVALID_ARGUMENT`.
    pub fn version(self, requirement: &str) -> Self {
        self.wish(|wishes| wishes.set_version(requirement))
    }

    /// Only nodes with this value of this tag. There may be several tags; one that was asked for
    /// before is replaced.
    pub fn tag(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wish(|wishes| {
            wishes.tags.insert(name.into(), value.into());
        })
    }

    /// Only nodes of this zone. To prefer a zone and leave it if need be there is
    /// [`ZoneFirst`](crate::picker::ZoneFirst).
    pub fn zone(self, zone: impl Into<String>) -> Self {
        self.wish(|wishes| wishes.zone = Some(zone.into()))
    }

    /// Only nodes of this group.
    pub fn group(self, group: impl Into<String>) -> Self {
        self.wish(|wishes| wishes.group = Some(group.into()))
    }

    /// Only this node, whether or not it is well.
    pub fn node(self, node: impl Into<NodeId>) -> Self {
        self.wish(|wishes| wishes.node = Some(node.into()))
    }

    /// Not this node. There may be several.
    pub fn except(self, node: impl Into<NodeId>) -> Self {
        self.wish(|wishes| {
            let node = node.into();
            if !wishes.except.contains(&node) {
                wishes.except.push(node);
            }
        })
    }

    fn wish(mut self, change: impl FnOnce(&mut Wishes)) -> Self {
        change(Arc::make_mut(self.wishes.get_or_insert_default()));
        self
    }

    /// What is wished here, and of what is not, what is wished there. Tags and exceptions of both
    /// count.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let wishes = match (&self.wishes, &other.wishes) {
            (Some(own), Some(others)) if !Arc::ptr_eq(own, others) => {
                Some(Arc::new(own.or(others)))
            }
            (own, others) => own.as_ref().or(others.as_ref()).cloned(),
        };
        Self { key: self.key.or(other.key), wishes }
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn mistake(&self) -> Option<&str> {
        self.wishes.as_ref()?.mistake.as_deref()
    }

    /// What stands for the key, if there is one.
    pub(crate) const fn key_hash(&self) -> Option<Key> {
        self.key
    }

    /// What is asked of a node; `None` if any will do.
    pub(super) const fn wishes(&self) -> Option<&Arc<Wishes>> {
        self.wishes.as_ref()
    }
}

impl Key {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(SipHasher24::new_with_keys(0, 0).hash(bytes))
    }
}

impl NodeId {
    /// Whoever it is.
    pub(crate) const ANY: Self = Self { addr: None, instance: None };

    /// The address, if it says which.
    pub const fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// The life of a node, if it says which.
    pub const fn instance(&self) -> Option<Instance> {
        self.instance
    }

    /// Whether it is this one.
    pub(super) fn is(&self, member: &Member) -> bool {
        self.addr.is_none_or(|addr| addr == member.addr)
            && self.instance.is_none_or(|instance| member.instance == Some(instance))
    }
}

impl From<SocketAddr> for NodeId {
    fn from(addr: SocketAddr) -> Self {
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        Self { addr: Some(addr), instance: None }
    }
}

impl From<Instance> for NodeId {
    fn from(instance: Instance) -> Self {
        Self { addr: None, instance: Some(instance) }
    }
}

impl From<Peer> for NodeId {
    fn from(peer: Peer) -> Self {
        Self { instance: Some(peer.instance), ..Self::from(peer.addr) }
    }
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.addr, self.instance) {
            (Some(addr), Some(instance)) => write!(f, "{addr} (instance {instance})"),
            (Some(addr), None) => write!(f, "{addr}"),
            (None, Some(instance)) => write!(f, "instance {instance}"),
            (None, None) => f.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_the_same_number_for_ever() {
        // The first of the test vectors of SipHash-2-4 have another key; these are our own.
        assert_eq!(Key::of(b"").0, 0x1e92_4b9d_7377_00d7);
        assert_ne!(Key::of(b"ada"), Key::of(b"bob"));
    }

    #[test]
    fn what_a_call_wishes_goes_before_what_its_channel_does() {
        let channel = Selection::new().key("k").zone("a").tag("x", "1").tag("y", "1");
        let call = Selection::new().zone("b").tag("x", "2");
        let both = call.or(&channel);
        assert_eq!(both.key_hash(), Some(Key::of(b"k")));
        let wishes = both.wishes().unwrap();
        assert_eq!(wishes.zone.as_deref(), Some("b"));
        let tags: Vec<_> = wishes.tags.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(tags, [("x", "2"), ("y", "1")]);
        let none = Selection::new();
        assert!(none.or(&none).wishes().is_none());
        assert!(none.or(&channel).wishes().is_some() && channel.or(&none).wishes().is_some());
    }

    #[test]
    fn what_is_no_requirement_is_said() {
        assert_eq!(Selection::new().version(">=1.0, <2").mistake(), None);
        assert_eq!(
            Selection::new().version(">=1.0 <2").version("2").mistake(),
            Some(
                "the version requirement \">=1.0 <2\" does not read like \">=1.0, <2\" or \
                 \"^1.4\": expected comma after minor version number, found '<'"
            )
        );
    }
}
