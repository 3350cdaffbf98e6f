//! Which `.proto` files there are, and where their imports start.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// Files that were published together.
#[derive(Debug)]
pub(crate) struct Corpus {
    /// The name of the package that carries it, and of its directory.
    pub(crate) name: String,
    pub(crate) files: Vec<File>,
}

/// A file and the directories in which its imports are looked up, first to last.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) includes: Vec<PathBuf>,
}

/// Where the files of a corpus lie in its directory, if its package has more than the files.
const ROOTS: [(&str, &str); 5] = [
    ("grpcio-tools", "grpc_tools/_proto"),
    ("google-proto-files", "package"),
    ("google-gax", "package/build/protos"),
    ("etcd3", "package/proto"),
    ("golang-", "usr/share/gocode/src"),
];

/// Directories of a corpus that its files import from.
const OWN: [&str; 2] = [
    "temporalio/bridge/sdk-core/crates/protos/protos",
    "temporalio/bridge/sdk-core/crates/protos/protos/api_upstream",
];

/// What the files of Go's packages import from each other, as their makefiles say.
const SHARED: [&str; 4] = [
    "golang-github-gogo-protobuf-dev/usr/share/gocode/src",
    "golang-github-gogo-protobuf-dev/usr/share/gocode/src/github.com/gogo/protobuf",
    "golang-github-gogo-protobuf-dev/usr/share/gocode/src/github.com/gogo/protobuf/protobuf",
    "googleapis-common-protos",
];

/// The corpora that have been fetched into a directory, by name.
pub(crate) fn all(dir: &Path) -> std::io::Result<Vec<Corpus>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && name != "venv" && !name.ends_with(".part") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| Corpus::new(dir, name)).collect())
}

impl Corpus {
    fn new(dir: &Path, name: String) -> Self {
        let root = ROOTS.iter().find(|(start, _)| name.starts_with(start));
        let root = dir.join(&name).join(root.map_or("", |(_, root)| root));
        let walk = WalkDir::new(&root).sort_by_file_name().into_iter().flatten();
        let paths = walk.filter(|entry| entry.path().extension().is_some_and(|e| e == "proto"));
        let is_go = name.starts_with("golang-");
        let files = paths.map(|entry| File::new(dir, &root, entry.into_path(), is_go));
        Self { files: files.collect(), name }
    }
}

impl File {
    fn new(dir: &Path, root: &Path, path: PathBuf, is_go: bool) -> Self {
        let mut includes = vec![root.to_owned()];
        // There is no one place where imports start, so it is wherever a file may be above itself.
        let above = path.ancestors().skip(1).take_while(|above| *above != root);
        let mut above: Vec<PathBuf> = above.map(Path::to_owned).collect();
        above.reverse();
        includes.extend(above);
        if is_go {
            let shared = SHARED.iter().map(|shared| dir.join(shared));
            includes.extend(shared.filter(|shared| shared.is_dir()));
        }
        let own = OWN.iter().map(|own| root.join(own));
        includes.extend(own.filter(|own| own.is_dir()));
        let mut known = std::collections::BTreeSet::new();
        includes.retain(|dir| known.insert(dir.clone()));
        Self { path, includes }
    }

    pub(crate) fn config(&self) -> broach_build::Config {
        broach_build::configure().include_dirs(&self.includes)
    }
}
