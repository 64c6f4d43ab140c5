use std::time::SystemTime;

use wiz_session::{
    Error, Handle, Record, SessionStore, Version,
    store::{Created, Replaced},
};

use super::store::Faulty;

/// The same store with the `regenerate` that every store has.
pub(super) struct InSteps(pub(super) Faulty);

impl SessionStore for InSteps {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.0.create(handle, record).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.0.load(handle).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.0.replace(handle, expected, record).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.0.touch(handle, expires_at).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.0.delete(handle).await
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.0.delete_expired(now, limit).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.0.list(user).await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        self.0.delete_user(user, except).await
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.0.count(now).await
    }
}
