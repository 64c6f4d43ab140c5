//! Bytes under text keys, with compare-and-swap on the bytes: what a store of records in a foreign format is built on.

use std::pin::Pin;

use crate::{error::Error, time::Timestamp};

/// What an engine keeps under one key.
pub(crate) struct Blob {
    pub(crate) bytes: Vec<u8>,
    /// When the engine ends it, by the engine's clock. `None` if it never does.
    pub(crate) end: Option<Timestamp>,
}

pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins. `None` at the end.
    pub(crate) next: Option<String>,
}

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// An engine, of which each method is one atomic call. It may have other writers, which do not compare.
pub(crate) trait Blobs: Send + Sync + 'static {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Blob>>;

    /// Whether the key was not in use.
    fn insert<'a>(&'a self, key: &'a str, bytes: &'a [u8], end: Timestamp) -> Answer<'a, bool>;

    /// Whether the bytes were these.
    fn swap<'a>(
        &'a self,
        key: &'a str,
        old: &'a [u8],
        new: &'a [u8],
        end: Timestamp,
    ) -> Answer<'a, bool>;

    /// Whether the bytes were these.
    fn remove<'a>(&'a self, key: &'a str, old: &'a [u8]) -> Answer<'a, bool>;

    /// What is there from the first page to the last is on one of them, or on several.
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Paged<(String, Blob)>>;

    /// The same, without the bytes.
    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Paged<String>>;
}
