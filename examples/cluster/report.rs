//! [`Report`]: what the run came to, as a page of text.

use std::fmt;
use std::time::{Duration, Instant};

use crate::figures::{bytes, count_of, grouped, time};
use crate::results::Results;
use crate::words::Tally;

/// What there is to say once the run is over.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) files: usize,
    pub(crate) files_skipped: usize,
    pub(crate) text_bytes: usize,
    pub(crate) in_flight: usize,
    pub(crate) piece_bytes: usize,
    /// What this process counted, in the text as a whole.
    pub(crate) expected: Tally,
    pub(crate) results: Results,
    /// What else went wrong.
    pub(crate) problems: Vec<String>,
}

impl Report {
    /// All that must not be; nothing if the run was a success.
    pub(crate) fn verdict(&self) -> Vec<String> {
        let Results { failed, strangers, failures, passes, tally, .. } = &self.results;
        let mut wrong = Vec::new();
        if 0 < *failed {
            wrong.push(format!("{} failed, and the run was cut short", count_of(*failed, "call")));
            for status in failures {
                wrong.push(format!("{status:#}").replace('\n', "\n  "));
            }
        }
        if 0 < *strangers {
            wrong.push(format!("{} answered by other nodes", count_of(*strangers, "call")));
        }
        let differences = tally.differences(&self.expected.times(*passes));
        if !differences.is_empty() {
            wrong.push(format!(
                "{} counted by the nodes otherwise than here",
                count_of(differences.len() as u64, "word")
            ));
            for difference in differences.iter().take(DIFFERENCES_SHOWN) {
                let (there, here) = (grouped(difference.here), grouped(difference.there));
                wrong.push(format!("{:?}: nodes {there}, here {here}", difference.word));
            }
        }
        wrong.extend_from_slice(&self.problems);
        wrong
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input(f)?;
        self.words(f)?;
        self.nodes(f)?;
        self.calls(f)?;
        let wrong = self.verdict();
        if wrong.is_empty() {
            return writeln!(
                f,
                "OK: the totals of all {} are {} the count made here",
                count_of(self.expected.different() as u64, "word"),
                count_of(self.results.passes, "time"),
            );
        }
        writeln!(f, "FAILED:")?;
        wrong.iter().try_for_each(|problem| writeln!(f, "  {problem}"))
    }
}

impl Report {
    fn input(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = match self.files_skipped {
            0 => String::new(),
            skipped => format!(" ({} skipped)", grouped(skipped as u64)),
        };
        writeln!(
            f,
            "counted {}: {}{skipped}, {}, {}, of them {} different",
            count_of(self.results.passes, "time"),
            count_of(self.files as u64, "file"),
            bytes(self.text_bytes as u64),
            count_of(self.expected.total(), "word"),
            grouped(self.expected.different() as u64),
        )?;
        writeln!(f)
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.results.tally.most_frequent(WORDS_SHOWN);
        let rows: Vec<_> = words.iter().map(|&(word, count)| (word, grouped(count))).collect();
        let width = rows.iter().map(|(word, _)| word.chars().count()).max().unwrap_or(0);
        let digits = rows.iter().map(|(_, count)| count.len()).max().unwrap_or(0);
        writeln!(f, "  {:width$}  {:>digits$}", "word", "times", width = width.max(4))?;
        for (word, count) in rows {
            writeln!(f, "  {word:width$}  {count:>digits$}")?;
        }
        writeln!(f)
    }

    fn nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = &self.results;
        let most = results.nodes.iter().map(|node| node.calls).max().unwrap_or_default().max(1);
        let all = results.calls().max(1) as f64;
        writeln!(f, "  node  {:21}  {:>11}   share", "address", "calls")?;
        for (index, node) in results.nodes.iter().enumerate() {
            let bar = "#".repeat((node.calls * BAR_WIDTH / most) as usize);
            let note = self.note(index, node.last);
            let row = format!(
                "  {:>4}  {:21}  {:>11}  {:>4.1} %  {bar:20}  {note}",
                index + 1,
                node.addr.to_string(),
                grouped(node.calls),
                node.calls as f64 / all * 100.0,
            );
            writeln!(f, "{}", row.trim_end())?;
        }
        writeln!(f)
    }

    /// What became of a node.
    fn note(&self, index: usize, last: Option<Instant>) -> String {
        let Some(killed) = self.results.killed.filter(|killed| killed.index == index) else {
            return String::new();
        };
        let after = time(killed.at - self.results.started);
        let last = match last {
            None => "it never answered".to_owned(),
            Some(last) if last < killed.at => {
                format!("last answer {} before", time(killed.at - last))
            }
            Some(last) => format!("last answer {} after", time(last - killed.at)),
        };
        format!("killed after {after}, {last}")
    }

    fn calls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = &self.results;
        let elapsed = results.elapsed();
        let pass_bytes = self.text_bytes as f64 * results.passes as f64;
        let per_second = pass_bytes / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let at = |quantile| time(Duration::from_nanos(results.latency.value_at_quantile(quantile)));
        writeln!(
            f,
            "  calls    {} in {}, {} in flight, each with up to {} of text",
            grouped(results.calls()),
            time(elapsed),
            grouped(self.in_flight as u64),
            bytes(self.piece_bytes as u64),
        )?;
        writeln!(
            f,
            "  calls/s  {} ({} of text)",
            grouped(results.calls_per_second().round() as u64),
            bytes(per_second as u64),
        )?;
        writeln!(f, "  latency  p50 {}, p99 {}, max {}", at(0.5), at(0.99), at(1.0))?;
        writeln!(f, "  retried  {}", grouped(results.retried))?;
        writeln!(f, "  failed   {}", grouped(results.failed))?;
        writeln!(f)
    }
}

/// As many as were asked for.
const WORDS_SHOWN: usize = 10;

const DIFFERENCES_SHOWN: usize = 5;

/// Characters of the longest bar.
const BAR_WIDTH: u64 = 20;
