//! How calls and channels choose among nodes: pickers, and the methods of [`Selection`] where they
//! are used.

use std::sync::Arc;

use crate::client::channel::Inner;
use crate::client::{Call, Channel, ChannelBuilder};
use crate::routing::{NodeId, Picker, Selection};

impl<Req, Rep> Call<Req, Rep> {
    /// Calls with the same key go to the same node, such as those of one user: by
    /// [`ConsistentHash`](crate::picker::ConsistentHash), unless the channel was given another
    /// picker. A number is a key as its bytes: `.key(7_u64.to_be_bytes())`.
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        self.wish(|wished| wished.key(key))
    }

    /// Calls only nodes whose version of the service fulfils this requirement, such as `>=1.0, <2`;
    /// see [`Selection::version`].
    ///
    /// What is no requirement makes the call fail with `INVALID_ARGUMENT`.
    pub fn version(self, requirement: &str) -> Self {
        self.wish(|wished| wished.version(requirement))
    }

    /// Calls only nodes with this value of this tag; see [`NodeBuilder::tag`].
    ///
    /// [`NodeBuilder::tag`]: crate::NodeBuilder::tag
    pub fn tag(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wish(|wished| wished.tag(name, value))
    }

    /// Calls only nodes of this zone; see [`NodeBuilder::zone`]. To prefer a zone and leave it if
    /// need be there is [`ZoneFirst`].
    ///
    /// [`NodeBuilder::zone`]: crate::NodeBuilder::zone
    /// [`ZoneFirst`]: crate::picker::ZoneFirst
    pub fn zone(self, zone: impl Into<String>) -> Self {
        self.wish(|wished| wished.zone(zone))
    }

    /// Calls only nodes of this group; see [`NodeBuilder::group`].
    ///
    /// [`NodeBuilder::group`]: crate::NodeBuilder::group
    pub fn group(self, group: impl Into<String>) -> Self {
        self.wish(|wished| wished.group(group))
    }

    /// Calls this node and no other, whether or not it is well: by its address, or by an
    /// [`Instance`](crate::Instance) or a [`Peer`](crate::Peer) for one life of it only.
    pub fn node(self, node: impl Into<NodeId>) -> Self {
        self.wish(|wished| wished.node(node))
    }

    /// Does not call this node. There may be several.
    pub fn except(self, node: impl Into<NodeId>) -> Self {
        self.wish(|wished| wished.except(node))
    }

    /// Wishes all of this, and nothing of what was wished before.
    pub fn select(self, selection: Selection) -> Self {
        self.wish(|_| selection)
    }

    fn wish(self, change: impl FnOnce(Selection) -> Selection) -> Self {
        self.set(|options| options.selection = change(std::mem::take(&mut options.selection)))
    }
}

impl Channel {
    /// The same channel with another way of choosing among several nodes: it shares everything else
    /// with this one, layers included. A picker that is given later takes the place of this one.
    ///
    /// A layer that answers itself, or calls elsewhere, chooses nobody and so needs no picker; nor
    /// does a channel to one node or to a service in the process.
    #[must_use = "the channel itself stays as it is"]
    pub fn picker(&self, picker: impl Picker) -> Self {
        self.with(|inner| inner.picker = Some(Arc::new(picker)))
    }

    /// The same channel with wishes for the nodes that are called; it shares everything else with
    /// this one, layers included. What a call wishes itself goes before; tags and exceptions of
    /// both count, and so do the wishes that this channel had.
    ///
    /// Like a [picker](Self::picker) it does not matter to a channel that chooses nobody.
    #[must_use = "the channel itself stays as it is"]
    pub fn select(&self, selection: Selection) -> Self {
        self.with(|inner| inner.selection = selection.or(&inner.selection))
    }

    /// The same channel but for what is changed.
    fn with(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = (*self.0).clone();
        change(&mut inner);
        Self(Arc::new(inner))
    }
}

impl ChannelBuilder {
    /// Wishes this of the nodes that are called, unless a call wishes otherwise. Of nodes that are
    /// named by their addresses no more is known than that. Default: nothing.
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }
}
