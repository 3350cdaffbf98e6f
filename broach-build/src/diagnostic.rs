//! From what protox and broach-codegen say of a file to a [`Problem`].

use std::collections::BTreeMap;
use std::error::Error;
use std::iter;
use std::sync::Arc;

use miette::Diagnostic;
use protox::prost_reflect::DescriptorPool;

use crate::error::{Mark, Problem, Text};

/// All that a diagnostic says of one file, itself and those that come with it, from top to bottom.
pub(crate) fn problems(diagnostic: &dyn Diagnostic, text: &Arc<Text>) -> Vec<Problem> {
    let related = diagnostic.related().into_iter().flatten();
    let diagnostics = iter::once(diagnostic).chain(related);
    let mut problems: Vec<Problem> = diagnostics.map(|one| problem(one, text)).collect();
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
        let text = texts.get(&place.file)?;
        let offset = |at: broach_codegen::Position| text.offset(at.line, at.column);
        Some(Mark::new(
            text,
            offset(place.start)..offset(place.end),
            &*place.label,
        ))
    });
    Problem {
        marks: marks.collect(),
        message: problem.message,
        help: Some(problem.help),
    }
}

fn problem(diagnostic: &dyn Diagnostic, text: &Arc<Text>) -> Problem {
    let mut message = diagnostic.to_string();
    let cause = diagnostic
        .source()
        .map(|cause: &dyn Error| cause.to_string());
    if let Some(cause) = cause.filter(|cause| !message.contains(cause)) {
        message = format!("{message}: {cause}");
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
        // The parser marks nothing when the file ends too early, as there is nothing to mark.
        let at_end = message.contains("end of file");
        let end = text.source.trim_end().len();
        let at = if at_end { end } else { 0 };
        let label = if at_end { "the file ends here" } else { "" };
        marks.push(Mark::new(text, at..at, label));
    }
    let help = diagnostic.help().map(|help| help.to_string());
    Problem {
        help: help.or_else(|| missing_import(&message)),
        message,
        marks,
    }
}

/// What to import for a type that comes with Protobuf.
fn missing_import(message: &str) -> Option<String> {
    let name = message
        .strip_prefix("name '")?
        .strip_suffix("' is not defined")?;
    let message = DescriptorPool::global().get_message_by_name(name)?;
    let file = message.parent_file();
    Some(format!("add `import \"{}\";`", file.name()))
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
