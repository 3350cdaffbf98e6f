//! From the comments of a `.proto` to doc comments that rustdoc has nothing to say about.
//!
//! Whoever writes a comment in a `.proto` does not think of rustdoc, which would run indented text
//! as a test, look `[brackets]` up as items, take `<T>` for HTML, and complain of a bare URL. The
//! text is read by the parser that rustdoc itself uses, and what rustdoc would take for more than
//! text is marked as text.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

/// Cleans a comment, given as the lines between the comment signs: gives the lines of a doc
/// comment, without `///`.
pub fn clean(comment: &str) -> Vec<String> {
    let mut text = plain(comment);
    for _ in 0..ROUNDS_MAX {
        let mut edits = edits(&text, EXTENDED);
        if edits.is_empty() {
            edits = self::edits(&text, PLAIN);
        }
        if edits.is_empty() {
            return text.lines().map(str::to_owned).collect();
        }
        text = apply(&text, edits);
    }
    // Whatever this is, nothing is looked for within a block of text.
    let fence = fence_around(&text, '`');
    let lines = plain(comment);
    [format!("{fence}text")]
        .into_iter()
        .chain(lines.lines().map(str::to_owned))
        .chain([fence])
        .collect()
}

/// A piece of the text and what to put in its place.
struct Edit {
    range: Range<usize>,
    with: String,
}

impl Edit {
    fn insert(at: usize, with: impl Into<String>) -> Self {
        let with = with.into();
        Self { range: at..at, with }
    }
}

/// The text without the indentation that all its lines share, without blank lines around it, and
/// without characters that rustc does not allow in comments.
fn plain(comment: &str) -> String {
    // The second star of `/**`: text has a space before it.
    let comment = comment.strip_prefix('*').unwrap_or(comment);
    let lines: Vec<String> = comment
        .lines()
        .map(|line| {
            let line = line.replace('\t', "    ");
            line.trim_end().replace(is_forbidden, "\u{fffd}")
        })
        .collect();
    let indent_of = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let written = || lines.iter().filter(|line| !line.is_empty());
    let indent = written().map(indent_of).min().unwrap_or(0);
    let text: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
    text.join("\n").trim_matches('\n').to_owned()
}

/// Control characters; those that change the direction of text, which rustc refuses; and those of
/// private use, which nobody can read anyway and which mean something to broach-build.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e000}'..='\u{f8ff}')
}

/// What there is to mend. It may uncover more: a block of HTML becomes text with its own links.
fn edits(text: &str, options: Options) -> Vec<Edit> {
    let mut unknown_links = Vec::new();
    let mut edits = Vec::new();
    let mut note_unknown = |link: pulldown_cmark::BrokenLink<'_>| {
        unknown_links.push(link.span.start);
        None
    };
    let events = Parser::new_with_broken_link_callback(text, options, Some(&mut note_unknown));
    for (_, definition) in events.reference_definitions().iter() {
        // rustdoc looks up where they lead even if nothing refers to them.
        if !is_address(LinkType::Reference, &definition.dest) {
            edits.push(Edit::insert(definition.span.start, "\\"));
        }
    }
    // Within a link or a block of code a URL is part of it.
    let mut inside = 0_u32;
    let mut run: Option<Range<usize>> = None;
    for (event, range) in events.into_offset_iter() {
        if let (Event::Text(_), 0) = (&event, inside) {
            // The parser gives one piece of text in many, such as at each underscore.
            run = match run {
                Some(run) if run.end == range.start => Some(run.start..range.end),
                Some(run) => {
                    edits.extend(bare_urls(text, run));
                    Some(range)
                }
                None => Some(range),
            };
            continue;
        }
        edits.extend(run.take().into_iter().flat_map(|run| bare_urls(text, run)));
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                inside += 1;
                edits.extend(as_text_block(text, range, &info));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                inside += 1;
                edits.push(fenced(text, range));
            }
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                inside += 1;
                if !is_address(link_type, &dest_url) {
                    edits.push(Edit::insert(range.start, "\\"));
                }
            }
            Event::Start(Tag::Image { .. }) => inside += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Link | TagEnd::Image) => inside -= 1,
            Event::Html(_) | Event::InlineHtml(_) => {
                let signs = text[range.clone()].match_indices('<');
                edits.extend(signs.map(|(at, _)| Edit::insert(range.start + at, "\\")));
            }
            // What follows a box is a block to one version of the parser and text to another.
            Event::TaskListMarker(_) => edits.push(Edit::insert(range.start, "\\")),
            _ => {}
        }
    }
    edits.extend(run.into_iter().flat_map(|run| bare_urls(text, run)));
    edits.extend(unknown_links.into_iter().map(|at| Edit::insert(at, "\\")));
    edits
}

/// Applies edits from the end to the beginning. Where two overlap, one is left for the next round.
fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    edits.dedup_by(|later, earlier| {
        later.range.start < earlier.range.end || later.range == earlier.range
    });
    let mut text = text.to_owned();
    for edit in edits.into_iter().rev() {
        text.replace_range(edit.range, &edit.with);
    }
    text
}

/// Puts `<` and `>` around the URLs in a run of text.
fn bare_urls(text: &str, run: Range<usize>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = run.start;
    while let Some(found) = text[at..run.end].find("http") {
        let start = at + found;
        let rest = &text[start..run.end];
        at = start + "http".len();
        if !rest.starts_with("http://") && !rest.starts_with("https://") {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "<>\"'`()[]{}|\\^*".contains(c);
        let end = rest.find(ends).unwrap_or(rest.len());
        let url = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?']);
        if url.ends_with("://") || !url.contains("://") {
            continue; // A scheme alone is no address.
        }
        at = start + url.len();
        edits.push(Edit::insert(start, "<"));
        edits.push(Edit::insert(at, ">"));
    }
    edits
}

/// Whether a link leads to an address; rustdoc takes all else for the path of an item.
fn is_address(link_type: LinkType, destination: &str) -> bool {
    matches!(link_type, LinkType::Autolink | LinkType::Email)
        || destination.contains("://")
        || destination.starts_with("mailto:")
        || destination.starts_with('#')
}

/// Makes a fenced block of code one of text, which nobody compiles, and closes it if it is open.
fn as_text_block(text: &str, range: Range<usize>, info: &str) -> Vec<Edit> {
    let block = &text[range.clone()];
    let first_line = block.lines().next().unwrap_or_default();
    let Some(sign @ ('`' | '~')) = first_line.chars().next() else {
        return Vec::new();
    };
    let fence = &first_line[..first_line.len() - first_line.trim_start_matches(sign).len()];
    let mut edits = Vec::new();
    if info != "text" {
        let range = range.start + fence.len()..range.start + first_line.len();
        let with = "text".to_owned();
        edits.push(Edit { range, with });
    }
    let is_closed = block.lines().skip(1).last().is_some_and(|line| {
        let line = line.trim_start_matches([' ', '>']).trim_end();
        fence.len() <= line.len() && line.chars().all(|c| c == sign)
    });
    if !is_closed {
        let prefix = prefix_of_line(text, range.start);
        let end = range.end - (block.len() - block.trim_end_matches('\n').len());
        edits.push(Edit::insert(end, format!("\n{prefix}{fence}")));
    }
    edits
}

/// Puts fences around an indented block of code, and takes its indentation away.
fn fenced(text: &str, range: Range<usize>) -> Edit {
    let line_start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = range.start + text[range.clone()].trim_end_matches('\n').len();
    let prefix = prefix_of_line(text, range.start);
    let prefix = prefix.get(..prefix.len().saturating_sub(4)).unwrap_or_default();
    let block = &text[line_start..end];
    let fence = fence_around(block, '`');
    let mut with = format!("{prefix}{fence}text\n");
    for line in block.lines() {
        let code = line.get(prefix.len() + 4..).unwrap_or_default();
        with.push_str(format!("{prefix}{code}").trim_end());
        with.push('\n');
    }
    with.push_str(prefix);
    with.push_str(&fence);
    let range = line_start..end;
    Edit { range, with }
}

/// What stands before a block on its first line, made to stand before other lines too: the signs
/// of a quotation stay, all else, such as the sign of a list item, becomes space.
fn prefix_of_line(text: &str, at: usize) -> String {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let keep = |c| if c == '>' { '>' } else { ' ' };
    text[line_start..at].chars().map(keep).collect()
}

/// A fence longer than any within the text.
fn fence_around(text: &str, sign: char) -> String {
    let runs = text.split(|c| c != sign).map(str::len);
    sign.to_string().repeat(runs.max().unwrap_or(0).max(2) + 1)
}

/// Markdown as rustdoc looks for tests in it.
const PLAIN: Options = Options::empty();

/// Markdown as rustdoc shows it, which differs: a box to tick is text in the other.
const EXTENDED: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS);

/// After so many rounds a comment counts as hopeless. Each round deals with all it sees, and what
/// it uncovers is nested one deeper, so a handful is enough for whatever people write.
const ROUNDS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Cleans, and asserts that there is nothing left to clean.
    fn cleaned(comment: &str) -> String {
        let lines = clean(comment).join("\n");
        assert_eq!(clean(&lines).join("\n"), lines, "cleaning again changed it");
        lines
    }

    #[test]
    fn the_indentation_shared_by_all_lines_goes() {
        assert_eq!(cleaned(" One.\n\n  - two\n  - three\n"), "One.\n\n - two\n - three");
        assert_eq!(cleaned("\n\t tabbed\r\n\n"), "tabbed");
        assert_eq!(cleaned("*\n Javadoc.\n\n * list\n"), "Javadoc.\n\n* list");
        assert_eq!(cleaned(""), "");
    }

    #[test]
    fn indented_code_is_text() {
        assert_eq!(
            cleaned(" Run:\n\n     let x = [1];\n\n       x.y();\n\n Then go."),
            "Run:\n\n```text\nlet x = [1];\n\n  x.y();\n```\n\nThen go."
        );
        assert_eq!(
            cleaned("- item\n\n      code ```\n\n  more"),
            "- item\n\n  ````text\n  code ```\n  ````\n\n  more"
        );
        assert_eq!(cleaned("> quote\n>\n>     code"), "> quote\n>\n> ```text\n> code\n> ```");
    }

    #[test]
    fn fenced_code_is_text_and_ends() {
        assert_eq!(cleaned("```\nx()\n```"), "```text\nx()\n```");
        assert_eq!(cleaned("~~~rust,no_run\nx()\n~~~"), "~~~text\nx()\n~~~");
        assert_eq!(cleaned("Open:\n```json\n{}"), "Open:\n```text\n{}\n```");
        assert_eq!(cleaned("- a\n  ```\n  x"), "- a\n  ```text\n  x\n  ```");
        assert_eq!(cleaned("```"), "```text\n```");
    }

    #[test]
    fn brackets_are_no_links_to_items() {
        assert_eq!(cleaned("a [b] c [d][e] [f]"), r"a \[b] c \[d]\[e] \[f]");
        assert_eq!(cleaned("[x](Foo::bar)"), r"\[x](Foo::bar)");
        assert_eq!(cleaned("[x](https://x.org)"), "[x](https://x.org)");
        assert_eq!(cleaned("[x][y]\n\n[y]: Foo"), "\\[x]\\[y]\n\n\\[y]: Foo");
        assert_eq!(cleaned("in `[code]`"), "in `[code]`");
    }

    #[test]
    fn angles_are_no_html() {
        assert_eq!(cleaned("a Vec<T> and <b>"), r"a Vec\<T> and \<b>");
        assert_eq!(cleaned("<pre>\n\n    code\n</pre>"), "\\<pre>\n\n```text\ncode\n```\n\\</pre>");
        assert_eq!(cleaned("1 < 2 > 0"), "1 < 2 > 0");
    }

    #[test]
    fn urls_become_links() {
        assert_eq!(
            cleaned("See https://a.org/b_c/d_e?f=1&g=2. (http://b.org)"),
            "See <https://a.org/b_c/d_e?f=1&g=2>. (<http://b.org>)"
        );
        assert_eq!(cleaned("<https://a.org> `https://b.org`"), "<https://a.org> `https://b.org`");
        assert_eq!(cleaned("http://, https:// and http"), "http://, https:// and http");
        assert_eq!(cleaned("a *https://a.org*"), "a *<https://a.org>*");
    }

    #[test]
    fn signs_that_rustc_refuses_are_replaced() {
        assert_eq!(cleaned("a\rb\u{202e}c\u{0}d\u{e000}"), "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}");
        assert_eq!(cleaned("/* not the end */ */"), "/* not the end */ */");
    }

    #[test]
    fn whatever_is_written_cleaning_ends() {
        let pieces =
            "[|]|(|)|<|>|`|```|~~~|\n|    |- |> |x|https://a.b/|- [ ] |[^1]: |*|_|\\|!|:|é";
        let pieces: Vec<&str> = pieces.split('|').chain(["|"]).collect();
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut comment = String::new();
            for _ in 0..24 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                comment.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            let lines = clean(&comment).join("\n");
            for options in [PLAIN, EXTENDED] {
                assert!(edits(&lines, options).is_empty(), "{comment:?} became {lines:?}");
            }
        }
    }
}
