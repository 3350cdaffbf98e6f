//! [`Case`]: the test cases and their names.

/// Declares the cases with their names in one table.
macro_rules! cases {
    ($($(#[$doc:meta])+ $name:ident = $text:literal,)+) => {
        /// What is tested; the names and what they stand for are gRPC's, as far as it has them.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Case {
            $($(#[$doc])+ $name,)+
        }

        impl Case {
            /// The case of this name, if there is one.
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)+
                    _ => None,
                }
            }

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

cases! {
    /// Nothing there, nothing back.
    EmptyUnary = "empty_unary",
    /// A message of many datagrams each way.
    LargeUnary = "large_unary",
    /// Many requests, one reply.
    ClientStreaming = "client_streaming",
    /// One request, many replies.
    ServerStreaming = "server_streaming",
    /// Many of both, in turn.
    PingPong = "ping_pong",
    /// None of either.
    EmptyStream = "empty_stream",
    /// Given up before the first request.
    CancelAfterBegin = "cancel_after_begin",
    /// Given up after the first reply.
    CancelAfterFirstResponse = "cancel_after_first_response",
    /// A deadline that is over before the handler is.
    TimeoutOnSleepingServer = "timeout_on_sleeping_server",
    /// Text and bytes that come back.
    CustomMetadata = "custom_metadata",
    /// A status as the server is told to give it.
    StatusCodeAndMessage = "status_code_and_message",
    /// A status whose text has all kinds of letters.
    SpecialStatusMessage = "special_status_message",
    /// A method that is not implemented.
    UnimplementedMethod = "unimplemented_method",
    /// A service that is not served.
    UnimplementedService = "unimplemented_service",
    /// Many large calls, one after the other.
    RpcSoak = "rpc_soak",
    /// Many large calls at once.
    ConcurrentLargeUnary = "concurrent_large_unary",
    /// Many calls at once, none of which can end in time.
    AllTimeOut = "all_time_out",
    /// Calls at a rate, to a cluster in which nodes may come and go.
    Load = "load",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_cases_and_back() {
        for name in ["empty_unary", "cancel_after_first_response", "load"] {
            assert_eq!(Case::named(name).map(Case::name), Some(name));
        }
        assert_eq!(Case::named("half_duplex"), None);
    }
}
