// SPDX-License-Identifier: MIT OR Apache-2.0
//! The view: what the engine sees of the store, as bytes.

/// A range of rows to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Only keys that begin with these bytes.
    pub prefix: Vec<u8>,
    /// Where to begin, itself included: the smallest key of a forward scan, the largest of a reverse one.
    /// If left unset: the first, or the last, key of the prefix.
    pub from: Option<Vec<u8>>,
    /// From the largest key down.
    pub reverse: bool,
    /// At most this many rows.
    pub limit: usize,
}

impl Scan {
    /// Every row under `prefix`, in ascending order.
    pub fn all(prefix: impl Into<Vec<u8>>) -> Self {
        Scan {
            prefix: prefix.into(),
            from: None,
            reverse: false,
            limit: usize::MAX,
        }
    }

    /// The same range, from the largest key down.
    pub fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// The same range, beginning at `key` itself.
    pub fn starting_at(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.from = Some(key.into());
        self
    }

    /// The same range, cut to `limit` rows.
    pub fn limited(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// A row as read: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// The store could not be read. The step it happened in changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store could not be read: {0}")]
pub struct ViewError(pub String);

/// Committed rows under the writes of steps that are not durable yet.
pub trait View {
    /// The value of one key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;
    /// The rows of a range, in its order, at most its limit.
    fn scan(&self, range: Scan) -> Result<Vec<Row>, ViewError>;
}

impl<V: View + ?Sized> View for &V {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        (**self).get(key)
    }
    fn scan(&self, range: Scan) -> Result<Vec<Row>, ViewError> {
        (**self).scan(range)
    }
}
