//! A package with the generated code of many files, each in a module of its own with all that it
//! imports: rustc and clippy check it without a warning allowed, and its program decodes and
//! encodes messages for another implementation to compare.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use syn::Item;

use crate::corpus::{Corpus, File};
use crate::generate::{Outcome, one};

/// Writes the package; false if a file could not be generated that should have been.
pub(crate) fn write(
    corpora: &[Corpus],
    out: &Path,
    list: Option<&Path>,
    sample: Option<usize>,
) -> io::Result<bool> {
    let files = match list {
        Some(list) => listed(corpora, &fs::read_to_string(list)?)?,
        None => corpora.iter().flat_map(|corpus| &corpus.files).collect(),
    };
    let files = spread(files, sample);
    fs::create_dir_all(out.join("src"))?;
    let mut modules = Vec::new();
    let mut refused = 0;
    for file in &files {
        let name = format!("f{}", modules.len());
        let dir = out.join("src").join(&name);
        match one(file, &dir, None) {
            Outcome::Generated => modules.push(Module::new(name, file, &dir)?),
            outcome => {
                refused += 1;
                if list.is_some() {
                    println!("{}: {outcome:?}", file.path.display());
                }
            }
        }
    }
    fs::write(out.join("src/lib.rs"), lib_rs(&modules))?;
    fs::write(out.join("src/main.rs"), include_str!("package/main_rs.txt"))?;
    fs::write(out.join("Cargo.toml"), manifest())?;
    let types: usize = modules.iter().map(|module| module.messages.len()).sum();
    println!("{} files with {types} messages, and {refused} refused", modules.len());
    Ok(list.is_none() || refused == 0)
}

/// The files that a list names, as far as their corpora have been fetched.
fn listed<'a>(corpora: &'a [Corpus], list: &str) -> io::Result<Vec<&'a File>> {
    let mut found = Vec::new();
    let mut not_fetched = BTreeSet::new();
    for line in list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, path) = line.split_once(' ').unwrap_or((line, ""));
        let Some(corpus) = corpora.iter().find(|corpus| corpus.name == name) else {
            not_fetched.insert(name);
            continue;
        };
        let file = corpus.files.iter().find(|file| file.path.ends_with(path));
        found.push(file.ok_or_else(|| io::Error::other(format!("{name} has no {path}")))?);
    }
    if !not_fetched.is_empty() {
        let names: Vec<&str> = not_fetched.into_iter().collect();
        println!("left out, as they were not fetched: files of {}", names.join(", "));
    }
    Ok(found)
}

fn spread(files: Vec<&File>, sample: Option<usize>) -> Vec<&File> {
    let Some(wanted) = sample.filter(|wanted| *wanted < files.len()) else {
        return files;
    };
    (0..wanted).map(|index| files[index * files.len() / wanted]).collect()
}

/// The generated code of one file.
struct Module {
    name: String,
    path: PathBuf,
    /// The paths of its messages within it.
    messages: Vec<String>,
}

impl Module {
    fn new(name: String, file: &File, dir: &Path) -> io::Result<Self> {
        let mod_rs = fs::read_to_string(dir.join("mod.rs"))?;
        let mut messages = Vec::new();
        let items = syn::parse_file(&mod_rs).map_err(io::Error::other)?.items;
        find(&items, dir, &name, &mut messages)?;
        Ok(Self { name, path: file.path.clone(), messages })
    }
}

/// Notes the messages among items and in the files that they include.
fn find(items: &[Item], dir: &Path, path: &str, messages: &mut Vec<String>) -> io::Result<()> {
    for item in items {
        match item {
            // The macros of generated code are includes, and bring their file in where they stand.
            Item::Macro(include) => {
                let tokens = include.mac.tokens.to_string();
                let text = fs::read_to_string(dir.join(tokens.trim_matches('"')))?;
                find(
                    &syn::parse_file(&text).map_err(io::Error::other)?.items,
                    dir,
                    path,
                    messages,
                )?;
            }
            Item::Mod(module) => {
                let inner = module.content.as_ref().map_or(&[][..], |(_, items)| items);
                // What has no package can be named beside the module it is in only.
                let path = match module.ident.to_string() {
                    name if name == "no_package_" => path.to_owned(),
                    name => format!("{path}::{name}"),
                };
                find(inner, dir, &path, messages)?;
            }
            Item::Struct(message) => {
                let is_message = message.attrs.iter().any(|attribute| {
                    let text = match &attribute.meta {
                        syn::Meta::List(list) => list.tokens.to_string(),
                        _ => String::new(),
                    };
                    attribute.path().is_ident("derive") && text.contains("Message")
                });
                if is_message {
                    messages.push(format!("{path}::{}", message.ident));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn lib_rs(modules: &[Module]) -> String {
    let mut text = include_str!("package/lib_rs.txt").to_owned();
    for Module { name, path, .. } in modules {
        let path = path.display();
        text.push_str(&format!("\n/// `{path}`.\npub mod {name};\n"));
    }
    text.push_str(
        "\n/// All of them.\n#[allow(deprecated)]\npub const TYPES: &[fn() -> Type] = &[\n",
    );
    for message in modules.iter().flat_map(|module| &module.messages) {
        text.push_str(&format!("    Type::of::<{message}>,\n"));
    }
    text.push_str("];\n");
    text
}

fn manifest() -> String {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../broach-core");
    format!(
        "[package]
name = \"generated\"
version = \"0.0.0\"
edition = \"2024\"

[dependencies]
broach-core = {{ path = {core:?}, features = [\"descriptors\"] }}

[profile.dev]
debug = false

[workspace]
"
    )
}
