//! [`Trouble`]: what callers are told of a node that does not answer, beyond that it does not.

use std::fmt;
use std::io;

/// Why nothing gets through, as far as this side knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Trouble {
    /// The operating system's number for the error of sending there.
    pub(crate) errno: Option<i32>,
}

impl fmt::Display for Trouble {
    /// The end of a sentence; nothing if nothing is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            None => Ok(()),
            Some(errno) => {
                write!(f, ": to send there fails, {}", io::Error::from_raw_os_error(errno))
            }
        }
    }
}
