//! Where a call stands in a distributed trace: the ids of W3C Trace Context.

use std::fmt;
use std::str::FromStr;

use crate::rng::Rng;

/// A place in a trace: which trace, and which span of it is the parent of what comes next.
///
/// Prints and parses as the `traceparent` header of W3C Trace Context, level 1, version 00.
///
/// ```
/// use broach_core::observe::TraceContext;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let trace: TraceContext = text.parse()?;
/// assert_eq!(trace.span_id, 0xb7ad_6b71_6920_3331);
/// assert_eq!(trace.to_string(), text);
/// # Ok::<(), broach_core::observe::ParseTraceError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TraceContext {
    /// The trace; not 0.
    pub trace_id: u128,
    /// The span; not 0.
    pub span_id: u64,
    /// Bit 0: the caller may have recorded the trace ("sampled").
    pub flags: u8,
}

/// Joins the spans of calls to a tracing system that has ids of its own.
///
/// Without one, Broach draws the ids itself, hands them on with every call, and records them as the
/// fields `trace_id` and `span_id` of its spans, which is enough to follow a call through the logs
/// of several nodes. With OpenTelemetry's bridge for `tracing`, implement this with its functions
/// for reading a span's context and for setting a span's parent.
///
/// Called like an [`Observer`](crate::observe::Observer): it must be quick and must not block. If
/// it panics, the call goes on without what it would have done.
pub trait Propagator: Send + Sync {
    /// The ids that the tracing system gave a span of a call that is about to leave this node;
    /// `None` to send none along.
    fn inject(&self, span: &tracing::Span) -> Option<TraceContext>;

    /// Makes `parent`, a span in another node, the parent of a span that was begun for a call that
    /// came in.
    fn extract(&self, span: &tracing::Span, parent: TraceContext);
}

impl TraceContext {
    /// The place of a new span: under `parent`, or at the top of a trace of its own.
    pub(super) fn new(parent: Option<Self>, rng: &mut Rng) -> Self {
        let span_id = rng.non_zero();
        match parent {
            Some(parent) => Self { span_id, ..parent },
            None => {
                let trace_id = u128::from(rng.non_zero()) << 64 | u128::from(rng.next_u64());
                Self { trace_id, span_id, flags: 1 }
            }
        }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl FromStr for TraceContext {
    type Err = ParseTraceError;

    fn from_str(text: &str) -> Result<Self, ParseTraceError> {
        let error = || ParseTraceError { text: text.chars().take(60).collect() };
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace_id, span_id, flags] = parts[..] else {
            return Err(error());
        };
        let lengths = [version, trace_id, span_id, flags].map(str::len);
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if lengths != [2, 32, 16, 2] || !text.bytes().all(|byte| byte == b'-' || digits(byte)) {
            return Err(error());
        }
        let trace = Self {
            trace_id: u128::from_str_radix(trace_id, 16).map_err(|_| error())?,
            span_id: u64::from_str_radix(span_id, 16).map_err(|_| error())?,
            flags: u8::from_str_radix(flags, 16).map_err(|_| error())?,
        };
        if version == "ff" || trace.trace_id == 0 || trace.span_id == 0 {
            return Err(error());
        }
        Ok(trace)
    }
}

/// Text that is no `traceparent`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{text:?} is no traceparent: it must read 00-<32 hex digits>-<16 hex digits>-<2 hex digits>"
)]
pub struct ParseTraceError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stays_in_the_trace_of_its_parent() {
        let mut rng = Rng::from_seed(1);
        let root = TraceContext::new(None, &mut rng);
        let child = TraceContext::new(Some(root), &mut rng);
        assert_eq!(child.trace_id, root.trace_id);
        assert_ne!(child.span_id, root.span_id);
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
    }
}
