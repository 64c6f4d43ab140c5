//! Keys of another application's: plain strings, written by comparing them in a script.

use std::iter::once;

use futures_util::future::try_join_all;
use redis::Value;

use super::{
    RedisStore,
    keys::begins_with,
    lane::Lane,
    reply::unexpected,
    script::{self, Script},
};
use crate::{
    error::Error,
    store::{Answer, Blob, Blobs, Paged, scan::foreign_cursor},
    time::Timestamp,
};

impl RedisStore {
    /// Whether its keys are spread over several servers.
    pub(crate) fn is_cluster(&self) -> bool {
        self.connection.is_cluster()
    }

    async fn blob(&self, key: &str) -> Result<Option<Blob>, Error> {
        let reply = self.run(&script::GET_BLOB, once(key), &[]).await?;
        match reply.value {
            Value::Nil => Ok(None),
            Value::Array(fields) => blob(&fields).map(Some).ok_or_else(unexpected),
            _ => Err(unexpected()),
        }
    }

    async fn write(&self, script: &Script, key: &str, arguments: &[&[u8]]) -> Result<bool, Error> {
        let reply = self.run(script, once(key), arguments).await?;
        Ok(reply.outcome()? == b"stored")
    }

    async fn names(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Paged<String>, Error> {
        let cursor: u64 = after
            .map_or(Ok(0), str::parse)
            .map_err(|_| foreign_cursor())?;
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(begins_with(prefix));
        scan.arg("COUNT").arg(limit.clamp(1, MOST));
        let answer = self.send_by(Lane::Large, &scan).await?;
        let (cursor, names): (u64, Vec<Vec<u8>>) =
            redis::from_redis_value(answer).map_err(|_| unexpected())?;
        // Ids are ASCII.
        let names = names.into_iter().map(String::from_utf8);
        Ok(Paged {
            items: names.filter_map(Result::ok).collect(),
            next: (cursor != 0).then(|| cursor.to_string()),
        })
    }

    async fn blobs(&self, names: Paged<String>) -> Result<Paged<(String, Blob)>, Error> {
        let load = async |name: String| {
            let blob = self.blob(&name).await?;
            Ok::<_, Error>(blob.map(|blob| (name, blob)))
        };
        let blobs: Vec<Option<_>> = try_join_all(names.items.into_iter().map(load)).await?;
        Ok(Paged {
            items: blobs.into_iter().flatten().collect(),
            next: names.next,
        })
    }
}

/// How many keys the server looks at for one reply at most.
const MOST: usize = 1_000;

fn blob(fields: &[Value]) -> Option<Blob> {
    let [
        Value::BulkString(bytes),
        Value::Int(left),
        Value::Int(seconds),
        Value::Int(micros),
    ] = fields
    else {
        return None;
    };
    let now = seconds * 1_000 + micros / 1_000;
    let end = (*left >= 0).then(|| (now + left).max(0).cast_unsigned());
    Some(Blob {
        bytes: bytes.clone(),
        end: end.map(Timestamp::from_millis),
    })
}

impl Blobs for RedisStore {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Blob>> {
        Box::pin(self.blob(key))
    }

    fn insert<'a>(&'a self, key: &'a str, bytes: &'a [u8], end: Timestamp) -> Answer<'a, bool> {
        Box::pin(async move {
            let end = end.as_millis().to_string();
            self.write(&script::INSERT_BLOB, key, &[bytes, end.as_bytes()])
                .await
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        old: &'a [u8],
        new: &'a [u8],
        end: Timestamp,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let end = end.as_millis().to_string();
            self.write(&script::SWAP_BLOB, key, &[old, new, end.as_bytes()])
                .await
        })
    }

    fn remove<'a>(&'a self, key: &'a str, old: &'a [u8]) -> Answer<'a, bool> {
        Box::pin(async move { self.write(&script::REMOVE_BLOB, key, &[old]).await })
    }

    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Paged<(String, Blob)>> {
        Box::pin(async move { self.blobs(self.names(prefix, after, limit).await?).await })
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Paged<String>> {
        Box::pin(self.names(prefix, after, limit.max(MOST)))
    }
}
