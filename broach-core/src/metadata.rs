//! Metadata: short named values that go with a call beside its message.

use std::fmt;

use bytes::Bytes;

use crate::errors::debug_as_text;

/// Named values that travel with a request, a reply or a status, in the order they were added.
///
/// Keys are 1 to 64 bytes of `a`-`z`, `0`-`9`, `-`, `_` and `.`; values are text or bytes. A key
/// may occur more than once. A *persistent* entry of a request is handed on by every call that its
/// handler makes, and by those of their handlers in turn: a tenant, a user, an experiment.
///
/// All of a call's metadata must fit in `metadata_bytes_max` of the transport's settings (8 KiB
/// unless set), where an entry counts as its key and value and 8 bytes.
///
/// ```
/// use broach_core::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("tenant", "acme")?;
/// assert_eq!(metadata.get("tenant"), Some("acme"));
/// # Ok::<(), broach_core::MetadataError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Metadata {
    entries: Vec<Entry>,
}

/// One named value of a [`Metadata`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    key: Box<str>,
    value: Value,
    persistent: bool,
}

/// A value of a [`Metadata`].
#[derive(Clone, Eq, PartialEq)]
pub enum Value {
    /// Text in UTF-8.
    Text(String),
    /// Any bytes.
    Binary(Bytes),
}

/// Why a key was not taken.
#[derive(Clone, Eq, PartialEq, thiserror::Error)]
#[error(
    "metadata key {key:?} is not allowed: a key is 1 to 64 bytes of a-z, 0-9, '-', '_' and '.'"
)]
pub struct MetadataError {
    key: String,
}

debug_as_text!(MetadataError);

impl Metadata {
    /// No entries.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Sets a value in place of all that the key had.
    ///
    /// # Errors
    ///
    /// If the key is not allowed; nothing is changed then.
    pub fn insert(&mut self, key: &str, value: impl Into<Value>) -> Result<(), MetadataError> {
        let entry = Entry::new(key, value.into(), false)?;
        self.entries.retain(|other| other.key != entry.key);
        self.entries.push(entry);
        Ok(())
    }

    /// Sets a value that the calls made by the handler hand on; in place of all that the key had.
    ///
    /// # Errors
    ///
    /// If the key is not allowed; nothing is changed then.
    pub fn insert_persistent(
        &mut self,
        key: &str,
        value: impl Into<Value>,
    ) -> Result<(), MetadataError> {
        let entry = Entry::new(key, value.into(), true)?;
        self.entries.retain(|other| other.key != entry.key);
        self.entries.push(entry);
        Ok(())
    }

    /// Adds a value to those that the key has.
    ///
    /// # Errors
    ///
    /// If the key is not allowed; nothing is changed then.
    pub fn append(&mut self, key: &str, value: impl Into<Value>) -> Result<(), MetadataError> {
        self.entries.push(Entry::new(key, value.into(), false)?);
        Ok(())
    }

    /// Removes all values of a key and tells whether there were any.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| &*entry.key != key);
        self.entries.len() < before
    }

    /// The first text under a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values(key).find_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Binary(_) => None,
        })
    }

    /// The first bytes under a key.
    pub fn get_binary(&self, key: &str) -> Option<&Bytes> {
        self.values(key).find_map(|value| match value {
            Value::Text(_) => None,
            Value::Binary(bytes) => Some(bytes),
        })
    }

    /// All values of a key.
    pub fn values<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a Value> + use<'a, 'k> {
        self.entries.iter().filter(move |entry| &*entry.key == key).map(Entry::value)
    }

    /// All entries, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the entries count towards the limit: keys, values, and 8 bytes each.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.key.len() + entry.value.bytes() + 8).sum()
    }

    /// The entries that calls made by the handler hand on.
    pub(crate) fn persistent(&self) -> Self {
        Self { entries: self.entries.iter().filter(|entry| entry.persistent).cloned().collect() }
    }

    /// Adds those entries of `other` whose keys do not occur here.
    pub(crate) fn inherit(&mut self, other: &Self) {
        let own = self.entries.len();
        for entry in &other.entries {
            if !self.entries[..own].iter().any(|mine| mine.key == entry.key) {
                self.entries.push(entry.clone());
            }
        }
    }

    /// Adds an entry that came over the network.
    ///
    /// # Errors
    ///
    /// If the key is not allowed.
    pub(crate) fn push(
        &mut self,
        key: &str,
        value: Value,
        persistent: bool,
    ) -> Result<(), MetadataError> {
        self.entries.push(Entry::new(key, value, persistent)?);
        Ok(())
    }
}

impl Entry {
    fn new(key: &str, value: Value, persistent: bool) -> Result<Self, MetadataError> {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.bytes().all(allowed) {
            // The key may come from a stranger, so only its beginning is kept for the message.
            return Err(MetadataError { key: key.chars().take(KEY_BYTES_MAX).collect() });
        }
        Ok(Self { key: key.into(), value, persistent })
    }

    /// The name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// Whether calls made by the handler hand the entry on.
    pub const fn is_persistent(&self) -> bool {
        self.persistent
    }
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => fmt::Debug::fmt(text, f),
            Self::Binary(bytes) => fmt::Debug::fmt(bytes, f),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&'static [u8]> for Value {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Binary(Bytes::from_static(bytes))
    }
}

/// Long enough for any header name in use, short enough to print in an error.
const KEY_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_replaces_and_append_adds() {
        let mut metadata = Metadata::new();
        metadata.append("k", "1").unwrap();
        metadata.append("k", "2").unwrap();
        assert_eq!(metadata.values("k").count(), 2);
        metadata.insert("k", "3").unwrap();
        assert_eq!(metadata.get("k"), Some("3"));
        assert_eq!(metadata.len(), 1);
        assert!(metadata.remove("k"));
        assert!(!metadata.remove("k"));
        assert!(metadata.is_empty());
    }

    #[test]
    fn text_and_bytes_are_told_apart() {
        let mut metadata = Metadata::new();
        metadata.append("k", &[0xab_u8][..]).unwrap();
        assert_eq!(metadata.get("k"), None);
        assert_eq!(metadata.get_binary("k").unwrap().as_ref(), [0xab]);
    }

    #[test]
    fn a_key_that_is_not_allowed_is_named() {
        for key in ["", "Upper", "space here", "ü", &"x".repeat(65)] {
            let error = Metadata::new().insert(key, "v").unwrap_err();
            assert!(error.to_string().contains("is not allowed"), "{error}");
        }
    }

    #[test]
    fn only_persistent_entries_are_handed_on_and_own_ones_win() {
        let mut request = Metadata::new();
        request.insert("once", "1").unwrap();
        request.insert_persistent("tenant", "acme").unwrap();
        request.insert_persistent("user", "ada").unwrap();
        let mut next = Metadata::new();
        next.insert("user", "bob").unwrap();
        next.inherit(&request.persistent());
        assert_eq!(next.get("tenant"), Some("acme"));
        assert_eq!(next.get("user"), Some("bob"));
        assert_eq!(next.get("once"), None);
    }

    #[test]
    fn bytes_count_keys_values_and_overhead() {
        let mut metadata = Metadata::new();
        metadata.insert("abc", "de").unwrap();
        assert_eq!(metadata.bytes(), 3 + 2 + 8);
    }
}
