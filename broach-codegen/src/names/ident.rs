//! From a name in a `.proto` to an identifier in Rust, by the rules that prost-build has for
//! messages, so that all generated code is spelt alike.

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

/// Whether anything of a name is left in Rust: `_` and `__` are names in a `.proto`, but have
/// neither a letter nor a digit to make an identifier of.
pub(crate) fn is_nameable(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_alphanumeric())
}

/// The name of a module, a function or a field: `GetURL` becomes `get_url`.
pub(crate) fn snake(name: &str) -> String {
    legal(name.to_snake_case())
}

/// The name of a type: `get_URL` becomes `GetUrl`.
pub(crate) fn camel(name: &str) -> String {
    legal(name.to_upper_camel_case())
}

/// The name of a type that begins with `name` and ends with `suffix`.
///
/// The suffix goes on before keywords are dealt with: `self` gives `SelfClient`, not `Self_Client`.
pub(crate) fn camel_with(name: &str, suffix: &str) -> String {
    legal(format!("{}{suffix}", name.to_upper_camel_case()))
}

/// The name of a static: `FooBar` becomes `FOO_BAR`.
pub(crate) fn shouty(name: &str) -> String {
    legal(name.to_shouty_snake_case())
}

/// The name of an enum's value: without the enum's name in front, if a name remains.
pub(crate) fn variant(enum_camel: &str, value_camel: &str) -> String {
    let stripped =
        value_camel.strip_prefix(enum_camel).filter(|rest| rest.starts_with(char::is_uppercase));
    legal(stripped.unwrap_or(value_camel).to_owned())
}

/// Makes an identifier of a name that may be a keyword or begin with a digit.
fn legal(name: String) -> String {
    if KEYWORDS.contains(&&*name) {
        format!("r#{name}")
    } else if NEVER_RAW.contains(&&*name) {
        format!("{name}_")
    } else if name.starts_with(|c: char| c.is_numeric()) {
        format!("_{name}")
    } else {
        name
    }
}

/// Keywords that a raw identifier may spell.
const KEYWORDS: [&str; 47] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static",
    "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// Keywords that no raw identifier may spell, and `extern`, which prost-build treats likewise.
const NEVER_RAW: [&str; 5] = ["Self", "crate", "extern", "self", "super"];

#[cfg(test)]
mod tests {
    use prost_build::Module;

    use super::*;

    #[test]
    fn names_are_spelt_as_prost_build_spells_them() {
        let words = KEYWORDS.iter().chain(&NEVER_RAW).copied();
        for word in words.chain([
            "SayHello",
            "HTTPGet",
            "get_HTTP2_url",
            "_leading",
            "trailing_",
            "a__b",
            "9lives",
            "X1Y2",
            "v1beta1",
            "static_",
        ]) {
            let module = Module::from_protobuf_package_name(word);
            assert_eq!(Some(&*snake(word)), module.parts().next(), "{word}");
        }
    }

    #[test]
    fn suffixes_come_before_keywords() {
        assert_eq!(camel("self"), "Self_");
        assert_eq!(camel_with("self", "Client"), "SelfClient");
        assert_eq!(camel_with("_1", "Client"), "_1Client");
    }

    #[test]
    fn a_variant_loses_the_name_of_its_enum_only_where_a_word_ends() {
        assert_eq!(variant("Color", "ColorRed"), "Red");
        assert_eq!(variant("Color", "Colorful"), "Colorful");
        assert_eq!(variant("Color", "Color"), "Color");
        assert_eq!(variant("Color", "ColorSelf"), "Self_");
        assert_eq!(variant("Color", "Color2"), "Color2");
    }

    #[test]
    fn underscores_alone_are_no_name() {
        assert!(!is_nameable("__"));
        assert!(is_nameable("_1"));
    }
}
