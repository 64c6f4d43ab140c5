use std::time::{Duration, SystemTime};

use tokio::{task::yield_now, time::sleep};
use wiz_session::{
    Error, Handle, Record, SessionStore, Version,
    store::{Created, Replaced},
};

/// A store that lets others go first before and after the work of each call, as one behind a network does.
#[derive(Clone)]
pub(crate) struct Yielding<S> {
    store: S,
    each_way: Duration,
}

impl<S> Yielding<S> {
    pub(crate) fn new(store: S) -> Self {
        Self::far(store, Duration::ZERO)
    }

    /// As far away as a request takes to get there, and its answer to get back.
    pub(crate) fn far(store: S, each_way: Duration) -> Self {
        Self { store, each_way }
    }

    async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        self.travel().await;
        let answer = work.await;
        self.travel().await;
        answer
    }

    async fn travel(&self) {
        match self.each_way {
            Duration::ZERO => yield_now().await,
            each_way => sleep(each_way).await,
        }
    }
}

impl<S: SessionStore> SessionStore for Yielding<S> {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.around(self.store.create(handle, record)).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.around(self.store.load(handle)).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.around(self.store.replace(handle, expected, record))
            .await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.around(self.store.touch(handle, expires_at)).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.around(self.store.delete(handle)).await
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.around(self.store.delete_expired(now, limit)).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.around(self.store.list(user)).await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        self.around(self.store.delete_user(user, except)).await
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.around(self.store.count(now)).await
    }
}
