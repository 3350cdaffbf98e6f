//! Settings of the transport: sizes, limits and times of the protocol between two nodes.

use std::fmt::Display;
use std::time::Duration;

use crate::config::{ConfigError, check};

/// Every path carries datagrams of this size (IPv6 needs 1280 with its headers and UDP's).
pub(crate) const BASE_DATAGRAM_BYTES: usize = 1200;

/// UDP carries no more than this over IPv4.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_507;

/// Bytes that one call may carry each way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SizeLimits {
    /// Of a message.
    pub(crate) message: usize,
    /// Of all metadata.
    pub(crate) metadata: usize,
}

/// What lies between the nodes, as far as it decides how cautiously they begin to send.
///
/// It sets the congestion window, which is how much may be on its way to a node before something is
/// acknowledged. It grows and shrinks with what the network shows; this is where it begins, and
/// what it never falls below.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Network {
    /// The network of a data centre, or one machine: a window of 32 datagrams, and never fewer
    /// than 16.
    #[default]
    Lan,
    /// The way between data centres, or to the Internet: a window of 10 datagrams, and never fewer
    /// than 2, as is the rule there (RFC 9002 §7.2).
    Wan,
}

/// How a node talks to others.
///
/// Both sides need not have the same settings: each tells the other its limits when a session
/// begins, and keeps to the other's.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transport {
    /// What lies between this node and the others. Default: [`Network::Lan`].
    pub network: Network,
    /// Bytes of the datagrams sent, without the headers of UDP and IP. `None` finds out what each
    /// path carries: 1200 at first, which every path does, and up to 8952 if larger ones are of
    /// use, or up to 16384 to a loopback address. A value is for networks known to carry it: it
    /// is not tried, and nothing arrives where it is not carried. From 1200 to 65507. Default:
    /// `None`.
    pub datagram_bytes: Option<usize>,
    /// Bytes of the largest message that is sent or taken. A call with a larger one fails with
    /// `RESOURCE_EXHAUSTED`. Default: 16 MiB.
    pub message_bytes_max: usize,
    /// Bytes of metadata that one call may carry each way. Default: 8 KiB.
    pub metadata_bytes_max: usize,
    /// Calls of one session that a serving node takes at once. Callers with more of them under way
    /// let the rest wait. Default: 1024.
    pub calls_per_session_max: usize,
    /// Calls to one node that may wait until they can be sent; further ones fail at once with
    /// `RESOURCE_EXHAUSTED`. Default: 65536.
    pub calls_waiting_max: usize,
    /// One-way calls whose handlers a node lets run at once, over all sessions, after it has
    /// answered them; it refuses further ones with `RESOURCE_EXHAUSTED`. Default: 4096.
    pub one_way_calls_max: usize,
    /// Sessions that a node serves at once; it refuses to open more. Default: 65536.
    pub sessions_max: usize,
    /// Sessions served whose caller has not proved its address yet. Above this, callers have to
    /// show a token first, which costs them one round trip. Default: 1024.
    pub half_open_max: usize,
    /// Sessions that have ended and are remembered so that no late datagram opens them again.
    /// Above this, older tokens are refused, which costs their holders one round trip.
    /// Default: 65536.
    pub closed_max: usize,
    /// Bytes that are set aside in one session for requests and replies that have not come whole,
    /// and for streams that have not been read. What finds no room waits with its sender. Must be
    /// above `message_bytes_max` and `metadata_bytes_max` together by 256 KiB at least.
    /// Default: 64 MiB.
    pub reassembly_bytes_per_session_max: usize,
    /// The same for all sessions together. Must not be below `reassembly_bytes_per_session_max`.
    /// Default: 256 MiB.
    pub reassembly_bytes_max: usize,
    /// Bytes of replies that are held, for all sessions together, until they have arrived. Above
    /// this, with 4 KiB for each call that has not been answered yet, new calls are refused. The
    /// same again for streams of replies that have not been read: then new calls that stream their
    /// replies are refused. Default: 256 MiB.
    pub reply_bytes_max: usize,
    /// Bytes of a stream that the sending side holds until they have arrived; whoever sends more
    /// waits. Default: 256 KiB.
    pub stream_send_bytes: usize,
    /// Bytes of a stream that the receiving side lets be under way or unread; the sending side
    /// waits for the rest. It begins with 32 KiB, or less if there are many sessions, and goes up
    /// to this as long as what comes is read. A record that is larger is let through once its
    /// reader waits for it, or before if there is room: the [guide](crate::guide::credit) says
    /// more. Default: 256 KiB.
    pub stream_window_bytes: usize,
    /// How long a token for opening sessions is good. At least 1 s. Default: 10 min.
    pub token_lifetime: Duration,
    /// How long an acknowledgement waits for something to travel with. Default: 5 ms.
    pub max_ack_delay: Duration,
    /// The round-trip time that is assumed before one has been measured. Default: 20 ms.
    pub initial_rtt: Duration,
    /// A node is probed no sooner than this after it was sent something. Below some 10 ms, pauses
    /// of the operating system look like losses. Default: 10 ms.
    pub probe_timeout_min: Duration,
    /// And at least this often, while it does not answer. Default: 250 ms.
    pub probe_timeout_max: Duration,
    /// After how long without an answer a node counts as silent, at the least; four probe time-outs
    /// if that is longer, each of at most `probe_timeout_max` or two of the shortest round trips.
    /// Calls that may go elsewhere then do. Default: 300 ms.
    pub silent_after: Duration,
    /// After how long without an answer a node counts as dead: calls under way to it fail with
    /// `UNAVAILABLE`. A caller that acknowledges nothing for so long is not served any more.
    /// Default: 10 s.
    pub dead_after: Duration,
    /// How long a node may say nothing, while a call to it is under way, before it is asked for a
    /// sign of life. Must be below `dead_after`. Default: 1 s.
    pub keep_alive: Duration,
    /// How long a session without calls is kept by its caller. Default: 45 s.
    pub idle_client: Duration,
    /// How long it is kept by the node that serves it. Must be above the callers' time, or calls
    /// run into sessions that have just ended and need a round trip more; so it must be above
    /// `idle_client`. A caller that is not heard of for so long while its calls are served is not
    /// waited for: they are stopped. Default: 60 s.
    pub idle_server: Duration,
    /// Bytes that the socket's receive buffer is asked to hold. The operating system may give less;
    /// on Linux `net.core.rmem_max` is the limit. What it gave is an
    /// [event](crate::observe::Event::ReceiveBuffer), and below 1 MiB a warning in the log: what
    /// does not fit is lost. Default: 8 MiB.
    pub receive_buffer_bytes: usize,
    /// Bytes that the socket's send buffer is asked to hold. Default: 1 MiB.
    pub send_buffer_bytes: usize,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            network: Network::Lan,
            datagram_bytes: None,
            message_bytes_max: 16 << 20,
            metadata_bytes_max: 8 << 10,
            calls_per_session_max: 1024,
            calls_waiting_max: 65_536,
            one_way_calls_max: 4_096,
            sessions_max: 65_536,
            half_open_max: 1024,
            closed_max: 65_536,
            reassembly_bytes_per_session_max: 64 << 20,
            reassembly_bytes_max: 256 << 20,
            reply_bytes_max: 256 << 20,
            stream_send_bytes: 256 << 10,
            stream_window_bytes: 256 << 10,
            token_lifetime: Duration::from_secs(600),
            max_ack_delay: Duration::from_millis(5),
            initial_rtt: Duration::from_millis(20),
            probe_timeout_min: Duration::from_millis(10),
            probe_timeout_max: Duration::from_millis(250),
            silent_after: Duration::from_millis(300),
            dead_after: Duration::from_secs(10),
            keep_alive: Duration::from_secs(1),
            idle_client: Duration::from_secs(45),
            idle_server: Duration::from_secs(60),
            receive_buffer_bytes: 8 << 20,
            send_buffer_bytes: 1 << 20,
        }
    }
}

impl SizeLimits {
    /// Why a call's bytes are too many, if they are. `what` they are and `whose` limit it is goes
    /// into the text.
    pub(crate) fn exceeded(
        self,
        message: usize,
        metadata: usize,
        what: impl Display,
        whose: impl Display,
    ) -> Option<String> {
        let (parts, bytes, max, setting) = if self.message < message {
            ("has", message, self.message, "message_bytes_max")
        } else if self.metadata < metadata {
            ("comes with metadata of", metadata, self.metadata, "metadata_bytes_max")
        } else {
            return None;
        };
        Some(format!("{what} {parts} {bytes} bytes, and {whose} takes {max} (transport.{setting})"))
    }
}

impl Transport {
    pub(crate) const fn size_limits(&self) -> SizeLimits {
        SizeLimits { message: self.message_bytes_max, metadata: self.metadata_bytes_max }
    }

    /// Checks the fields, alone and against each other.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if let Some(bytes) = self.datagram_bytes {
            let range = BASE_DATAGRAM_BYTES..=DATAGRAM_BYTES_MAX;
            check("transport.datagram_bytes", range.contains(&bytes), || {
                format!(
                    "must be from {BASE_DATAGRAM_BYTES} to {DATAGRAM_BYTES_MAX}, but is {bytes}"
                )
            })?;
        }
        let above_zero =
            |field, value: usize| check(field, 0 < value, || "must be above zero".into());
        above_zero("transport.message_bytes_max", self.message_bytes_max)?;
        above_zero("transport.calls_per_session_max", self.calls_per_session_max)?;
        above_zero("transport.calls_waiting_max", self.calls_waiting_max)?;
        above_zero("transport.one_way_calls_max", self.one_way_calls_max)?;
        above_zero("transport.sessions_max", self.sessions_max)?;
        above_zero("transport.closed_max", self.closed_max)?;
        above_zero("transport.reply_bytes_max", self.reply_bytes_max)?;
        above_zero("transport.stream_send_bytes", self.stream_send_bytes)?;
        above_zero("transport.stream_window_bytes", self.stream_window_bytes)?;
        let at_least =
            |field, holds, other| check(field, holds, || format!("must not be below {other}"));
        let call = self.message_bytes_max.saturating_add(self.metadata_bytes_max);
        let beside = self.reassembly_bytes_per_session_max.saturating_sub(call);
        check("transport.reassembly_bytes_per_session_max", REASSEMBLY_SPARE <= beside, || {
            format!(
                "must be above transport.message_bytes_max and metadata_bytes_max together by \
                 {REASSEMBLY_SPARE} bytes at least"
            )
        })?;
        at_least(
            "transport.reassembly_bytes_max",
            self.reassembly_bytes_per_session_max <= self.reassembly_bytes_max,
            "transport.reassembly_bytes_per_session_max",
        )?;
        at_least(
            "transport.probe_timeout_max",
            self.probe_timeout_min <= self.probe_timeout_max,
            "transport.probe_timeout_min",
        )?;
        check("transport.probe_timeout_min", Duration::ZERO < self.probe_timeout_min, || {
            "must be above zero".into()
        })?;
        check("transport.token_lifetime", TOKEN_LIFETIME_MIN <= self.token_lifetime, || {
            format!("must not be below {TOKEN_LIFETIME_MIN:?}")
        })?;
        check("transport.idle_server", self.idle_client < self.idle_server, || {
            "must be above transport.idle_client".into()
        })?;
        check("transport.keep_alive", self.keep_alive < self.dead_after, || {
            "must be below transport.dead_after".into()
        })?;
        check("transport.max_ack_delay", self.max_ack_delay <= ACK_DELAY_MAX, || {
            format!("must not be above {ACK_DELAY_MAX:?}")
        })
    }
}

/// What is left to other calls beside one message of the largest size.
const REASSEMBLY_SPARE: usize = 256 << 10;

/// A token has to live for a few round trips at least.
const TOKEN_LIFETIME_MIN: Duration = Duration::from_secs(1);

/// A longer delay would hold up the other side's probes for nothing.
const ACK_DELAY_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        Transport::default().validate().unwrap();
    }

    #[test]
    fn errors_name_the_field() {
        let wrong = [
            Transport { datagram_bytes: Some(1199), ..Transport::default() },
            Transport { message_bytes_max: 65 << 20, ..Transport::default() },
            Transport { reassembly_bytes_max: 1, ..Transport::default() },
            Transport { probe_timeout_max: Duration::ZERO, ..Transport::default() },
            Transport { keep_alive: Duration::from_secs(10), ..Transport::default() },
        ];
        let fields = wrong.map(|config| config.validate().unwrap_err().field());
        assert_eq!(
            fields,
            [
                "transport.datagram_bytes",
                "transport.reassembly_bytes_per_session_max",
                "transport.reassembly_bytes_max",
                "transport.probe_timeout_max",
                "transport.keep_alive",
            ]
        );
    }
}
