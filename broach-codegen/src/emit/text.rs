//! Lines of Rust, broken where rustfmt would break them.
//!
//! What is generated here has few forms, so it can be written formatted as it is. A formatter for
//! all of Rust that fits into a build script takes half as many lines again.

/// A list in brackets on one line if that fits, or with each item on a line of its own: the
/// parameters of a function or the arguments of a call.
///
/// `head` is what stands before it, such as `pub fn say_hello(`, and `tail` what follows, such as
/// `) -> u32 {`.
pub(super) fn listed(indent: usize, head: &str, items: &[String], tail: &str) -> String {
    let space = " ".repeat(indent);
    let line = format!("{space}{head}{}{tail}\n", items.join(", "));
    if line.chars().count() <= WIDTH_MAX + 1 {
        return line;
    }
    let items: String = items.iter().map(|item| format!("{space}    {item},\n")).collect();
    format!("{space}{head}\n{items}{space}{tail}\n")
}

/// The first line of an `impl`: `impl<..> Trait for Type {`.
pub(super) fn impl_for(generics: &str, of: &str, for_type: &str) -> String {
    let line = format!("impl{generics} {of} for {for_type} {{\n");
    if line.chars().count() <= WIDTH_MAX + 1 {
        return line;
    }
    format!("impl{generics} {of}\n    for {for_type}\n{{\n")
}

/// Indents every line that is not empty.
pub(super) fn indented(text: &str, indent: usize) -> String {
    let space = " ".repeat(indent);
    let lines = text.lines();
    lines
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{space}{line}\n") })
        .collect()
}

/// The width of a page, in characters.
pub(super) const WIDTH_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_on_one_line() {
        let items = ["a: u8".to_owned(), "b: u8".to_owned()];
        assert_eq!(listed(4, "fn f(", &items, ") {"), "    fn f(a: u8, b: u8) {\n");
        let name = "f".repeat(77);
        let line = listed(4, &format!("fn {name}("), &items, ") {");
        assert_eq!(line.len(), WIDTH_MAX + 1, "with the end of the line");
        let head = format!("fn f{name}(");
        assert_eq!(
            listed(4, &head, &items, ") {"),
            format!("    {head}\n        a: u8,\n        b: u8,\n    ) {{\n")
        );
        assert_eq!(indented("a\n\nb", 2), "  a\n\n  b\n");
    }
}
