//! Comments on their way through prost-build.
//!
//! prost-build mends comments of messages with patterns of its own, which leave some things that
//! rustdoc trips over and spoil others. So they are cleaned before it sees them, disguised in
//! characters that its patterns pass by, and the disguise is taken off what it has written.
//! Services are left alone: their comments go to broach-codegen, which cleans them itself.

use prost_types::FileDescriptorProto;

/// Cleans the comments of all messages and enums of a file, and disguises them.
pub(crate) fn disguise(file: &mut FileDescriptorProto) {
    let info = file.source_code_info.as_mut();
    for location in info.into_iter().flat_map(|info| &mut info.location) {
        // They would become plain comments, which the formatter drops.
        location.leading_detached_comments.clear();
        if location.path.first() == Some(&SERVICE) {
            continue;
        }
        let comments = [&mut location.leading_comments, &mut location.trailing_comments];
        for comment in comments.into_iter().flatten() {
            let lines = broach_codegen::clean_comment(comment);
            let lines: Vec<String> = lines.iter().map(|line| disguised(line)).collect();
            *comment = lines.join("\n");
        }
    }
}

/// Takes the disguise off what prost-build has generated.
pub(crate) fn undisguise(text: &str) -> String {
    text.replace([START, GAP], "").replace(BRACKET, "[")
}

fn disguised(line: &str) -> String {
    if line.is_empty() {
        return String::new();
    }
    let line = line.replace("://", &format!(":{GAP}//"));
    format!("{START}{}", line.replace('[', &BRACKET.to_string()))
}

/// The field of a file's descriptor that holds its services.
const SERVICE: i32 = 6;

// Cleaned comments hold no character of private use.

/// Stands before each line, so that its indentation is kept.
const START: char = '\u{e000}';
/// Keeps URLs from being put into angle brackets, which they are in where they need to be.
const GAP: char = '\u{e001}';
/// Stands for an opening bracket, which would be escaped.
const BRACKET: char = '\u{e002}';

#[cfg(test)]
mod tests {
    use prost_types::SourceCodeInfo;
    use prost_types::source_code_info::Location;

    use super::*;

    #[test]
    fn comments_come_through_as_they_are_cleaned() {
        let comment = " See https://a.org, [b] and `[c]`.\n\n     code [d]\n";
        let location = |path: &[i32]| Location {
            path: path.to_vec(),
            leading_comments: Some(comment.to_owned()),
            ..Location::default()
        };
        let mut file = FileDescriptorProto {
            source_code_info: Some(SourceCodeInfo {
                location: vec![location(&[4, 0]), location(&[6, 0])],
            }),
            ..FileDescriptorProto::default()
        };
        disguise(&mut file);
        let info = file.source_code_info.unwrap();
        let [message, service] = &info.location[..] else {
            panic!("there were two");
        };
        let disguised = message.leading_comments.as_deref().unwrap();
        assert!(!disguised.contains("://") && !disguised.contains('['));
        assert_eq!(
            undisguise(disguised),
            "See <https://a.org>, \\[b] and `[c]`.\n\n```text\ncode [d]\n```"
        );
        assert_eq!(service.leading_comments.as_deref(), Some(comment));
    }
}
