//! From what protox and broach-codegen say of a file to a [`Problem`].

use std::collections::BTreeMap;
use std::error::Error;
use std::iter;
use std::sync::Arc;

use miette::Diagnostic;

use crate::error::{Mark, Problem, Text};
use crate::hints::{self, Known};

/// All that a diagnostic says of one file, itself and those that come with it, from top to bottom.
pub(crate) fn problems(
    diagnostic: &dyn Diagnostic,
    text: &Arc<Text>,
    known: &Known,
) -> Vec<Problem> {
    let related = diagnostic.related().into_iter().flatten();
    let diagnostics = iter::once(diagnostic).chain(related);
    let mut problems: Vec<Problem> = diagnostics.map(|one| problem(one, text, known)).collect();
    problems.sort_by_key(|problem| problem.marks.first().map(|mark| mark.range.start));
    problems
}

/// A problem with names, whose places are in any of the files.
pub(crate) fn naming(
    problem: broach_codegen::Problem,
    texts: &BTreeMap<String, Arc<Text>>,
) -> Problem {
    let places = problem.places.iter();
    let marks = places.filter_map(|place| {
        let text = texts.get(&place.file).filter(|text| !text.source.is_empty())?;
        let offset = |at: broach_codegen::Position| text.offset(at.line, at.column);
        Some(Mark::new(text, offset(place.start)..offset(place.end), &*place.label))
    });
    let marks: Vec<Mark> = marks.collect();
    let mut message = problem.message;
    if let (Some(place), true) = (problem.places.first(), marks.is_empty()) {
        // Known by its descriptor only.
        let (line, column) = (place.start.line + 1, place.start.column + 1);
        message = format!("{}:{line}:{column}: {message}", place.file);
    }
    Problem { marks, message, help: Some(problem.help) }
}

fn problem(diagnostic: &dyn Diagnostic, text: &Arc<Text>, known: &Known) -> Problem {
    let mut message = diagnostic.to_string();
    let help = diagnostic.help().map(|help| help.to_string());
    if help.as_ref().is_some_and(|help| help.starts_with("imports may not contain")) {
        // The parser calls it a group's name.
        message = "an import is no path from the file it is in".to_owned();
    }
    let cause = diagnostic.source().map(|cause: &dyn Error| cause.to_string());
    if let Some(cause) = cause.filter(|cause| !message.contains(cause)) {
        message = format!("{message}: {cause}");
    }
    if text.source.is_empty() && !message.contains("end of file") {
        // Known by its descriptor only.
        let message = format!("{}: {message}", text.path);
        return Problem { message, marks: Vec::new(), help };
    }
    let labels = diagnostic.labels().into_iter().flatten();
    let mut marks: Vec<Mark> = labels
        .map(|label| {
            let range = label.offset()..label.offset() + label.len();
            Mark::new(text, range, label.label().unwrap_or_default())
        })
        .collect();
    marks.sort_by_key(|mark| importance(&mark.label));
    if marks.is_empty() {
        marks.push(unmarked(&message, text));
    }
    let help = help.or_else(|| hints::hint(&message, text, known));
    Problem { message, marks, help }
}

/// A mark for a problem that comes without: the end of the file, if it ends too early, or the type
/// of the values of a map, which has no position of its own.
fn unmarked(message: &str, text: &Arc<Text>) -> Mark {
    let source = &text.source;
    if message.contains("end of file") {
        let end = source.trim_end().len();
        return Mark::new(text, end..end, "the file ends here");
    }
    let name = message.split('\'').nth(1).unwrap_or_default();
    let mut found = source.match_indices(name).map(|(at, _)| at..at + name.len());
    let in_a_map = found.find(|range| {
        source[..range.start].trim_end().ends_with(',')
            && source[range.end..].trim_start().starts_with('>')
    });
    match in_a_map {
        Some(range) => Mark::new(text, range, "found here"),
        None => Mark::new(text, 0..0, ""),
    }
}

/// Where to look first: at the mistake, then at what it has to do with.
fn importance(label: &str) -> u8 {
    if label.contains("found") || label.contains("again") {
        0
    } else if label.contains("first") || label.contains("range") || label.ends_with('…') {
        2
    } else {
        1
    }
}
