//! [`Status`]: the one error that a call ends with.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::{DecodeError, Message, Name};

use crate::code::{Code, Outcome};
use crate::metadata::Metadata;

/// Why a call failed, and what is known of it.
///
/// A handler makes one with the function named after the code and returns it:
///
/// ```
/// use broach_core::{Code, Outcome, Status};
///
/// let status = Status::invalid_argument("name is empty");
/// assert_eq!(status.code(), Code::InvalidArgument);
/// assert_eq!(status.outcome(), Outcome::Executed);
/// assert_eq!(status.to_string(), "INVALID_ARGUMENT: name is empty");
/// ```
///
/// The caller finds in it besides whether the handler [ran](Self::outcome) and what was tried where
/// ([`attempts`](Self::attempts)). `{status}` prints one line, `{status:#}` a line more for the
/// outcome and for each attempt. A status is one pointer wide.
#[derive(Clone)]
pub struct Status(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    outcome: Outcome,
    message: Cow<'static, str>,
    details: Vec<Detail>,
    metadata: Metadata,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    attempts: Vec<Attempt>,
    /// It is the end of a call, and its outcome speaks of that call's handler.
    of_call: bool,
}

/// A message that says more about an error, with the name of its type.
///
/// On the wire this is `google.protobuf.Any`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Detail {
    /// The type: `type.googleapis.com/` and the message's full name, unless a handler chose
    /// another prefix.
    pub type_url: String,
    /// The encoded message.
    pub value: Bytes,
}

/// One try to make a call: which node, for how long, and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// The node that was called; `None` for a call within the process.
    pub peer: Option<SocketAddr>,
    /// From the attempt's start to its end.
    pub elapsed: Duration,
    /// How it ended.
    pub code: Code,
    /// Whether the handler ran.
    pub outcome: Outcome,
    /// What was said of it; empty if it succeeded.
    pub message: String,
}

/// Declares a constructor per code.
macro_rules! constructors {
    ($($(#[$doc:meta])+ $name:ident => $code:ident;)+) => {
        $(
            $(#[$doc])+
            pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                Self::new(Code::$code, message)
            }
        )+
    };
}

impl Status {
    /// A status as a handler returns it: the outcome is [`Outcome::Executed`].
    ///
    /// [`Code::Ok`] is no error and becomes [`Code::Unknown`].
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let code = if code == Code::Ok { Code::Unknown } else { code };
        Self(Box::new(Inner {
            code,
            outcome: Outcome::Executed,
            message: message.into(),
            details: Vec::new(),
            metadata: Metadata::new(),
            retry_after: None,
            source: None,
            attempts: Vec::new(),
            of_call: false,
        }))
    }

    constructors! {
        /// [`Code::Cancelled`]: the caller gave up.
        cancelled => Cancelled;
        /// [`Code::Unknown`]: no more is known.
        unknown => Unknown;
        /// [`Code::InvalidArgument`]: the request is wrong in itself.
        invalid_argument => InvalidArgument;
        /// [`Code::DeadlineExceeded`]: time ran out.
        deadline_exceeded => DeadlineExceeded;
        /// [`Code::NotFound`]: there is no such thing.
        not_found => NotFound;
        /// [`Code::AlreadyExists`]: there is one already.
        already_exists => AlreadyExists;
        /// [`Code::PermissionDenied`]: the caller may not.
        permission_denied => PermissionDenied;
        /// [`Code::ResourceExhausted`]: a limit is reached.
        resource_exhausted => ResourceExhausted;
        /// [`Code::FailedPrecondition`]: the system is not in the right state.
        failed_precondition => FailedPrecondition;
        /// [`Code::Aborted`]: lost against another call.
        aborted => Aborted;
        /// [`Code::OutOfRange`]: past an end.
        out_of_range => OutOfRange;
        /// [`Code::Unimplemented`]: no such service or method here.
        unimplemented => Unimplemented;
        /// [`Code::Internal`]: a bug.
        internal => Internal;
        /// [`Code::Unavailable`]: not now.
        unavailable => Unavailable;
        /// [`Code::DataLoss`]: lost for good.
        data_loss => DataLoss;
        /// [`Code::Unauthenticated`]: who are you?
        unauthenticated => Unauthenticated;
    }

    /// The code; never [`Code::Ok`].
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Whether the handler ran. A handler may return the status of a call that it made itself: its
    /// own caller is told that it ran, whatever became of that other call.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// What happened, in words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The messages that say more.
    pub fn details(&self) -> &[Detail] {
        &self.0.details
    }

    /// The first detail of the type `M`, if there is one.
    ///
    /// # Errors
    ///
    /// If there is one and its bytes do not decode.
    pub fn detail<M: Message + Name + Default>(&self) -> Result<Option<M>, DecodeError> {
        let full_name = M::full_name();
        let of_type = |detail: &&Detail| detail.type_url.rsplit('/').next() == Some(&*full_name);
        let found = self.0.details.iter().find(of_type);
        found.map(|detail| M::decode(detail.value.clone())).transpose()
    }

    /// What the handler sent along with the error.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// How long the node asks callers to wait before they call it again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What was tried, in order. Empty for a status that did not come from a call.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The same with another outcome; for a layer that refuses a call before its handler runs.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// The same with a message that says more.
    ///
    /// Details and text that together are larger than a message may be do not go over the network:
    /// the text is cut short and says so.
    #[must_use]
    pub fn with_detail<M: Message + Name>(mut self, detail: &M) -> Self {
        self.0.details.push(Detail {
            type_url: format!("type.googleapis.com/{}", M::full_name()),
            value: detail.encode_to_vec().into(),
        });
        self
    }

    /// The same with metadata, in place of what it had.
    ///
    /// Metadata that is more than either side takes does not go over the network, and the text says
    /// so.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// The same with the wish that callers wait this long before they call again.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The same with the error that caused it, for [`Error::source`]. It stays in this process.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Whether it says that a deadline has passed on this side, and not that a handler said so.
    pub(crate) fn is_own_deadline(&self) -> bool {
        self.0.code == Code::DeadlineExceeded && self.0.outcome != Outcome::Executed
    }

    /// `UNAVAILABLE` of a node that is shutting down. Callers that know the mark go elsewhere at
    /// once; others see the text.
    pub(crate) fn shutting_down(message: impl Into<Cow<'static, str>>) -> Self {
        let mut status = Self::unavailable(message);
        status.0.details.push(Detail { type_url: SHUTTING_DOWN.to_owned(), value: Bytes::new() });
        status
    }

    /// Whether it comes from a node that is shutting down.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.0.code == Code::Unavailable
            && self.0.details.iter().any(|detail| detail.type_url == SHUTTING_DOWN)
    }

    /// The same with another text.
    pub(crate) fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The same with these details, in place of what it had.
    pub(crate) fn with_details(mut self, details: Vec<Detail>) -> Self {
        self.0.details = details;
        self
    }

    /// The same as the end of a call, whose caller gets it now.
    pub(crate) fn of_call(mut self) -> Self {
        self.0.of_call = true;
        self
    }

    /// The same as what a handler returns. If that is how a call of its own ended, then that one
    /// may not have been executed; the handler was. And if that was because another node shuts
    /// down, the one of the handler does not.
    pub(crate) fn of_handler(mut self) -> Self {
        if !self.0.of_call {
            return self;
        }
        self.0.details.retain(|detail| detail.type_url != SHUTTING_DOWN);
        self.with_outcome(Outcome::Executed)
    }

    /// The same with a record of what was tried. That the last attempt was not executed says
    /// nothing of those before.
    pub(crate) fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        let surely_not = |attempt: &Attempt| attempt.outcome == Outcome::NotExecuted;
        if self.0.outcome == Outcome::NotExecuted && !attempts.iter().all(surely_not) {
            self.0.outcome = Outcome::Unknown;
        }
        self.0.attempts = attempts;
        self
    }
}

impl Attempt {
    /// What there is to say of an attempt that ended now.
    pub(crate) fn new(
        peer: Option<SocketAddr>,
        elapsed: Duration,
        result: Result<(), &Status>,
    ) -> Self {
        match result {
            Ok(()) => Self {
                peer,
                elapsed,
                code: Code::Ok,
                outcome: Outcome::Executed,
                message: String::new(),
            },
            Err(status) => Self {
                peer,
                elapsed,
                code: status.code(),
                outcome: status.outcome(),
                message: status.message().to_owned(),
            },
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.name())?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        if f.alternate() {
            write!(f, "\n  outcome: {}", self.0.outcome)?;
            for (index, attempt) in self.0.attempts.iter().enumerate() {
                write!(f, "\n  attempt {}: {attempt}", index + 1)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => write!(f, "{peer}")?,
            None => f.write_str("in process")?,
        }
        write!(f, " after {:.3?}: {}", self.elapsed, self.code)?;
        if self.code != Code::Ok {
            write!(f, " ({}): {}", self.outcome, self.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Status {
    /// The long form, and what else there is: `main` shows this if it returns a status.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")?;
        let inner = &*self.0;
        if !inner.details.is_empty() {
            write!(f, "\n  details: {:?}", inner.details)?;
        }
        if !inner.metadata.is_empty() {
            write!(f, "\n  metadata: {:?}", inner.metadata)?;
        }
        if let Some(wait) = inner.retry_after {
            write!(f, "\n  retry after: {wait:?}")?;
        }
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\n  cause: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

impl From<Box<dyn Error + Send + Sync>> for Status {
    /// The status itself if the error is one, as when it went through a `tower` layer; otherwise
    /// `UNKNOWN` with the error as its cause.
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        match error.downcast::<Self>() {
            Ok(status) => *status,
            Err(error) => {
                let mut status = Self::unknown(error.to_string()).with_outcome(Outcome::Unknown);
                status.0.source = Some(error.into());
                status
            }
        }
    }
}

/// The detail, an empty message, that marks a refusal by a node that is shutting down.
const SHUTTING_DOWN: &str = "type.googleapis.com/broach.wire.v1.ShuttingDown";

const _: () = assert!(size_of::<Status>() == size_of::<usize>());

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with a name of its own, as generated ones have.
    #[derive(Clone, PartialEq, Message)]
    struct BadField {
        #[prost(string, tag = "1")]
        field: String,
    }

    impl Name for BadField {
        const NAME: &'static str = "BadField";
        const PACKAGE: &'static str = "test.v1";
    }

    #[test]
    fn details_are_found_by_their_type() {
        let status = Status::invalid_argument("no")
            .with_detail(&BadField { field: "name".into() })
            .with_detail(&BadField { field: "age".into() });
        assert_eq!(status.detail::<BadField>().unwrap().unwrap().field, "name");
        assert_eq!(status.details()[0].type_url, "type.googleapis.com/test.v1.BadField");
        assert_eq!(Status::internal("").detail::<BadField>().unwrap(), None);
    }

    #[test]
    fn ok_is_no_error() {
        assert_eq!(Status::new(Code::Ok, "").code(), Code::Unknown);
    }

    #[test]
    fn the_long_form_tells_every_attempt() {
        let peer = "10.0.0.7:7400".parse().unwrap();
        let first = Status::unavailable("no answer").with_outcome(Outcome::Unknown);
        let attempt = Attempt::new(Some(peer), Duration::from_millis(200), Err(&first));
        let status = Status::unavailable("gave up")
            .with_outcome(Outcome::Unknown)
            .with_attempts(vec![attempt]);
        assert_eq!(status.to_string(), "UNAVAILABLE: gave up");
        assert_eq!(
            format!("{status:#}"),
            "UNAVAILABLE: gave up\n  outcome: Unknown\n  attempt 1: 10.0.0.7:7400 after \
             200.000ms: UNAVAILABLE (Unknown): no answer"
        );
    }

    #[test]
    fn the_cause_is_in_the_chain_and_not_in_the_text() {
        let status = Status::internal("disk").with_source(std::io::Error::other("full"));
        assert_eq!(status.to_string(), "INTERNAL: disk");
        assert_eq!(status.source().unwrap().to_string(), "full");
    }
}
