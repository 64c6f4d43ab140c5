use std::{collections::HashSet, iter::once, vec};

use futures_util::future::try_join_all;
use redis::Value;

use super::{
    RedisStore, failed,
    link::Question,
    script, unexpected,
    value::{self, Life},
};
use crate::{error::Error, id::Handle, time::Timestamp};

/// How many keys Redis looks at before it answers, which takes it less than a millisecond.
const PAGE: usize = 1_000;

/// Looking at every session, which no other verb does.
impl RedisStore {
    pub(super) async fn count_live(&self, now: Timestamp) -> Result<u64, Error> {
        let mut live = HashSet::new();
        let mut scan = Scan::new(self).await?;
        while let Some(page) = scan.next().await? {
            let lives = |(_, life): &(_, Life)| life.expires_at > now && !life.is_tombstone;
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
            page.retain(|(_, life)| life.expires_at <= now);
            page.truncate(limit - swept);
            let expired = page.iter().map(|&(handle, _)| self.expire(handle, now));
            let gone = try_join_all(expired).await?;
            swept += gone.into_iter().filter(|gone| *gone).count();
        }
        Ok(swept as u64)
    }

    /// Deletes a record unless it was touched meanwhile.
    async fn expire(&self, handle: Handle, now: Timestamp) -> Result<bool, Error> {
        let (key, now) = (self.keys.record(handle), now.as_millis().to_string());
        let answer = self
            .run(&script::EXPIRE, once(&*key), &[now.as_bytes()])
            .await?;
        Ok(answer == Value::BulkString(b"gone".to_vec()))
    }
}

/// Goes through all records, node by node and page by page. It finds all that are there from its beginning to its
/// end, and some twice.
struct Scan<'a> {
    store: &'a RedisStore,
    nodes: vec::IntoIter<Node>,
    here: Option<(Node, u64)>,
}

/// A slot that the node has; or the one server.
type Node = Option<u16>;

impl<'a> Scan<'a> {
    async fn new(store: &'a RedisStore) -> Result<Self, Error> {
        let mut nodes = match store.link.is_cluster() {
            true => nodes(store.send(redis::cmd("CLUSTER").arg("SLOTS")).await?)?,
            false => vec![None],
        }
        .into_iter();
        let here = nodes.next().map(|node| (node, 0));
        Ok(Self { store, nodes, here })
    }

    async fn next(&mut self) -> Result<Option<Vec<(Handle, Life)>>, Error> {
        let Some((node, cursor)) = self.here else {
            return Ok(None);
        };
        let (next, handles) = self.handles(node, cursor).await?;
        let lives = self.lives(node, &handles).await?;
        self.here = match next {
            0 => self.nodes.next().map(|node| (node, 0)),
            next => Some((node, next)),
        };
        // One that ended in between has no life any more.
        let page = handles.into_iter().zip(lives);
        Ok(Some(
            page.filter_map(|(handle, life)| Some((handle, life?)))
                .collect(),
        ))
    }

    async fn handles(&self, node: Node, cursor: u64) -> Result<(u64, Vec<Handle>), Error> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.store.keys.pattern());
        scan.arg("COUNT").arg(PAGE);
        let answer = self.store.link.ask(Question::One(&scan), node).await;
        let (cursor, names): (u64, Vec<Vec<u8>>) =
            redis::from_redis_value(answer.map_err(failed)?).map_err(|_| unexpected())?;
        let handle = |name: &Vec<u8>| self.store.keys.handle(name);
        Ok((cursor, names.iter().filter_map(handle).collect()))
    }

    async fn lives(&self, node: Node, handles: &[Handle]) -> Result<Vec<Option<Life>>, Error> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let mut get = redis::pipe();
        for &handle in handles {
            let key = self.store.keys.record(handle);
            get.cmd("GETRANGE").arg(key).arg(0).arg(Life::LAST);
        }
        match self.store.link.ask(Question::Many(&get), node).await {
            Ok(Value::Array(answers)) => answers.iter().map(life).collect(),
            Ok(_) => Err(unexpected()),
            Err(error) => Err(failed(error)),
        }
    }
}

fn life(answer: &Value) -> Result<Option<Life>, Error> {
    match answer {
        Value::BulkString(head) => Ok(value::life(head)),
        _ => Err(unexpected()),
    }
}

/// One slot of each primary, from ranges of slots: first, last, primary, replicas.
fn nodes(ranges: Value) -> Result<Vec<Node>, Error> {
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
