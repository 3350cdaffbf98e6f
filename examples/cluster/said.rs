//! [`Said`]: what a node tells the process that started it, a line at a time.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// A line that a node prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    /// It can be called, and joined, here.
    Ready(SocketAddr),
    /// It sees so many nodes that can be called, itself included.
    Members(usize),
    /// The node that was here is dead.
    Died(SocketAddr),
}

/// A line that no node prints.
#[derive(Debug, thiserror::Error)]
#[error("a node said {line:?}, which means nothing")]
pub(crate) struct Unclear {
    line: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(addr) => write!(f, "READY {addr}"),
            Self::Members(count) => write!(f, "MEMBERS {count}"),
            Self::Died(addr) => write!(f, "DIED {addr}"),
        }
    }
}

impl FromStr for Said {
    type Err = Unclear;

    fn from_str(line: &str) -> Result<Self, Unclear> {
        let said = match line.split_once(' ') {
            Some(("READY", addr)) => addr.parse().ok().map(Self::Ready),
            Some(("MEMBERS", count)) => count.parse().ok().map(Self::Members),
            Some(("DIED", addr)) => addr.parse().ok().map(Self::Died),
            _ => None,
        };
        said.ok_or_else(|| Unclear { line: line.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 7400));
        for said in [Said::Ready(addr), Said::Members(5), Said::Died(addr)] {
            assert_eq!(said.to_string().parse::<Said>().unwrap(), said);
        }
        for line in ["", "READY", "READY here", "MEMBERS -1", "thread panicked"] {
            assert!(line.parse::<Said>().is_err(), "{line}");
        }
    }
}
