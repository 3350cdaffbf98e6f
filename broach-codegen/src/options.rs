//! [`Options`]: what to generate, and for which runtime.

/// What to generate for each service.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The halves of a service that are wanted; both by default.
    pub sides: Sides,
    /// The path of the runtime in the generated code; `::broach_core` by default. A crate that
    /// depends on it under another name, or re-exports it, sets it.
    pub runtime: String,
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
        Self { sides: Sides::Both, runtime: "::broach_core".to_owned() }
    }
}
