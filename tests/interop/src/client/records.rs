//! [`Record`]: how a call went; and what many of them come to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use broach_core::{Code, Instance, Outcome, Response, Status};
use serde_json::{Value, json};

use crate::lines::FileError;

/// How a call went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    /// Tells it from the others of this process.
    pub(crate) number: u64,
    /// When it was to begin.
    pub(crate) start_us: u64,
    pub(crate) end_us: u64,
    pub(crate) end: End,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct End {
    pub(crate) code: Code,
    pub(crate) outcome: Outcome,
    /// The node of the last attempt.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) attempts: usize,
}

/// What a run comes to.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) instance: Instance,
    pub(crate) records: Vec<Record>,
    /// How much later than intended a call was begun, at the most.
    pub(crate) max_late_us: u64,
    /// What was not as it must be.
    pub(crate) problems: Vec<String>,
}

/// The token of a call of a process: unique over all processes and runs.
pub(crate) fn token(instance: Instance, number: u64) -> String {
    format!("{instance}-{number}")
}

impl End {
    /// The reply came.
    pub(crate) fn replied<T>(response: &Response<T>) -> Self {
        Self {
            code: Code::Ok,
            outcome: Outcome::Executed,
            peer: response.peer.map(|peer| peer.addr),
            attempts: response.attempts.len(),
        }
    }

    /// A reply came, and it was not the right one.
    pub(crate) const fn spoilt(self) -> Self {
        Self { code: Code::DataLoss, outcome: Outcome::Executed, ..self }
    }

    pub(crate) fn failed(status: &Status) -> Self {
        let attempts = status.attempts();
        Self {
            code: status.code(),
            outcome: status.outcome(),
            peer: attempts.last().and_then(|attempt| attempt.peer),
            attempts: attempts.len(),
        }
    }

    /// There was no time left when it could begin.
    pub(crate) const fn never_sent() -> Self {
        let (code, outcome) = (Code::DeadlineExceeded, Outcome::NotExecuted);
        Self { code, outcome, peer: None, attempts: 0 }
    }
}

impl Results {
    pub(crate) const fn passed(&self) -> bool {
        self.problems.is_empty()
    }

    /// One line of JSON.
    pub(crate) fn line(&self, case: &str) -> String {
        let (mut ok, mut times) = (0_u64, Vec::new());
        let mut errors: BTreeMap<_, u64> = BTreeMap::new();
        let mut outcomes: BTreeMap<_, u64> =
            Outcome::ALL.iter().map(|outcome| (outcome.name(), 0)).collect();
        for Record { start_us, end_us, end, .. } in &self.records {
            *outcomes.entry(end.outcome.name()).or_default() += 1;
            if end.code == Code::Ok {
                ok += 1;
                times.push(end_us.saturating_sub(*start_us));
            } else {
                *errors.entry(end.code.name()).or_default() += 1;
            }
        }
        times.sort_unstable();
        // Put together here, because for people the order matters.
        let fields: [(&str, Value); 9] = [
            ("case", case.into()),
            ("pass", self.passed().into()),
            ("calls", self.records.len().into()),
            ("ok", ok.into()),
            ("errors", json!(errors)),
            ("outcomes", json!(outcomes)),
            ("p50_us", percentile(&times, 50).into()),
            ("p99_us", percentile(&times, 99).into()),
            ("max_late_us", self.max_late_us.into()),
        ];
        let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.join(","))
    }

    /// Makes the file that the calls will be written into.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub(crate) fn begin_history(path: &Path) -> Result<(), FileError> {
        std::fs::write(path, "").map_err(|error| FileError::new(path, error))
    }

    /// Writes down each call.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn write_history(&self, path: &Path) -> Result<(), FileError> {
        let mut text = String::new();
        for record in &self.records {
            let Record { number, start_us, end_us, end } = record;
            let End { code, outcome, peer, attempts } = end;
            let token = token(self.instance, *number);
            let how = if *code == Code::Ok { "ok" } else { "error" };
            let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
            writeln!(text, "{token} {start_us} {end_us} {how} {code} {outcome} {peer} {attempts}")
                .expect("a text takes everything");
        }
        std::fs::write(path, text).map_err(|error| FileError::new(path, error))
    }
}

/// The time within which so many of a hundred have ended; 0 if there are none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64, took_us: u64, end: End) -> Record {
        Record { number, start_us: 1_000, end_us: 1_000 + took_us, end }
    }

    fn results() -> Results {
        let ok = End {
            code: Code::Ok,
            outcome: Outcome::Executed,
            peer: Some("10.0.0.7:1".parse().unwrap()),
            attempts: 2,
        };
        let lost = Status::unavailable("gone").with_outcome(Outcome::Unknown);
        let records = vec![
            record(0, 30, ok),
            record(1, 10, ok),
            record(2, 5, End::never_sent()),
            record(3, 5, End::failed(&lost)),
            record(4, 5, ok.spoilt()),
        ];
        Results { instance: Instance(0xab), records, max_late_us: 7, problems: Vec::new() }
    }

    #[test]
    fn the_sums_of_the_line_are_right() {
        let line: Value = serde_json::from_str(&results().line("load")).unwrap();
        assert_eq!(
            line,
            json!({
                "case": "load", "pass": true, "calls": 5, "ok": 2,
                "errors": {"DEADLINE_EXCEEDED": 1, "UNAVAILABLE": 1, "DATA_LOSS": 1},
                "outcomes": {"Executed": 3, "NotExecuted": 1, "Unknown": 1},
                "p50_us": 10, "p99_us": 30, "max_late_us": 7,
            })
        );
    }

    #[test]
    fn the_history_has_a_line_for_each_call() {
        let file = tempfile::NamedTempFile::new().unwrap();
        results().write_history(file.path()).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0], "00000000000000ab-0 1000 1030 ok OK Executed 10.0.0.7:1 2");
        assert_eq!(
            lines[2],
            "00000000000000ab-2 1000 1005 error DEADLINE_EXCEEDED NotExecuted - 0"
        );
    }

    #[test]
    fn percentiles_of_few_values_are_among_them() {
        assert_eq!(percentile(&[], 99), 0);
        assert_eq!(percentile(&[5], 50), 5);
        let many: Vec<u64> = (1..=1000).collect();
        assert_eq!((percentile(&many, 50), percentile(&many, 99)), (500, 990));
    }
}
