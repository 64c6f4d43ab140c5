use std::iter::once;

use redis::Value;

use super::{RedisStore, encoding, reply::unexpected, script};
use crate::{error::Error, id::Handle, record::Record};

/// What became of a session that was to end.
pub(super) enum End {
    /// This call ended it. It was this user's, or anonymous.
    Ended(Option<String>),
    /// There is no such session, or it moved to a new id.
    Gone,
    /// There is none any more; a first attempt, whose reply was lost, may have ended it.
    GoneAfterResend,
    /// It is not the user's.
    NotTheirs,
}

/// The index of a user's sessions: every session that lives, and some that have ended.
///
/// An entry is written atomically with its session where both are on one node. In a cluster it comes after a session
/// that is created: its id is not known to anyone before it is indexed, so an entry without a session may always be
/// removed. An entry comes *before* a change that makes an existing session the user's, and goes *after* its session.
impl RedisStore {
    pub(super) async fn index_members(&self, user: &str) -> Result<Vec<Handle>, Error> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys.index(user)).arg(0).arg(-1);
        let Value::Array(members) = self.send(&range).await? else {
            return Err(unexpected());
        };
        members.iter().map(handle).collect()
    }

    pub(super) async fn index_add(
        &self,
        user: &str,
        handle: Handle,
        record: &Record,
    ) -> Result<(), Error> {
        let index = self.keys.index(user);
        let arguments = [handle.to_string(), encoding::index_ttl(record)];
        let arguments = arguments.each_ref().map(String::as_bytes);
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
        for handle in handles {
            remove.arg(handle.to_string());
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
        if let Value::Array(ended) = &reply.value {
            return match &ended[..] {
                // A user that is no text was not written by this store, and is in no index of its own.
                [Value::BulkString(kind), Value::BulkString(user)] if kind == b"u" => {
                    Ok(End::Ended(String::from_utf8(user.clone()).ok()))
                }
                _ => Ok(End::Ended(None)),
            };
        }
        match reply.word()? {
            b"gone" if reply.is_resent => Ok(End::GoneAfterResend),
            b"gone" | b"moved" => Ok(End::Gone),
            b"other" => Ok(End::NotTheirs),
            _ => Err(unexpected()),
        }
    }
}

fn handle(member: &Value) -> Result<Handle, Error> {
    let Value::BulkString(text) = member else {
        return Err(unexpected());
    };
    let handle = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    handle.ok_or_else(|| Error::corrupt("its user's index is damaged"))
}
