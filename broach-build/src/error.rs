//! [`Error`]: all that is wrong, as a report for people.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::report;

/// Why the `.proto` files could not be compiled: every mistake in them, each with its file, line
/// and column, and the line itself.
///
/// A build script returns it from `main`, or unwraps it: `Debug` and `Display` both print the
/// report.
///
/// ```text
/// Error: the .proto files cannot be compiled: 1 error
///
/// proto/greeter.proto:7:16: name 'HelloRequst' is not defined
///   |
/// 7 |   rpc SayHello(HelloRequst) returns (HelloReply);
///   |                ^^^^^^^^^^^ found here
/// ```
///
/// Nothing has been written if there is one.
pub struct Error {
    /// At least one.
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    /// Lower-case, one line.
    pub(crate) message: String,
    /// Where; the first is the place to look at first.
    pub(crate) marks: Vec<Mark>,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

/// A marked stretch of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mark {
    pub(crate) text: Arc<Text>,
    /// The bytes that are marked.
    pub(crate) range: Range<usize>,
    pub(crate) label: String,
}

/// A file that has been read.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Text {
    /// The path as people are to see it.
    pub(crate) path: String,
    pub(crate) source: String,
}

impl Error {
    /// An error of these problems, unless there are none.
    pub(crate) fn unless_empty(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        // Two ways may lead to one mistake: a file that is given and also imported.
        let mut seen: Vec<Problem> = Vec::with_capacity(problems.len());
        problems.retain(|problem| {
            let is_new = !seen.contains(problem);
            if is_new {
                seen.push(problem.clone());
            }
            is_new
        });
        Err(Self { problems })
    }

    /// The report in colours, for a terminal. `Display` and `Debug` give it plain: Cargo shows what
    /// a build script prints as it is, be it to a terminal or to a log.
    pub fn coloured(&self) -> String {
        report::render(&self.problems, &report::COLOURED)
    }

    /// Each problem in one line: `file:line:column: message`.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(report::headline)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&report::render(&self.problems, &report::PLAIN))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl Problem {
    /// A problem that is in no file.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), marks: Vec::new(), help: None }
    }

    pub(crate) fn at(mut self, text: &Arc<Text>, range: Range<usize>, label: &str) -> Self {
        let mark = Mark::new(text, range, label);
        self.marks.push(mark);
        self
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        let help = Some(help.into());
        Self { help, ..self }
    }
}

impl Mark {
    /// Marks a stretch, or what there is of it.
    pub(crate) fn new(text: &Arc<Text>, range: Range<usize>, label: impl Into<String>) -> Self {
        let start = text.boundary(range.start);
        Self {
            text: Arc::clone(text),
            range: start..text.boundary(range.end).max(start),
            label: label.into(),
        }
    }
}

impl Text {
    /// The byte at a line and a column in it, both counted from 0, the column in bytes.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start = match line.checked_sub(1) {
            None => 0,
            Some(newline) => {
                let found = self.source.match_indices('\n').nth(newline);
                found.map_or(self.source.len(), |(at, _)| at + 1)
            }
        };
        self.boundary(start.saturating_add(column))
    }

    /// The line and the column of a byte as people and editors count them: from 1, in characters.
    pub(crate) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.source[..self.boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The nearest place at or before a byte where a character begins, within the text.
    fn boundary(&self, offset: usize) -> usize {
        let offset = offset.min(self.source.len());
        let is_boundary = |at: &usize| self.source.is_char_boundary(*at);
        (0..=offset).rev().find(is_boundary).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters() {
        let text = Text { path: "a.proto".into(), source: "é x\nyz".into() };
        assert_eq!(text.offset(0, 3), 3);
        assert_eq!(text.line_and_column(3), (1, 3));
        assert_eq!(text.offset(1, 1), 6);
        assert_eq!(text.line_and_column(6), (2, 2));
        assert_eq!(text.offset(9, 9), text.source.len());
        assert_eq!(text.offset(0, 1), 0, "within a character");
    }

    #[test]
    fn a_mistake_found_twice_is_told_once() {
        let problems = vec![Problem::new("a"), Problem::new("b"), Problem::new("a")];
        let error = Error::unless_empty(problems).unwrap_err();
        assert_eq!(error.lines().collect::<Vec<_>>(), ["a", "b"]);
        assert!(Error::unless_empty(Vec::new()).is_ok());
    }
}
