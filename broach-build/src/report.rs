//! How problems are shown: a headline, the lines they are about with a mark, and what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::error::{Mark, Problem};

/// The report of all problems, which are in the order in which they are to be told.
pub(crate) fn render(problems: &[Problem], renderer: &Renderer) -> String {
    let count = problems.len();
    let errors = if count == 1 { "error" } else { "errors" };
    let mut report = format!("the .proto files cannot be compiled: {count} {errors}\n");
    for problem in problems {
        report.push('\n');
        report.push_str(&render_one(problem, renderer));
        report.push('\n');
    }
    report
}

/// `file:line:column: message`, which terminals and editors make a link of.
pub(crate) fn headline(problem: &Problem) -> String {
    let Some(Mark { text, range, .. }) = problem.marks.first() else {
        return problem.message.clone();
    };
    let (line, column) = text.line_and_column(range.start);
    format!("{}:{line}:{column}: {}", text.path, problem.message)
}

fn render_one(problem: &Problem, renderer: &Renderer) -> String {
    if problem.marks.is_empty() {
        let help = problem.help.iter().map(|help| format!("\n  = help: {help}"));
        return headline(problem) + &help.collect::<String>();
    }
    let title = Level::ERROR.no_name().primary_title(headline(problem));
    let mut group = Group::with_title(title);
    let mut rest = &problem.marks[..];
    while let Some(first) = rest.first() {
        let same_file = |mark: &&Mark| mark.text == first.text;
        let (marks, others) = rest.split_at(rest.iter().take_while(same_file).count());
        let is_first_file = rest.len() == problem.marks.len();
        group = group.element(snippet(marks, is_first_file));
        rest = others;
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

/// The marked lines of one file. The first file's name is in the headline already.
fn snippet(marks: &[Mark], is_first_file: bool) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let annotations = marks.iter().enumerate().map(|(index, mark)| {
        let kind = if index == 0 && is_first_file {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        kind.span(mark.range.clone()).label(&*mark.label)
    });
    let text = marks.first().map(|mark| &*mark.text);
    let snippet = Snippet::source(text.map_or("", |text| &text.source));
    let path = text.filter(|_| !is_first_file).map(|text| &*text.path);
    snippet.path(path).annotations(annotations)
}

/// For logs, and for what Cargo shows.
pub(crate) const PLAIN: Renderer = Renderer::plain();

/// For terminals.
pub(crate) const COLOURED: Renderer = Renderer::styled();
