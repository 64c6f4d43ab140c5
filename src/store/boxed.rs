use std::{any::Any, fmt, sync::Arc, time::SystemTime};

use super::{
    erased::ErasedStore,
    feed::{Feed, Status},
    scan::{Cursor, Page},
    session_store::{Created, Replaced, SessionStore},
};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    time::Clock,
};

/// A store of any type, so that an application can choose one when it starts.
///
/// Clones share the store.
///
/// ```
/// use wiz_session::{BoxStore, Error, Key, MemoryStore, WizSessionLayer};
///
/// /// The store that the configuration names.
/// async fn open(url: &str) -> Result<BoxStore, Error> {
///     # #[cfg(feature = "redis")]
///     if url.starts_with("redis:") {
///         return Ok(BoxStore::new(wiz_session::RedisStore::connect(url).await?));
///     }
///     match url {
///         "memory:" => Ok(BoxStore::new(MemoryStore::new())),
///         _ => Err(Error::store("SESSION_STORE names no store")),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
/// let url = std::env::var("SESSION_STORE").unwrap_or("memory:".to_owned());
/// let layer = WizSessionLayer::new(open(&url).await?, Key::generate());
/// # Ok(()) }
/// ```
///
/// # Cost
///
/// Under a layer none: that takes the store out of the box, so a [`MemoryStore`](crate::MemoryStore) stays as fast as it
/// is without one. Elsewhere, in a decorator or called directly, each call allocates its future.
#[derive(Clone)]
pub struct BoxStore(Arc<dyn ErasedStore>);

impl BoxStore {
    /// Boxes a store. One that is boxed already is not boxed a second time.
    #[must_use]
    pub fn new(store: impl SessionStore) -> Self {
        let mut store = Some(store);
        let boxed = (&mut store as &mut dyn Any).downcast_mut::<Option<Self>>();
        if let Some(boxed) = boxed.and_then(Option::take) {
            return boxed;
        }
        Self(Arc::new(store.expect("it was not taken")))
    }

    pub(super) fn into_erased(self) -> Arc<dyn ErasedStore> {
        self.0
    }
}

impl fmt::Debug for BoxStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxStore").finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
impl SessionStore for BoxStore {
    // A constant, so it cannot be the store's own. `StoreClient` takes the store out of the box.
    const IMMEDIATE: bool = false;

    fn use_clock(&self, clock: &Clock) {
        self.0.use_clock(clock);
    }

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.0.create(handle, record).wait().await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.0.load(handle).wait().await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.0.replace(handle, expected, record).wait().await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.0.touch(handle, expires_at).wait().await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.0.delete(handle).wait().await
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let regenerate = self.0.regenerate(old, expected, tombstone, new, record);
        regenerate.wait().await
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.0.delete_expired(now, limit).wait().await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.0.list(user).wait().await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        self.0.delete_user(user, except).wait().await
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.0.count(now).wait().await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        self.0.scan(after, limit).wait().await
    }

    async fn look(&self, handles: &[Handle]) -> Result<Vec<Option<Status>>, Error> {
        self.0.look(handles).wait().await
    }

    async fn push(&self, feed: Feed) {
        self.0.push(feed).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{MemoryStore, StoreClient};

    #[test]
    fn a_layer_over_a_boxed_store_is_as_immediate_as_the_store() {
        let client = |store| StoreClient::new(store, Duration::from_secs(1), &Clock::system());
        assert!(client(BoxStore::new(MemoryStore::new())).is_immediate());
        let twice = BoxStore::new(BoxStore::new(MemoryStore::new()));
        assert!(client(twice).is_immediate());
    }

    #[cfg(feature = "conformance")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_conforms() {
        crate::store::conformance::run(BoxStore::new(MemoryStore::new())).await;
    }
}
