//! [`Problem`]: what keeps a set of `.proto` files from becoming Rust, and where.

use prost_types::FileDescriptorProto;

/// Something in `.proto` files that cannot be expressed in Rust.
///
/// Nothing has been generated when there is one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Problem {
    /// What is wrong: lower-case, one line.
    pub message: String,
    /// Where, the place to change first. Empty if the files carry no positions.
    pub places: Vec<Place>,
    /// What to change.
    pub help: String,
}

/// A stretch of a `.proto` file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Place {
    /// The file's name, as in the descriptor: relative to its include directory.
    pub file: String,
    /// Where it begins.
    pub start: Position,
    /// Where it ends, exclusive.
    pub end: Position,
    /// What is to be seen there.
    pub label: String,
}

/// A line and a column, both counted from 0, the column in bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The byte within the line.
    pub column: usize,
}

impl Problem {
    pub(crate) fn new(
        message: String,
        places: impl IntoIterator<Item = Option<Place>>,
        help: impl Into<String>,
    ) -> Self {
        Self { message, places: places.into_iter().flatten().collect(), help: help.into() }
    }
}

impl Place {
    /// The element that a descriptor path leads to; `None` if the file carries no positions.
    ///
    /// A path is a list of field numbers and indices within `FileDescriptorProto`, as
    /// `SourceCodeInfo` has them.
    pub fn find(
        file: &FileDescriptorProto,
        path: &[i32],
        label: impl Into<String>,
    ) -> Option<Self> {
        let info = file.source_code_info.as_ref()?;
        let location = info.location.iter().find(|found| found.path == path)?;
        // Three numbers stand for a stretch within one line.
        let (start, end) = match location.span[..] {
            [line, start, end] => ((line, start), (line, end)),
            [line, start, last, end] => ((line, start), (last, end)),
            _ => return None,
        };
        Some(Self {
            file: file.name().to_owned(),
            start: Position::new(start)?,
            end: Position::new(end)?,
            label: label.into(),
        })
    }
}

/// An element of a file, which is looked for only if there is something to say of it.
#[derive(Clone, Debug)]
pub(crate) struct Spot<'a> {
    pub(crate) file: &'a FileDescriptorProto,
    /// Its path in the descriptor.
    pub(crate) path: Vec<i32>,
}

impl<'a> Spot<'a> {
    pub(crate) fn new(file: &'a FileDescriptorProto, path: &[i32]) -> Self {
        let path = path.to_vec();
        Self { file, path }
    }

    pub(crate) fn place(&self, label: impl Into<String>) -> Option<Place> {
        Place::find(self.file, &self.path, label)
    }
}

impl Position {
    fn new((line, column): (i32, i32)) -> Option<Self> {
        Some(Self { line: line.try_into().ok()?, column: column.try_into().ok()? })
    }
}
