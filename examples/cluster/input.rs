//! [`Input`]: the text that is counted, read from files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// All text, and where it came from.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The files one after the other, each on a line of its own.
    pub(crate) text: String,
    pub(crate) files: usize,
    /// What the files have together, which is less than the text has.
    pub(crate) bytes: usize,
    pub(crate) skipped: Vec<Skipped>,
}

/// A file, or a folder, that is not counted.
#[derive(Debug)]
pub(crate) struct Skipped {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

/// Why there is nothing to count.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// A path that was named cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A file that was named holds something else.
    #[error("{} is not text in UTF-8", path.display())]
    NotText { path: PathBuf },
    /// There is not a single word.
    #[error("there are no words to count in {}", listed(inputs))]
    Empty { inputs: Vec<PathBuf> },
    /// All of it is held in memory, which has to end somewhere.
    #[error("more than {} MiB of text: name less of it with --input", TEXT_BYTES_MAX >> 20)]
    TooLong,
    /// The program has been moved away from where it was built.
    #[error(
        "the repository that this program was built from is no longer at {}: say with --input \
         what to count",
        path.display()
    )]
    NoRepository { path: PathBuf },
}

impl Input {
    /// Reads these files, and all text in these folders, in the order of their names.
    ///
    /// A file that was named has to be text; one found in a folder is left out if it is not.
    ///
    /// # Errors
    ///
    /// If a path cannot be read, or there is too much text.
    pub(crate) fn of_paths(paths: &[PathBuf]) -> Result<Self, InputError> {
        let mut input = Self::default();
        for path in paths {
            let unreadable = |source| InputError::Unreadable { path: path.clone(), source };
            if path.metadata().map_err(unreadable)?.is_dir() {
                input.add_folder(path, |_| true)?;
                continue;
            }
            match input.add_file(path)? {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(InputError::NotText { path: path.clone() });
                }
                Err(error) => return Err(unreadable(error)),
            }
        }
        Ok(input)
    }

    /// Reads every source and Markdown file of the repository that this program was built from.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub(crate) fn of_repository() -> Result<Self, InputError> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The package is a folder of the repository.
        let root = package.parent().unwrap_or(package);
        if !package.join("Cargo.toml").is_file() {
            return Err(InputError::NoRepository { path: root.to_owned() });
        }
        let mut input = Self::default();
        input.add_folder(root, |path| {
            path.extension().is_some_and(|found| SOURCES.iter().any(|known| found == *known))
        })?;
        Ok(input)
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        wanted: impl Fn(&Path) -> bool,
    ) -> Result<(), InputError> {
        let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_generated(entry)) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    self.skip(path, &error.into());
                    continue;
                }
            };
            let kind = entry.file_type();
            if kind.is_dir() || !wanted(entry.path()) {
                continue;
            }
            let result = match kind.is_file() {
                true => self.add_file(entry.path())?,
                // What a link leads to may be elsewhere, or counted already; to read from a pipe
                // may take for ever.
                false => Err(io::Error::other("it is no regular file")),
            };
            if let Err(error) = result {
                self.skip(entry.into_path(), &error);
            }
        }
        Ok(())
    }

    /// Reads a file. The inner error is the file's: the input stays as it was.
    fn add_file(&mut self, path: &Path) -> Result<io::Result<()>, InputError> {
        let most = TEXT_BYTES_MAX - self.text.len();
        let text = match read_text(path, most) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(InputError::TooLong),
            Err(error) => return Ok(Err(error)),
        };
        self.text.push_str(&text);
        // The last word of one file and the first of the next are two.
        self.text.push('\n');
        self.files += 1;
        self.bytes += text.len();
        Ok(Ok(()))
    }

    fn skip(&mut self, path: PathBuf, error: &io::Error) {
        let reason = match error.kind() {
            io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
            _ => error.to_string(),
        };
        self.skipped.push(Skipped { path, reason });
    }
}

fn listed(paths: &[PathBuf]) -> String {
    match paths {
        [] => "the repository".to_owned(),
        paths => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

/// The text of a file; `None` if it has so many bytes or more.
fn read_text(path: &Path, most: usize) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    // A pipe does not know beforehand how much will come.
    File::open(path)?.take(most as u64).read_to_end(&mut bytes)?;
    if bytes.len() == most {
        return Ok(None);
    }
    if bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Some(text))
}

/// Whether an entry of a folder holds what people did not write: what Git keeps, and what Cargo
/// makes, which marks its folders for programs that make backups.
fn is_generated(entry: &DirEntry) -> bool {
    entry.file_type().is_dir()
        && (entry.file_name() == ".git" || entry.path().join("CACHEDIR.TAG").is_file())
}

/// The files of the repository that people wrote.
const SOURCES: [&str; 4] = ["md", "proto", "rs", "toml"];

/// How much text is held at the most.
const TEXT_BYTES_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn read(folder: &TempDir) -> Input {
        Input::of_paths(&[folder.path().to_owned()]).unwrap()
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_its_names() {
        let folder =
            folder(&[("b/c.txt", b"three"), ("b.txt", b"two\r\n"), ("a", b"one"), ("z", b"")]);
        let input = read(&folder);
        assert_eq!(input.text, "one\nthree\ntwo\r\n\n\n");
        assert_eq!((input.files, input.bytes, input.skipped.len()), (4, 13, 0));
    }

    #[test]
    fn what_is_no_text_is_left_out_and_named() {
        let folder = folder(&[("a.txt", b"one"), ("b.bin", b"\xff\xfe"), ("c.bin", b"a\0b")]);
        let input = read(&folder);
        assert_eq!((input.text.as_str(), input.files), ("one\n", 1));
        let skipped: Vec<_> = input.skipped.iter().map(|skipped| &skipped.path).collect();
        assert_eq!(skipped, [&folder.path().join("b.bin"), &folder.path().join("c.bin")]);
        assert!(input.skipped[0].reason.contains("UTF-8"));
    }

    #[test]
    fn what_programs_made_is_passed_over() {
        let made = [(".git/config", b"git".as_slice()), ("target/CACHEDIR.TAG", b"tag")];
        let folder = folder(&[made[0], made[1], ("target/x", b"cargo"), ("a", b"one")]);
        assert_eq!(read(&folder).text, "one\n");
        // Unless it is asked for.
        let input = Input::of_paths(&[folder.path().join("target")]).unwrap();
        assert_eq!(input.text, "tag\ncargo\n");
    }

    #[test]
    fn a_path_that_is_named_has_to_be_text() {
        let folder = folder(&[("a.bin", b"\xff"), ("a.txt", b"one")]);
        let [binary, text, none] = ["a.bin", "a.txt", "none"].map(|name| folder.path().join(name));
        let error = Input::of_paths(&[text.clone(), binary]).unwrap_err().to_string();
        assert!(error.contains("a.bin") && error.contains("UTF-8"), "{error}");
        let error = Input::of_paths(&[text.clone(), none]).unwrap_err().to_string();
        assert!(error.contains("none") && error.contains("cannot read"), "{error}");
        let input = Input::of_paths(&[text.clone(), text]).unwrap();
        assert_eq!((input.text.as_str(), input.files), ("one\none\n", 2));
    }

    #[test]
    fn too_much_text_is_noticed_within_a_file() {
        let folder = folder(&[("a.txt", "ää".as_bytes())]);
        let path = folder.path().join("a.txt");
        assert_eq!(read_text(&path, 5).unwrap().as_deref(), Some("ää"));
        assert_eq!(read_text(&path, 4).unwrap(), None);
        assert_eq!(read_text(&path, 3).unwrap(), None);
    }

    #[test]
    fn the_repository_is_read_without_what_it_is_built_into() {
        let input = Input::of_repository().unwrap();
        assert!(input.text.contains("//! [`Input`]: the text that is counted"));
        // But for files that are broken on purpose.
        let broken =
            |skipped: &&Skipped| skipped.path.components().any(|part| part.as_os_str() == "broken");
        let others: Vec<_> = input.skipped.iter().filter(|skipped| !broken(skipped)).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}
