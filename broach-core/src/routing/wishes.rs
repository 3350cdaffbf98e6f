//! [`Wishes`]: which nodes a call may go to, and why none does.

use std::collections::BTreeMap;
use std::fmt::Write;

use semver::VersionReq;

use crate::routing::{Member, NodeId};

/// What a node has to be like.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Wishes {
    version: Option<VersionReq>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) zone: Option<String>,
    pub(super) group: Option<String>,
    pub(super) node: Option<NodeId>,
    pub(super) except: Vec<NodeId>,
    /// The first mistake made in setting them.
    pub(super) mistake: Option<String>,
}

/// One of the things that are wished.
#[derive(Clone, Copy, Debug)]
enum Wish<'a> {
    Node(&'a NodeId),
    Except(&'a [NodeId]),
    Zone(&'a str),
    Group(&'a str),
    Tag(&'a str, &'a str),
    Version(&'a VersionReq),
}

impl Wishes {
    pub(super) fn set_version(&mut self, requirement: &str) {
        match VersionReq::parse(requirement) {
            Ok(parsed) => self.version = Some(parsed),
            Err(error) => {
                let text = format!(
                    "the version requirement {requirement:?} does not read like \">=1.0, <2\" or \
                     \"^1.4\": {error}"
                );
                self.mistake.get_or_insert(text);
            }
        }
    }

    /// See [`Selection::or`](crate::routing::Selection::or).
    pub(super) fn or(&self, other: &Self) -> Self {
        let mut tags = other.tags.clone();
        tags.extend(self.tags.clone());
        let mut except = self.except.clone();
        except.extend(other.except.iter().filter(|node| !self.except.contains(node)));
        Self {
            version: self.version.as_ref().or(other.version.as_ref()).cloned(),
            tags,
            zone: self.zone.as_ref().or(other.zone.as_ref()).cloned(),
            group: self.group.as_ref().or(other.group.as_ref()).cloned(),
            node: self.node.or(other.node),
            except,
            mistake: self.mistake.as_ref().or(other.mistake.as_ref()).cloned(),
        }
    }

    /// Whether a node that offers a service is what is wished.
    pub(super) fn admit(&self, member: &Member, service: &str) -> bool {
        // The first on its own, because it is asked for every node each time.
        self.node.is_none_or(|node| node.is(member))
            && self.all().all(|wish| wish.admits(member, service))
    }

    /// Whether no more than one node can be meant.
    pub(super) const fn is_for_one(&self) -> bool {
        self.node.is_some()
    }

    /// What is asked that only members of a cluster say of themselves, if anything is.
    pub(super) fn of_members(&self) -> Option<&'static str> {
        self.all().find_map(|wish| match wish {
            Wish::Node(NodeId { instance: Some(_), .. }) => Some("which of its lives it is"),
            Wish::Node(_) | Wish::Except(_) => None,
            Wish::Zone(_) => Some("its zone"),
            Wish::Group(_) => Some("its group"),
            Wish::Tag(..) => Some("its tags"),
            Wish::Version(_) => Some("the version of its service"),
        })
    }

    /// Those that have been made, the ones that are told apart most quickly first.
    fn all(&self) -> impl Iterator<Item = Wish<'_>> {
        let except = (!self.except.is_empty()).then_some(Wish::Except(&self.except));
        let node = self.node.as_ref().map(Wish::Node);
        let zone = self.zone.as_deref().map(Wish::Zone);
        let group = self.group.as_deref().map(Wish::Group);
        let version = self.version.as_ref().map(Wish::Version);
        let tags = self.tags.iter().map(|(name, value)| Wish::Tag(name, value));
        [node, except, zone, group, version].into_iter().flatten().chain(tags)
    }

    /// Which of those who offer a service are what is wished, in words: `3 nodes offer it, none at
    /// >=2.0: 1.4.0, 1.4.2, 1.5.0`.
    pub(super) fn explain<'a>(
        &self,
        offering: impl Iterator<Item = &'a Member>,
        service: &str,
    ) -> String {
        let mut left: Vec<&Member> = offering.collect();
        let mut text = match left.len() {
            1 => "1 node offers it".to_owned(),
            count => format!("{count} nodes offer it"),
        };
        for wish in self.all() {
            let fit: Vec<&Member> =
                left.iter().copied().filter(|member| wish.admits(member, service)).collect();
            let count = if fit.is_empty() { "none".to_owned() } else { fit.len().to_string() };
            let _ = write!(text, ", {count} {}", wish.words());
            if fit.is_empty() {
                let _ = write!(text, ": {}", wish.found(&left, service));
                break;
            }
            left = fit;
        }
        text
    }
}

impl Wish<'_> {
    fn admits(self, member: &Member, service: &str) -> bool {
        match self {
            Wish::Node(node) => node.is(member),
            Wish::Except(nodes) => !nodes.iter().any(|node| node.is(member)),
            Wish::Zone(zone) => member.zone() == zone,
            Wish::Group(group) => member.group() == Some(group),
            Wish::Tag(name, value) => member.tag(name) == Some(value),
            Wish::Version(requirement) => {
                member.version(service).is_some_and(|version| requirement.matches(version))
            }
        }
    }

    /// What a node is that is what is wished.
    fn words(self) -> String {
        match self {
            Wish::Node(node) => format!("is {node}"),
            Wish::Except(nodes) if nodes.len() == 1 => format!("other than {}", nodes[0]),
            Wish::Except(nodes) => format!("other than {} that are excepted", nodes.len()),
            Wish::Zone(zone) => format!("in zone {zone:?}"),
            Wish::Group(group) => format!("in group {group:?}"),
            Wish::Tag(name, value) => format!("with tag {name:?} = {value:?}"),
            Wish::Version(requirement) => format!("at {requirement}"),
        }
    }

    /// What there is instead, each once.
    fn found(self, members: &[&Member], service: &str) -> String {
        let none = || "none".to_owned();
        let quoted = |text: Option<&str>| text.map_or_else(none, |text| format!("{text:?}"));
        let mut found: Vec<String> = members
            .iter()
            .map(|member| match self {
                Wish::Node(NodeId { instance: Some(_), .. }) => match member.instance() {
                    Some(instance) => format!("{} (instance {instance})", member.addr()),
                    None => member.addr().to_string(),
                },
                Wish::Node(_) | Wish::Except(_) => member.addr().to_string(),
                Wish::Zone(_) => quoted(Some(member.zone())),
                Wish::Group(_) => quoted(member.group()),
                Wish::Tag(name, _) => quoted(member.tag(name)),
                Wish::Version(_) => member.version(service).map_or_else(none, ToString::to_string),
            })
            .collect();
        if let Wish::Version(_) = self {
            found.sort_by_cached_key(|text| semver::Version::parse(text).ok());
        } else {
            found.sort_unstable();
        }
        found.dedup();
        let more = found.len().saturating_sub(FOUND_MAX);
        found.truncate(FOUND_MAX);
        if 0 < more {
            found.push(format!("and {more} more"));
        }
        found.join(", ")
    }
}

/// How many different values are named that there are instead of what is wished.
const FOUND_MAX: usize = 10;
