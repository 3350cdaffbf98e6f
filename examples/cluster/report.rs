//! [`Report`]: what the run came to, as a page of text.

use std::fmt;
use std::time::{Duration, Instant};

use crate::figures::{bytes, count_of, grouped, shortened, time};
use crate::processes::Noticed;
use crate::results::{NodeCalls, Results};
use crate::timeline::{Columns, bar};
use crate::words::{Difference, Tally};

/// What there is to say once the run is over.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) files: usize,
    pub(crate) files_skipped: usize,
    /// Of the files together.
    pub(crate) text_bytes: usize,
    pub(crate) in_flight: usize,
    /// Of the longest chunk.
    pub(crate) chunk_bytes: usize,
    /// What this process counted, in the text as a whole.
    pub(crate) expected: Tally,
    pub(crate) results: Results,
    /// What else went wrong.
    pub(crate) problems: Vec<String>,
}

impl Report {
    /// All that must not be; nothing if the run was a success.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let Results { failed, strangers, failures, .. } = &self.results;
        let mut wrong = Vec::new();
        if 0 < *failed {
            let failed = count_of(*failed, "call");
            wrong.push(format!("{failed} failed, so the run was cut short and nothing compared"));
            let told = failures.iter().map(|status| format!("{status:#}").replace('\n', "\n  "));
            wrong.extend(told);
        } else {
            self.compare(&mut wrong);
        }
        let strange: u64 = strangers.iter().map(|node| node.calls).sum();
        if 0 < strange {
            wrong.push(format!("{} answered by other nodes", count_of(strange, "call")));
        }
        wrong.extend_from_slice(&self.problems);
        wrong
    }

    /// Compares the totals with what was counted here, word by word.
    fn compare(&self, wrong: &mut Vec<String>) {
        let differences = self.results.tally.differences(&self.expected.times(self.results.passes));
        if differences.is_empty() {
            return;
        }
        let words = count_of(differences.len() as u64, "word");
        wrong.push(format!("{words} counted by the nodes otherwise than here"));
        for Difference { word, here, there } in differences.iter().take(DIFFERENCES_SHOWN) {
            let (word, here, there) = (shortened(word), grouped(*here), grouped(*there));
            wrong.push(format!("  {word}: {here} instead of {there}"));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input(f)?;
        self.words(f)?;
        self.nodes(f)?;
        self.calls(f)?;
        let wrong = self.wrong();
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
        let head = ("word".to_owned(), "times".to_owned());
        let rows = words.into_iter().map(|(word, count)| (shortened(word), grouped(count)));
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        let width = rows.iter().map(|(word, _)| word.chars().count()).max().unwrap_or_default();
        let digits = rows.iter().map(|(_, count)| count.len()).max().unwrap_or_default();
        for (word, count) in rows {
            writeln!(f, "  {word:width$}  {count:>digits$}")?;
        }
        writeln!(f)
    }

    fn nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = &self.results;
        let all = results.calls().max(1) as f64;
        let columns = Columns::over(results.elapsed(), results.stretch);
        let sums = |node: &NodeCalls| node.timeline.sums(columns);
        let most = results.nodes.iter().flat_map(sums).max().unwrap_or_default();
        let head = format!("over time, {} for each column", time(columns.width));
        writeln!(f, "  node  {:21}  {:>11}   share  {head}", "address", "calls")?;
        for (index, node) in results.nodes.iter().enumerate() {
            let line: String =
                sums(node).into_iter().map(|calls| bar(calls, most).unwrap_or('.')).collect();
            writeln!(
                f,
                "  {:>4}  {:21}  {:>11}  {:>4.1} %  {line}",
                index + 1,
                node.addr.to_string(),
                grouped(node.calls),
                node.calls as f64 / all * 100.0,
            )?;
        }
        writeln!(f)
    }

    /// Who went, and who came.
    fn changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Results { killed, newcomer, nodes, started, last_sent, noticed, .. } = &self.results;
        if let Some(killed) = killed {
            let after = time(killed.at - *started);
            writeln!(f, "  killed   node {} after {after}", killed.index + 1)?;
            let (sent, answered) = (*last_sent, nodes[killed.index].last);
            writeln!(f, "           last call to it {}", beside(sent, killed.at))?;
            writeln!(f, "           last answer from it {}", beside(answered, killed.at))?;
            writeln!(f, "           {}", notices(noticed, killed.at))?;
        }
        if let Some(newcomer) = newcomer {
            let (number, after) = (newcomer.index + 1, time(newcomer.at - *started));
            let NodeCalls { calls, first, .. } = &nodes[newcomer.index];
            writeln!(f, "  joined   node {number}, started after {after}")?;
            writeln!(f, "           first answer from it {}", beside(*first, newcomer.at))?;
            writeln!(f, "           {} answered by it", count_of(*calls, "call"))?;
        }
        Ok(())
    }

    fn calls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = &self.results;
        let elapsed = results.elapsed();
        let text_bytes = self.text_bytes as f64 * results.passes as f64;
        let at = |quantile| time(Duration::from_nanos(results.latency.value_at_quantile(quantile)));
        writeln!(
            f,
            "  calls    {} in {}, {} in flight, each with up to {} of text",
            grouped(results.calls()),
            time(elapsed),
            grouped(self.in_flight as u64),
            bytes(self.chunk_bytes as u64),
        )?;
        writeln!(
            f,
            "  calls/s  {}, which is {} of text",
            grouped(per_second(results.calls() as f64, elapsed).round() as u64),
            bytes(per_second(text_bytes, elapsed) as u64),
        )?;
        writeln!(f, "  latency  p50 {}, p99 {}, max {}", at(0.5), at(0.99), at(1.0))?;
        writeln!(f, "  retried  {}", grouped(results.retried))?;
        writeln!(f, "  failed   {}", grouped(results.failed))?;
        self.changes(f)?;
        writeln!(f)
    }
}

/// When something was, beside something else.
fn beside(at: Option<Instant>, other: Instant) -> String {
    match at {
        None => "never".to_owned(),
        Some(at) if at < other => format!("{} before", time(other - at)),
        Some(at) => format!("{} after", time(at - other)),
    }
}

/// How long it took until everybody had noticed.
fn notices(noticed: &[Noticed], killed: Instant) -> String {
    let late: Vec<_> = noticed.iter().filter(|noticed| noticed.at.is_none()).collect();
    if !late.is_empty() {
        let late: Vec<_> = late.iter().map(|late| late.by.as_str()).collect();
        return format!("not called dead in time by {}", late.join(", "));
    }
    let last = noticed.iter().max_by_key(|noticed| noticed.at);
    match last.and_then(|last| Some((&last.by, last.at?))) {
        None => "nobody left to call it dead".to_owned(),
        Some((by, at)) => {
            let at = beside(Some(at), killed);
            format!("called dead by all {} others {at}, last by {by}", noticed.len())
        }
    }
}

fn per_second(amount: f64, elapsed: Duration) -> f64 {
    match elapsed.as_secs_f64() {
        0.0 => 0.0,
        seconds => amount / seconds,
    }
}

const WORDS_SHOWN: usize = 10;

const DIFFERENCES_SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use broach_core::Status;

    use super::*;
    use crate::processes::Killed;
    use crate::results::{Answer, CallEnd, Newcomer};

    /// A text of two words, counted twice by two nodes of which the second was killed.
    fn report() -> Report {
        let addrs: Vec<SocketAddr> = [1, 2].map(|port| ([127, 0, 0, 1], port).into()).to_vec();
        let mut results = Results::new(addrs.clone(), Duration::from_secs(1));
        results.passes = 2;
        results.tally = Tally::of("to be to be");
        let started = results.started;
        let after = |millis| started + Duration::from_millis(millis);
        for (peer, millis) in [(addrs[0], 500), (addrs[1], 250)] {
            let answer = Answer { peer: Some(peer), attempts: 1 };
            results.add(CallEnd { started, ended: after(millis), result: Ok(answer) });
        }
        results.killed = Some(Killed { index: 1, at: after(200) });
        results.last_sent = Some(after(210));
        results.noticed = vec![Noticed { by: "the caller".to_owned(), at: Some(after(4_200)) }];
        results.newcomer = Some(Newcomer { index: 2, at: after(400) });
        results.add_node(([127, 0, 0, 1], 3).into());
        Report {
            files: 1,
            files_skipped: 0,
            text_bytes: 6,
            in_flight: 64,
            chunk_bytes: 8192,
            expected: Tally::of("to be"),
            results,
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_success_is_told_in_full() {
        let shown = report().to_string();
        for line in [
            "counted 2 times: 1 file, 6 B, 2 words, of them 2 different",
            "  to        2",
            "  calls    2 in 500.00 ms, 64 in flight, each with up to 8.0 KiB of text",
            "  calls/s  4, which is 24 B of text",
            "     1  127.0.0.1:1                      1  50.0 %  .....",
            "  killed   node 2 after 200.00 ms",
            "           last call to it 10.00 ms after",
            "           last answer from it 50.00 ms after",
            "           called dead by all 1 others 4.00 s after, last by the caller",
            "  joined   node 3, started after 400.00 ms",
            "           first answer from it never",
            "           0 calls answered by it",
            "OK: the totals of all 2 words are 2 times the count made here",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line:?} is not in\n{shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    }

    #[test]
    fn whoever_has_not_noticed_is_named_and_that_is_no_failure() {
        let mut report = report();
        report.results.noticed.push(Noticed { by: "node 4".to_owned(), at: None });
        assert!(report.to_string().contains("not called dead in time by node 4"), "{report}");
        assert!(report.wrong().is_empty());
    }

    #[test]
    fn a_word_that_was_counted_otherwise_is_named() {
        let mut report = report();
        report.results.tally = Tally::of("to be to bee");
        let shown = report.to_string();
        assert!(shown.contains("FAILED:\n  2 words counted by the nodes otherwise"), "{shown}");
        assert!(shown.contains("be: 1 instead of 2") && shown.contains("bee: 1 instead of 0"));
    }

    #[test]
    fn a_call_that_failed_is_told_and_nothing_compared() {
        let mut report = report();
        let now = report.results.started;
        let failed = Err(Status::unavailable("nobody is there"));
        report.results.add(CallEnd { started: now, ended: now, result: failed });
        report.results.tally = Tally::of("to");
        let shown = report.to_string();
        assert!(shown.contains("FAILED:\n  1 call failed"), "{shown}");
        assert!(shown.contains("  UNAVAILABLE: nobody is there\n    outcome: Executed"), "{shown}");
        assert!(!shown.contains("instead of"), "{shown}");
    }

    #[test]
    fn other_problems_make_it_a_failure() {
        let mut report = report();
        report.problems.push("node 1 ended before its time".to_owned());
        assert_eq!(report.wrong(), ["node 1 ended before its time"]);
    }
}
