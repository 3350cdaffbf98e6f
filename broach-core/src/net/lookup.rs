//! Looking names up, for no longer than a limit.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::{self, BoxFuture, Either};

use crate::deadline::Clock;
use crate::net::address::{AddressError, resolve_all};

/// Finds the addresses that a text stands for.
pub(crate) trait Lookup: Send + Sync {
    /// All addresses of `host:port` or `dns://host:port`.
    ///
    /// # Errors
    ///
    /// If it has none at present.
    fn look_up<'a>(&'a self, text: &'a str)
    -> BoxFuture<'a, Result<Vec<SocketAddr>, AddressError>>;
}

/// Asks the operating system's resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver;

impl Lookup for Resolver {
    fn look_up<'a>(
        &'a self,
        text: &'a str,
    ) -> BoxFuture<'a, Result<Vec<SocketAddr>, AddressError>> {
        Box::pin(resolve_all(text))
    }
}

/// The addresses that a text stands for, in an order that does not depend on the resolver, which
/// often gives them in another one each time. Takes 10 s at the most.
///
/// # Errors
///
/// Why there are none, for people.
///
/// # Cancel safety
///
/// Nothing is lost if the future is dropped.
pub(crate) async fn look_up(
    text: &str,
    clock: &dyn Clock,
    lookup: &dyn Lookup,
) -> Result<Vec<SocketAddr>, String> {
    let limit = clock.sleep_until(clock.now() + LOOKUP_TIMEOUT);
    match future::select(lookup.look_up(text), limit).await {
        Either::Left((found, _)) => {
            let mut addrs = found.map_err(|error| error.to_string())?;
            addrs.sort_unstable();
            Ok(addrs)
        }
        Either::Right(_) => {
            let seconds = LOOKUP_TIMEOUT.as_secs();
            Err(format!("nobody has said within {seconds} s what {text} stands for"))
        }
    }
}

/// How long one lookup may take. Resolvers ask the next name server when the first one has been
/// silent for 5 s, as a rule; that answer must have time to come.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
