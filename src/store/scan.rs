use std::fmt;

use crate::{error::Error, id::Handle, record::Record};

/// A part of all records of a store, from [`SessionStore::scan`](crate::SessionStore::scan), which has an example.
#[derive(Debug)]
pub struct Page {
    /// Sessions and tombstones, expired ones included, in no particular order. A record that cannot be read is an error in
    /// its place, so that it does not end the scan.
    pub sessions: Vec<(Handle, Result<Record, Error>)>,
    /// Where the next page begins. `None` at the end of the scan.
    pub next: Option<Cursor>,
}

/// A position in a [scan](crate::SessionStore::scan). It can be kept as text, to resume the scan in another process.
///
/// ```
/// use wiz_session::store::Cursor;
///
/// let cursor = Cursor::new("5f0c8a4e9b1d27360a8c4d5e6f708192");
/// assert_eq!(Cursor::new(cursor.to_string()), cursor);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// The cursor with this text. What it means is up to the store; it must not contain session ids or data.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of a scan in the order of handles: the last handle seen.
    pub(crate) fn handle(&self) -> Result<Handle, Error> {
        self.0.parse().map_err(|_| foreign_cursor())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Page {
    /// A page of a scan in the order of handles. One that is not full is the last.
    pub(crate) fn by_handle(sessions: Vec<(Handle, Result<Record, Error>)>, limit: usize) -> Self {
        let last = sessions.last().filter(|_| sessions.len() >= limit);
        let next = last.map(|(handle, _)| Cursor::new(handle.to_string()));
        Self { sessions, next }
    }
}

/// What the default of the contract answers.
pub(crate) fn unsupported() -> Error {
    Error::store_advised("it cannot list all of its sessions", UNSUPPORTED)
}

pub(crate) const UNSUPPORTED: &str =
    "implement `SessionStore::scan` for it, or use a store that comes with the crate";

/// For a cursor that this store has not made.
pub(crate) fn foreign_cursor() -> Error {
    Error::store_advised(
        "the cursor belongs to a scan of another store",
        "scan from the beginning, or resume with a cursor of the same store",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_its_text() {
        let cursor = Cursor::new("17:after");
        assert_eq!(cursor.as_str(), "17:after");
        assert_eq!(cursor.to_string(), "17:after");
    }
}
