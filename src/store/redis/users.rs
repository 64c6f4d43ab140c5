use std::iter::once;

use redis::Value;

use super::{RedisStore, encoding, reply::unexpected, script};
use crate::{error::Error, id::Handle, record::Record};

/// What became of a session that was to end.
pub(super) enum End {
    /// This call ended it. It was this user's, or anonymous.
    Ended(Option<String>),
    /// There is no such session.
    Gone,
    /// It moved to a new id.
    Moved,
    /// There is none any more; a first attempt, whose reply was lost, may have ended it.
    GoneAfterResend,
    /// It is not the user's.
    NotTheirs,
}

/// An entry of a user's index.
pub(super) struct Entry {
    pub(super) handle: Handle,
    /// It may precede its session: that is being created, or its creation failed half-way.
    pub(super) is_pending: bool,
}

/// The index of a user's sessions: every session that lives, and some that have ended.
///
/// An entry is written atomically with its session where both are on one node. In a cluster a pending entry comes
/// before a session that is created, and is settled after it: so a session is found whatever fails in between, and a
/// settled entry without a session may always be removed. An entry comes *before* a change that makes an existing
/// session the user's, and goes *after* its session.
impl RedisStore {
    pub(super) async fn index_entries(&self, user: &str) -> Result<Vec<Entry>, Error> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys.index(user)).arg(0).arg(-1);
        let Value::Array(members) = self.send(&range).await? else {
            return Err(unexpected());
        };
        members.iter().map(entry).collect()
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
            b"gone" => Ok(End::Gone),
            b"moved" => Ok(End::Moved),
            b"other" => Ok(End::NotTheirs),
            _ => Err(unexpected()),
        }
    }
}

const PENDING: char = '+';

fn pending(handle: Handle) -> String {
    format!("{PENDING}{handle}")
}

fn entry(member: &Value) -> Result<Entry, Error> {
    let parse = |member: &[u8]| {
        let member = str::from_utf8(member).ok()?;
        let (handle, is_pending) = match member.strip_prefix(PENDING) {
            Some(handle) => (handle, true),
            None => (member, false),
        };
        let handle = handle.parse().ok()?;
        Some(Entry { handle, is_pending })
    };
    let Value::BulkString(member) = member else {
        return Err(unexpected());
    };
    parse(member).ok_or_else(|| Error::corrupt("its user's index is damaged"))
}
