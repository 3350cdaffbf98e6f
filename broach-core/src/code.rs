//! What is said of a call that ended: gRPC's code, and whether the handler ran.

use std::fmt;

/// Declares [`Code`] with its number, its name and its meaning in one table.
macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// How a call ended: the codes of gRPC, with its numbers and names.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $($(#[$doc])+ $name = $number,)+
        }

        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: [Self; 17] = [$(Self::$name,)+];

            /// The code of a number; [`Code::Unknown`] if there is none.
            pub const fn from_number(number: u32) -> Self {
                match number {
                    $($number => Self::$name,)+
                    _ => Self::Unknown,
                }
            }

            /// The name in capitals, as gRPC writes it: `DEADLINE_EXCEEDED`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    /// The call succeeded. No [`Status`](crate::Status) carries this code.
    Ok = 0, "OK";
    /// The caller gave the call up.
    Cancelled = 1, "CANCELLED";
    /// An error that says no more, or a code that this version does not know.
    Unknown = 2, "UNKNOWN";
    /// The request is wrong whatever the state of the system.
    InvalidArgument = 3, "INVALID_ARGUMENT";
    /// The deadline passed before the call ended.
    DeadlineExceeded = 4, "DEADLINE_EXCEEDED";
    /// Something that was asked for does not exist.
    NotFound = 5, "NOT_FOUND";
    /// Something that was to be made exists already.
    AlreadyExists = 6, "ALREADY_EXISTS";
    /// The caller may not do this.
    PermissionDenied = 7, "PERMISSION_DENIED";
    /// A limit is reached: memory, calls under way, a quota.
    ResourceExhausted = 8, "RESOURCE_EXHAUSTED";
    /// The system is not in the state that the call needs.
    FailedPrecondition = 9, "FAILED_PRECONDITION";
    /// The call lost against another one; trying the whole of it again may help.
    Aborted = 10, "ABORTED";
    /// The request goes past an end.
    OutOfRange = 11, "OUT_OF_RANGE";
    /// The service or the method does not exist at the node called.
    Unimplemented = 12, "UNIMPLEMENTED";
    /// Something that must hold does not: a bug.
    Internal = 13, "INTERNAL";
    /// The node cannot be reached, or does not take calls now.
    Unavailable = 14, "UNAVAILABLE";
    /// Data is lost or damaged for good.
    DataLoss = 15, "DATA_LOSS";
    /// The caller did not say who it is.
    Unauthenticated = 16, "UNAUTHENTICATED";
}

impl Code {
    /// The number that gRPC gives the code.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether the handler of a failed call ran.
///
/// The label is always true: a call labelled [`NotExecuted`](Self::NotExecuted) was never started
/// and never will be, however late a duplicate of its datagrams arrives.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// No handler was started, and none will be. Safe to make again, whatever the method does.
    NotExecuted,
    /// A handler may have been started, and may have finished. Safe to make again only if the
    /// method is idempotent.
    Unknown,
    /// The handler ran and gave this answer.
    Executed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::NotExecuted, Self::Unknown, Self::Executed];

    /// The name as it stands in the code: `NotExecuted`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotExecuted => "NotExecuted",
            Self::Unknown => "Unknown",
            Self::Executed => "Executed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_there_and_back() {
        for (number, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.number() as usize, number);
            assert_eq!(Code::from_number(code.number()), code);
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
    }

    #[test]
    fn names_are_those_of_grpc() {
        assert_eq!(Code::DeadlineExceeded.to_string(), "DEADLINE_EXCEEDED");
        assert_eq!(format!("{:>4}", Code::Ok), "  OK");
        assert_eq!(Outcome::NotExecuted.to_string(), "NotExecuted");
    }
}
