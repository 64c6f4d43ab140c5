use std::iter::once;

use redis::Value;

use super::{RedisStore, script, unexpected, value};
use crate::{error::Error, id::Handle, record::Record};

/// What became of a session that was to end.
pub(super) enum End {
    /// This call ended it. It was this user's, if anybody's.
    Ended(Option<String>),
    /// There is none.
    Gone,
    /// It is not the user's.
    NotTheirs,
}

/// The index of a user's sessions: every one that lives, and some that do no more.
///
/// An entry is written in one step with its session where both are on one node. In a cluster it comes after a session
/// that is created: nobody has the id of that before it is in the index, so whoever finds an entry without a session
/// may remove it. An entry comes *before* a change that makes an existing session the user's, and goes *after* its
/// session.
impl RedisStore {
    pub(super) async fn listed(&self, user: &str) -> Result<Vec<Handle>, Error> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys.index(user)).arg(0).arg(-1);
        let Value::Array(members) = self.send(&range).await? else {
            return Err(unexpected());
        };
        members.iter().map(handle).collect()
    }

    pub(super) async fn enlist(
        &self,
        user: &str,
        handle: Handle,
        record: &Record,
    ) -> Result<(), Error> {
        let index = self.keys.index(user);
        let left = value::left_until(value::listed_until(record));
        let arguments = [handle.to_string(), left];
        let arguments = arguments.each_ref().map(String::as_bytes);
        self.run(&script::ENLIST, once(&*index), &arguments).await?;
        Ok(())
    }

    /// Removes handles whose sessions have ended. If that fails they stay until their time is over, and do no harm.
    pub(super) async fn unlist(&self, user: &str, handles: &[Handle]) {
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

    /// Ends a session and leaves its entry in the index.
    pub(super) async fn end(&self, handle: Handle, of: Option<&str>) -> Result<End, Error> {
        let record = self.keys.record(handle);
        let of = of.map(str::as_bytes);
        match self
            .run(&script::DELETE, once(&*record), of.as_slice())
            .await?
        {
            Value::BulkString(word) if word == b"gone" => Ok(End::Gone),
            Value::BulkString(word) if word == b"other" => Ok(End::NotTheirs),
            Value::Array(ended) => match &ended[..] {
                // A user that is no text was not written by this store, and is in no index of its own.
                [Value::BulkString(kind), Value::BulkString(user)] if kind == b"u" => {
                    Ok(End::Ended(String::from_utf8(user.clone()).ok()))
                }
                _ => Ok(End::Ended(None)),
            },
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
