use std::{pin::Pin, time::SystemTime};

use super::{Created, Replaced, SessionStore};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
};

/// The object-safe twin of [`SessionStore`]: it keeps the store's type out of every signature of the crate.
pub(crate) trait ErasedStore: Send + Sync + 'static {
    fn create<'a>(&'a self, handle: Handle, record: &'a Record) -> Answer<'a, Created>;
    fn load(&self, handle: Handle) -> Answer<'_, Option<Record>>;
    fn load_now(&self, handle: Handle) -> Option<Result<Option<Record>, Error>>;
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
    fn list<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<(Handle, Record)>>;
    fn delete_user<'a>(&'a self, user: &'a str, except: Option<Handle>) -> Answer<'a, u64>;
    fn count(&self, now: SystemTime) -> Answer<'_, u64>;
}

/// A store call under way.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl<S: SessionStore> ErasedStore for S {
    fn create<'a>(&'a self, handle: Handle, record: &'a Record) -> Answer<'a, Created> {
        Box::pin(SessionStore::create(self, handle, record))
    }

    fn load(&self, handle: Handle) -> Answer<'_, Option<Record>> {
        Box::pin(SessionStore::load(self, handle))
    }

    fn load_now(&self, handle: Handle) -> Option<Result<Option<Record>, Error>> {
        SessionStore::load_now(self, handle)
    }

    fn replace<'a>(
        &'a self,
        handle: Handle,
        expected: Version,
        record: &'a Record,
    ) -> Answer<'a, Replaced> {
        Box::pin(SessionStore::replace(self, handle, expected, record))
    }

    fn touch(&self, handle: Handle, expires_at: SystemTime) -> Answer<'_, bool> {
        Box::pin(SessionStore::touch(self, handle, expires_at))
    }

    fn delete(&self, handle: Handle) -> Answer<'_, bool> {
        Box::pin(SessionStore::delete(self, handle))
    }

    fn regenerate<'a>(
        &'a self,
        old: Handle,
        expected: Version,
        tombstone: &'a Record,
        new: Handle,
        record: &'a Record,
    ) -> Answer<'a, Replaced> {
        Box::pin(SessionStore::regenerate(
            self, old, expected, tombstone, new, record,
        ))
    }

    fn list<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<(Handle, Record)>> {
        Box::pin(SessionStore::list(self, user))
    }

    fn delete_user<'a>(&'a self, user: &'a str, except: Option<Handle>) -> Answer<'a, u64> {
        Box::pin(SessionStore::delete_user(self, user, except))
    }

    fn count(&self, now: SystemTime) -> Answer<'_, u64> {
        Box::pin(SessionStore::count(self, now))
    }
}
