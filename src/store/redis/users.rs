use std::iter::once;

use redis::Value;

use super::{
    RedisStore, encoding,
    index::{Entry, pending},
    reply::{End, unexpected},
    script,
};
use crate::{error::Error, id::Handle, record::Record};

/// The index of a user's sessions: every session that lives, and some that have ended.
///
/// An entry is written atomically with its session where both are on one node. In a cluster a pending entry comes
/// before a session that is created, and is settled after it: so a session is found whatever fails in between, and a
/// settled entry without a session may always be removed. An entry comes *before* a change that makes an existing
/// session the user's, and goes *after* its session.
impl RedisStore {
    pub(super) async fn index_entries(&self, user: &str) -> Result<Vec<Entry>, Error> {
        let index = self.keys.index(user);
        let reply = self.run(&script::INDEX_READ, once(&*index), &[]).await?;
        let Value::Array(members) = reply.value else {
            return Err(unexpected());
        };
        members.iter().map(Entry::parse).collect()
    }

    pub(super) async fn index_add(
        &self,
        user: &str,
        handle: Handle,
        record: &Record,
    ) -> Result<(), Error> {
        let member = handle.to_string();
        self.index(user, &[&member, &encoding::index_ttl(record)])
            .await
    }

    pub(super) async fn index_add_pending(
        &self,
        user: &str,
        handle: Handle,
        record: &Record,
    ) -> Result<(), Error> {
        let member = pending(handle);
        self.index(user, &[&member, &encoding::index_ttl(record)])
            .await
    }

    /// If that fails the entry stays pending, and does no harm.
    pub(super) async fn index_settle(&self, user: &str, handle: Handle, record: &Record) {
        let (settled, pending) = (handle.to_string(), pending(handle));
        let arguments = [&*settled, &encoding::index_ttl(record), &pending];
        let _ = self.index(user, &arguments).await;
    }

    async fn index(&self, user: &str, arguments: &[&str]) -> Result<(), Error> {
        let index = self.keys.index(user);
        let arguments: Vec<_> = arguments.iter().map(|text| text.as_bytes()).collect();
        self.run(&script::INDEX_ADD, once(&*index), &arguments)
            .await?;
        Ok(())
    }

    /// Removes sessions that have ended. Entries that stay because this failed do no harm, and expire.
    pub(super) async fn index_remove(&self, user: &str, handles: &[Handle]) {
        if handles.is_empty() {
            return;
        }
        let mut remove = redis::cmd("ZREM");
        remove.arg(self.keys.index(user));
        for &handle in handles {
            remove.arg(handle.to_string());
            if self.connection.is_cluster() {
                remove.arg(pending(handle));
            }
        }
        let _ = self.send(&remove).await;
    }

    /// Ends a session, of this user if there is one, and leaves its entry in the index.
    pub(super) async fn end(&self, handle: Handle, of: Option<&str>) -> Result<End, Error> {
        let record = self.keys.record(handle);
        let of = of.map(str::as_bytes);
        let reply = self
            .run(&script::DELETE, once(&*record), of.as_slice())
            .await?;
        reply.ended()
    }
}
