use std::{collections::HashSet, iter::once, vec};

use futures_util::future::try_join_all;
use redis::Value;

use super::{
    RedisStore,
    connection::Request,
    encoding::{self, RecordHeader},
    reply::{self, unexpected},
    script,
};
use crate::{error::Error, id::Handle, time::Timestamp};

/// How many keys the server looks at for one reply, which takes it less than a millisecond.
const PAGE: usize = 1_000;

/// The methods that scan all sessions.
impl RedisStore {
    pub(super) async fn count_live(&self, now: Timestamp) -> Result<u64, Error> {
        let mut live = HashSet::new();
        let mut scan = Scan::new(self).await?;
        while let Some(page) = scan.next().await? {
            let lives =
                |(_, header): &(_, RecordHeader)| header.expires_at > now && !header.is_tombstone;
            live.extend(page.into_iter().filter(lives).map(|(handle, _)| handle));
        }
        Ok(live.len() as u64)
    }

    pub(super) async fn sweep(&self, now: Timestamp, limit: usize) -> Result<u64, Error> {
        let mut swept = 0;
        let mut scan = Scan::new(self).await?;
        while swept < limit {
            let Some(mut page) = scan.next().await? else {
                break;
            };
            page.retain(|(_, header)| header.expires_at <= now);
            page.truncate(limit - swept);
            let expired = page.iter().map(|&(handle, _)| self.expire(handle, now));
            let gone = try_join_all(expired).await?;
            swept += gone.into_iter().filter(|gone| *gone).count();
        }
        Ok(swept as u64)
    }

    /// Deletes a record unless it was touched meanwhile.
    async fn expire(&self, handle: Handle, now: Timestamp) -> Result<bool, Error> {
        let (key, now) = (self.keys.record(handle), encoding::instant(now));
        let reply = self
            .run(&script::EXPIRE, once(&*key), &[now.as_bytes()])
            .await?;
        Ok(reply.word()? == b"gone")
    }
}

/// Iterates over all records, node by node and page by page. Every record that exists throughout is found, some of them
/// twice.
struct Scan<'a> {
    store: &'a RedisStore,
    nodes: vec::IntoIter<Node>,
    here: Option<(Node, u64)>,
}

/// A slot of the node, `None` for a single server.
pub(super) type Node = Option<u16>;

impl<'a> Scan<'a> {
    async fn new(store: &'a RedisStore) -> Result<Self, Error> {
        let mut nodes = match store.connection.is_cluster() {
            true => nodes(store.send(redis::cmd("CLUSTER").arg("SLOTS")).await?)?,
            false => vec![None],
        }
        .into_iter();
        let here = nodes.next().map(|node| (node, 0));
        Ok(Self { store, nodes, here })
    }

    async fn next(&mut self) -> Result<Option<Vec<(Handle, RecordHeader)>>, Error> {
        let Some((node, cursor)) = self.here else {
            return Ok(None);
        };
        let (next, handles) = self.handles(node, cursor).await?;
        let headers = self.headers(node, &handles).await?;
        self.here = match next {
            0 => self.nodes.next().map(|node| (node, 0)),
            next => Some((node, next)),
        };
        // A session that has ended in between has no header any more.
        let page = handles.into_iter().zip(headers);
        Ok(Some(
            page.filter_map(|(handle, header)| Some((handle, header?)))
                .collect(),
        ))
    }

    async fn handles(&self, node: Node, cursor: u64) -> Result<(u64, Vec<Handle>), Error> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.store.keys.pattern());
        scan.arg("COUNT").arg(PAGE);
        let answer = self.store.connection.send(Request::One(&scan), node).await;
        let (cursor, names): (u64, Vec<Vec<u8>>) =
            redis::from_redis_value(reply::value(answer.result)?).map_err(|_| unexpected())?;
        let handle = |name: &Vec<u8>| self.store.keys.handle(name);
        Ok((cursor, names.iter().filter_map(handle).collect()))
    }

    async fn headers(
        &self,
        node: Node,
        handles: &[Handle],
    ) -> Result<Vec<Option<RecordHeader>>, Error> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let mut get = redis::pipe();
        for &handle in handles {
            let key = self.store.keys.record(handle);
            get.cmd("GETRANGE").arg(key).arg(0).arg(RecordHeader::LAST);
        }
        let sent = self.store.connection.send(Request::Many(&get), node).await;
        match reply::value(sent.result)? {
            Value::Array(heads) => heads.iter().map(header).collect(),
            _ => Err(unexpected()),
        }
    }
}

fn header(answer: &Value) -> Result<Option<RecordHeader>, Error> {
    match answer {
        Value::BulkString(head) => Ok(RecordHeader::decode(head)),
        _ => Err(unexpected()),
    }
}

/// One slot of each primary, from the reply to `CLUSTER SLOTS`: ranges with first, last, primary, replicas.
pub(super) fn nodes(ranges: Value) -> Result<Vec<Node>, Error> {
    let Value::Array(ranges) = ranges else {
        return Err(unexpected());
    };
    let (mut nodes, mut seen) = (Vec::new(), Vec::new());
    for range in &ranges {
        let Value::Array(range) = range else {
            return Err(unexpected());
        };
        let [Value::Int(first), _, primary, ..] = &range[..] else {
            return Err(unexpected());
        };
        if !seen.contains(&primary) {
            seen.push(primary);
            nodes.push(Some(u16::try_from(*first).map_err(|_| unexpected())?));
        }
    }
    Ok(nodes)
}
