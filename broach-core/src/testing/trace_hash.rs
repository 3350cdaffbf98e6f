//! [`TraceHash`]: one number for all that happens to some nodes.

use std::fmt::{self, Write};
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher13;

use crate::deadline::{Clock, Time};
use crate::net::TokioClock;
use crate::observe::{Event, Observer};

/// Makes one number of the events of several nodes, of their order over all nodes and of their
/// times: two runs with the same number did the same.
///
/// That one seed gives one run is what makes a failure in a simulation worth having; compare two
/// runs to know that it holds for a program's own services too. It needs a current-thread runtime
/// of tokio whose clock is paused, a [`Network`](crate::testing::Network), and nodes and channels
/// with [`danger_seed`](crate::NodeBuilder::danger_seed).
///
/// ```
/// use broach_core::testing::{Faults, Network, TraceHash};
/// use broach_core::{Channel, Code, Node, Security};
///
/// async fn run(seed: u64) -> Result<TraceHash, Box<dyn std::error::Error>> {
///     let (network, trace) = (Network::new(seed), TraceHash::new());
///     let mut faults = Faults::default();
///     faults.loss = 0.1;
///     network.set_faults(faults);
///     let addr = "10.0.0.1:7400".parse()?;
///     let _node = Node::builder()
///         .socket(network.socket(addr)?)
///         .danger_seed(seed)
///         .observe(trace.of("node"))
///         .start()
///         .await?;
///     let channel = Channel::builder()
///         .security(Security::clear())
///         .socket(network.socket("10.0.0.2:1".parse()?)?)
///         .danger_seed(seed + 1)
///         .observe(trace.of("caller"))
///         .connect(addr)
///         .await?;
///     let status = channel.call("no.such/Method", "").await.unwrap_err();
///     assert_eq!(status.code(), Code::Unimplemented);
///     Ok(trace)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let in_virtual_time = |seed| {
/// #     let builder = &mut tokio::runtime::Builder::new_current_thread();
/// #     let runtime = builder.enable_time().start_paused(true).build().unwrap();
/// #     runtime.block_on(run(seed))
/// # };
/// let (one, again) = (in_virtual_time(42)?, in_virtual_time(42)?);
/// assert_eq!((one.digest(), one.events()), (again.digest(), again.events()));
/// assert_ne!(one.digest(), in_virtual_time(43)?.digest());
/// # Ok(())
/// # }
/// ```
///
/// The number means something within one build only: another version may well have other events.
/// Clones are the same trace.
#[derive(Clone)]
pub struct TraceHash {
    clock: Arc<dyn Clock>,
    folded: Arc<Mutex<Folded>>,
}

/// What has happened so far.
#[derive(Default)]
struct Folded {
    /// With a fixed key, and the same on every machine.
    hasher: SipHasher13,
    events: u64,
}

/// Folds the events of one node into the trace.
struct Labelled {
    trace: TraceHash,
    label: String,
}

impl TraceHash {
    /// A trace of nothing yet. Times are counted from now.
    pub fn new() -> Self {
        Self { clock: TokioClock::shared(), folded: Arc::default() }
    }

    /// An observer for the node that the test knows by this name.
    pub fn of(&self, label: &str) -> impl Observer + use<> {
        Labelled { trace: self.clone(), label: label.to_owned() }
    }

    /// The number for all that has happened so far.
    pub fn digest(&self) -> u64 {
        self.lock().hasher.finish()
    }

    /// How many events there were: a test that compares traces looks here whether it compares
    /// anything.
    pub fn events(&self) -> u64 {
        self.lock().events
    }

    fn lock(&self) -> MutexGuard<'_, Folded> {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TraceHash {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Labelled {
    fn event(&self, event: &Event<'_>) {
        let now = self.trace.clock.now();
        self.trace.lock().fold(&self.label, now, event);
    }
}

impl Folded {
    /// Adds an event as it prints, so that no field of it can be forgotten here.
    fn fold(&mut self, label: &str, now: Time, event: &Event<'_>) {
        self.events += 1;
        let ended = write!(self, "{label}\0{}\0{event:?}\0", now.as_nanos());
        debug_assert!(ended.is_ok(), "a hasher takes everything");
    }
}

impl Write for Folded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hasher.write(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceHash")
            .field("digest", &format_args!("{:016x}", self.digest()))
            .field("events", &self.events())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn order_time_label_and_every_field_count() {
        let call = |method| Event::CallStarted { method };
        let trace = |order: [(&'static str, &'static str, u64); 2]| async move {
            let trace = TraceHash::new();
            for (label, method, wait) in order {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                trace.clone().of(label).event(&call(method));
            }
            assert_eq!(trace.events(), 2);
            trace.digest()
        };
        let one = trace([("a", "x.Y/Z", 1), ("b", "x.Y/Z", 1)]).await;
        assert_eq!(one, trace([("a", "x.Y/Z", 1), ("b", "x.Y/Z", 1)]).await);
        for other in [
            [("b", "x.Y/Z", 1), ("a", "x.Y/Z", 1)],
            [("a", "x.Y/Z", 1), ("a", "x.Y/Z", 1)],
            [("a", "x.Y/Z", 1), ("b", "x.Y/ZZ", 1)],
            [("a", "x.Y/Z", 1), ("b", "x.Y/Z", 2)],
        ] {
            assert_ne!(one, trace(other).await, "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_is_the_same_on_every_machine() {
        let trace = TraceHash::new();
        trace.of("a").event(&Event::SuspicionRefuted);
        let mut hasher = SipHasher13::new_with_keys(0, 0);
        hasher.write(b"a\x000\0SuspicionRefuted\0");
        assert_eq!(trace.digest(), hasher.finish());
    }
}
