//! Settings of the side that makes calls.

use std::time::Duration;

use crate::config::{ConfigError, check};

/// How calls are made through a channel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Client {
    /// How long a unary call may take that sets no timeout of its own and inherits none. Default:
    /// 10 s. Streams have no deadline unless one is set or inherited.
    pub timeout: Duration,
    /// How many retries are allowed for each call made, over time: 0.1 allows a tenth more attempts
    /// than calls. Raising it helps single calls and endangers a struggling service. Default: 0.1.
    pub retry_ratio: f64,
    /// Retries per second that are allowed whatever the number of calls, so that a program that
    /// calls rarely can retry too. Default: 10.
    pub retries_per_second: u32,
    /// How many attempts one call makes at the most, the first included. Default: 4.
    pub attempts_max: u32,
    /// Calls of one channel that may wait until a node is known that offers what they call; further
    /// ones fail at once with `RESOURCE_EXHAUSTED`. Each keeps its request in memory until its
    /// deadline. With 0 none waits: a call that finds nobody fails at once with `UNAVAILABLE`.
    /// Default: 1024.
    pub calls_waiting_max: usize,
    /// How long a node that joins others gets fewer calls than its share: a tenth of it at first,
    /// and more from then on in a straight line. Pickers to which shares mean nothing, such as
    /// consistent hashing, take no notice. With zero it gets its share at once. Default: 5 s.
    pub slow_start: Duration,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retry_ratio: 0.1,
            retries_per_second: 10,
            attempts_max: 4,
            calls_waiting_max: 1024,
            slow_start: Duration::from_secs(5),
        }
    }
}

impl Client {
    /// Checks the fields.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check("client.timeout", !self.timeout.is_zero(), || "must be above zero".into())?;
        check(
            "client.retry_ratio",
            self.retry_ratio.is_finite() && 0.0 <= self.retry_ratio && self.retry_ratio <= 10.0,
            || format!("must be from 0 to 10, but is {}", self.retry_ratio),
        )?;
        check("client.attempts_max", 0 < self.attempts_max, || "must be at least 1".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_errors_name_the_field() {
        Client::default().validate().unwrap();
        let error = Client { retry_ratio: f64::NAN, ..Client::default() }.validate().unwrap_err();
        assert_eq!(error.field(), "client.retry_ratio");
    }
}
