use std::time::SystemTime;

use tokio::task::yield_now;
use wiz_session::{
    Error, Handle, Record, SessionStore, Version,
    store::{Created, Replaced},
};

/// A store that lets others go first before and after the work of each call, as one behind a network does.
pub(crate) struct Yielding<S>(pub(crate) S);

async fn around<T>(work: impl Future<Output = T>) -> T {
    yield_now().await;
    let answer = work.await;
    yield_now().await;
    answer
}

impl<S: SessionStore> SessionStore for Yielding<S> {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        around(self.0.create(handle, record)).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        around(self.0.load(handle)).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        around(self.0.replace(handle, expected, record)).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        around(self.0.touch(handle, expires_at)).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        around(self.0.delete(handle)).await
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        around(self.0.delete_expired(now, limit)).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        around(self.0.list(user)).await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        around(self.0.delete_user(user, except)).await
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        around(self.0.count(now)).await
    }
}
