use std::{pin::Pin, time::SystemTime};

use super::{
    feed::{Feed, Status},
    scan::{Cursor, Page},
    session_store::{Created, Replaced, SessionStore},
};
use crate::{
    at_once::at_once,
    error::Error,
    id::Handle,
    record::{Record, Version},
    time::Clock,
};

/// The object-safe twin of [`SessionStore`]: it keeps the store's type out of every signature of the crate.
pub(crate) trait ErasedStore: Send + Sync + 'static {
    fn is_immediate(&self) -> bool;
    fn use_clock(&self, clock: &Clock);
    fn create<'a>(&'a self, handle: Handle, record: &'a Record) -> Answer<'a, Created>;
    fn load(&self, handle: Handle) -> Answer<'_, Option<Record>>;
    fn replace<'a>(
        &'a self,
        handle: Handle,
        expected: Version,
        record: &'a Record,
    ) -> Answer<'a, Replaced>;
    fn touch(&self, handle: Handle, expires_at: SystemTime) -> Answer<'_, bool>;
    fn delete(&self, handle: Handle) -> Answer<'_, bool>;
    fn regenerate<'a>(
        &'a self,
        old: Handle,
        expected: Version,
        tombstone: &'a Record,
        new: Handle,
        record: &'a Record,
    ) -> Answer<'a, Replaced>;
    fn delete_expired(&self, now: SystemTime, limit: usize) -> Answer<'_, u64>;
    fn list<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<(Handle, Record)>>;
    fn delete_user<'a>(&'a self, user: &'a str, except: Option<Handle>) -> Answer<'a, u64>;
    fn count(&self, now: SystemTime) -> Answer<'_, u64>;
    fn scan<'a>(&'a self, after: Option<&'a Cursor>, limit: usize) -> Answer<'a, Page>;
    fn look<'a>(&'a self, handles: &'a [Handle]) -> Answer<'a, Vec<Option<Status>>>;
    fn push(&self, feed: Feed) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// A store call: answered at once by an [immediate](SessionStore::IMMEDIATE) store, under way elsewhere.
pub(crate) enum Answer<'a, T> {
    Now(Result<T, Error>),
    Later(Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>),
}

impl<T> Answer<'_, T> {
    pub(super) async fn wait(self) -> Result<T, Error> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

fn answer<'a, S: SessionStore, T>(
    call: impl Future<Output = Result<T, Error>> + Send + 'a,
) -> Answer<'a, T> {
    if !S::IMMEDIATE {
        return Answer::Later(Box::pin(call));
    }
    Answer::Now(at_once(call).unwrap_or_else(|| {
        Err(Error::store(
            "a store that is IMMEDIATE kept its caller waiting; take the constant away",
        ))
    }))
}

impl<S: SessionStore> ErasedStore for S {
    fn is_immediate(&self) -> bool {
        S::IMMEDIATE
    }

    fn use_clock(&self, clock: &Clock) {
        SessionStore::use_clock(self, clock);
    }

    fn create<'a>(&'a self, handle: Handle, record: &'a Record) -> Answer<'a, Created> {
        answer::<S, _>(SessionStore::create(self, handle, record))
    }

    fn load(&self, handle: Handle) -> Answer<'_, Option<Record>> {
        answer::<S, _>(SessionStore::load(self, handle))
    }

    fn replace<'a>(
        &'a self,
        handle: Handle,
        expected: Version,
        record: &'a Record,
    ) -> Answer<'a, Replaced> {
        answer::<S, _>(SessionStore::replace(self, handle, expected, record))
    }

    fn touch(&self, handle: Handle, expires_at: SystemTime) -> Answer<'_, bool> {
        answer::<S, _>(SessionStore::touch(self, handle, expires_at))
    }

    fn delete(&self, handle: Handle) -> Answer<'_, bool> {
        answer::<S, _>(SessionStore::delete(self, handle))
    }

    fn regenerate<'a>(
        &'a self,
        old: Handle,
        expected: Version,
        tombstone: &'a Record,
        new: Handle,
        record: &'a Record,
    ) -> Answer<'a, Replaced> {
        answer::<S, _>(SessionStore::regenerate(
            self, old, expected, tombstone, new, record,
        ))
    }

    fn delete_expired(&self, now: SystemTime, limit: usize) -> Answer<'_, u64> {
        answer::<S, _>(SessionStore::delete_expired(self, now, limit))
    }

    fn list<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<(Handle, Record)>> {
        answer::<S, _>(SessionStore::list(self, user))
    }

    fn delete_user<'a>(&'a self, user: &'a str, except: Option<Handle>) -> Answer<'a, u64> {
        answer::<S, _>(SessionStore::delete_user(self, user, except))
    }

    fn count(&self, now: SystemTime) -> Answer<'_, u64> {
        answer::<S, _>(SessionStore::count(self, now))
    }

    fn scan<'a>(&'a self, after: Option<&'a Cursor>, limit: usize) -> Answer<'a, Page> {
        answer::<S, _>(SessionStore::scan(self, after, limit))
    }

    fn look<'a>(&'a self, handles: &'a [Handle]) -> Answer<'a, Vec<Option<Status>>> {
        answer::<S, _>(SessionStore::look(self, handles))
    }

    fn push(&self, feed: Feed) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(SessionStore::push(self, feed))
    }
}
