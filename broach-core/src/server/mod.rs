//! Serving calls: from the bytes of a request to a service's handler, and back.

mod directory;
mod local;
mod one_way;
mod registry;
mod routes;
mod serve;
mod streaming;

pub(crate) use directory::DirectoryService;
pub use registry::RegisterError;
pub(crate) use registry::Registry;
pub use routes::Routes;
pub(crate) use serve::Serve;
