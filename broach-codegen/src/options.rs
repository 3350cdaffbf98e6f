//! [`Options`]: what to generate, and for which runtime.

use std::collections::BTreeMap;

/// What to generate for each service.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The halves of a service that are wanted; both by default.
    pub sides: Sides,
    /// The path of the runtime in the generated code; `::broach_core` by default. A crate that
    /// depends on it under another name, or re-exports it, sets it.
    pub runtime: String,
    /// The path of the runtime for single services, by their full names.
    pub runtime_of: BTreeMap<String, String>,
    /// The static that holds the descriptors of all files, in the module around those of the
    /// packages; none by default, and then a server has none to show.
    pub file_descriptor_set: Option<String>,
}

impl Options {
    pub(crate) fn runtime_of(&self, service: &str) -> &str {
        self.runtime_of.get(service).unwrap_or(&self.runtime)
    }
}

/// The halves of a service.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Sides {
    /// The trait and the server that serves it, and the client.
    #[default]
    Both,
    /// The client only.
    Client,
    /// The trait and the server only.
    Server,
}

impl Sides {
    pub(crate) const fn has_client(self) -> bool {
        matches!(self, Self::Both | Self::Client)
    }

    pub(crate) const fn has_server(self) -> bool {
        matches!(self, Self::Both | Self::Server)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sides: Sides::Both,
            runtime: "::broach_core".to_owned(),
            runtime_of: BTreeMap::new(),
            file_descriptor_set: None,
        }
    }
}
