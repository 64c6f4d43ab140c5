use std::collections::HashSet;

use redis::Value;

use super::{
    RedisStore,
    connection::Request,
    encoding::RecordHeader,
    lane::Lane,
    progress::{Node, Scan},
    reply::unexpected,
};
use crate::{error::Error, id::Handle, time::Timestamp};

/// How many keys the server looks at for one reply. Each of a page's commands holds others up for a fraction of a
/// millisecond.
const PAGE: usize = 500;

impl RedisStore {
    pub(super) async fn count_live(&self, now: Timestamp) -> Result<u64, Error> {
        let mut live = HashSet::new();
        let mut scan = Scan::begin(self).await?;
        while let Some(page) = scan.next(self).await? {
            let lives =
                |(_, header): &(_, RecordHeader)| header.expires_at > now && !header.is_tombstone;
            live.extend(page.into_iter().filter(lives).map(|(handle, _)| handle));
        }
        Ok(live.len() as u64)
    }
}

impl Scan {
    pub(super) async fn begin(store: &RedisStore) -> Result<Self, Error> {
        let mut nodes = match store.connection.is_cluster() {
            true => nodes(store.send(redis::cmd("CLUSTER").arg("SLOTS")).await?)?,
            false => {
                refuse_cluster_node(store).await?;
                vec![None]
            }
        }
        .into_iter();
        let here = nodes.next().map(|node| (node, 0));
        Ok(Self { nodes, here })
    }

    /// The next page, `None` after the last. After an error, or if its future was dropped, the page comes again.
    pub(super) async fn next(
        &mut self,
        store: &RedisStore,
    ) -> Result<Option<Vec<(Handle, RecordHeader)>>, Error> {
        let Some((node, cursor)) = self.here else {
            return Ok(None);
        };
        let (next, handles) = handles(store, node, cursor, PAGE).await?;
        let headers = headers(store, node, &handles).await?;
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
}

/// `SCAN` alone would answer on a node of a cluster, for that node only. A command with two keys is refused there, as
/// they are in different slots whatever precedes the handles; unless the prefix is a hash tag, and then the node has all
/// sessions.
pub(super) async fn refuse_cluster_node(store: &RedisStore) -> Result<(), Error> {
    let mut exists = redis::cmd("EXISTS");
    for byte in [0, 1] {
        exists.arg(store.keys.record(Handle::from_bytes([byte; 16])));
    }
    store.send(&exists).await.map(drop)
}

/// One page of the names of a node's records, and the cursor of the next.
pub(super) async fn handles(
    store: &RedisStore,
    node: Node,
    cursor: u64,
    count: usize,
) -> Result<(u64, Vec<Handle>), Error> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(store.keys.pattern());
    scan.arg("COUNT").arg(count);
    let answer = store
        .connection
        .send(Request::One(&scan), node, Lane::Large);
    let answer = answer.await;
    let (cursor, names): (u64, Vec<Vec<u8>>) =
        redis::from_redis_value(store.value(answer)?).map_err(|_| unexpected())?;
    let handle = |name: &Vec<u8>| store.keys.handle(name);
    Ok((cursor, names.iter().filter_map(handle).collect()))
}

async fn headers(
    store: &RedisStore,
    node: Node,
    handles: &[Handle],
) -> Result<Vec<Option<RecordHeader>>, Error> {
    if handles.is_empty() {
        return Ok(Vec::new());
    }
    let mut get = redis::pipe();
    for &handle in handles {
        let key = store.keys.record(handle);
        get.cmd("GETRANGE").arg(key).arg(0).arg(RecordHeader::LAST);
    }
    let sent = store
        .connection
        .send(Request::Many(&get), node, Lane::Large);
    let sent = sent.await;
    match store.value(sent)? {
        Value::Array(heads) => heads.iter().map(header).collect(),
        _ => Err(unexpected()),
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
