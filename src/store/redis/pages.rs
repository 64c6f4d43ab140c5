use redis::Value;

use super::{
    RedisStore,
    connection::Request,
    encoding,
    lane::Lane,
    progress::Node,
    reply::unexpected,
    scan::{handles, nodes, refuse_cluster_node},
};
use crate::{
    error::Error,
    id::Handle,
    record::Record,
    store::{Cursor, Page, scan::foreign_cursor},
};

/// How many keys the server looks at for one reply at most, which takes it less than a millisecond.
const MOST: usize = 1_000;

/// Where a scan is: at a node, and a cursor of `SCAN` there.
///
/// As text it is the cursor, in a cluster behind the node's first slot: `5461:1234`. The server's cursors last until it
/// restarts, or slots move to another node: a scan that goes on after that may leave out sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    node: Node,
    cursor: u64,
}

impl RedisStore {
    pub(super) async fn page(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        let Position { node, cursor } = match after {
            Some(cursor) => Position::read(cursor.as_str(), self.connection.is_cluster())?,
            None => Position {
                node: self.node_after(None).await?,
                cursor: 0,
            },
        };
        let (cursor, handles) = handles(self, node, cursor, limit.clamp(1, MOST)).await?;
        let sessions = self.records_at(node, &handles).await?;
        let next = match (cursor, node) {
            (0, None) => None,
            (0, node) => self.node_after(node).await?.map(|slot| (Some(slot), 0)),
            (cursor, node) => Some((node, cursor)),
        };
        let next = next.map(|(node, cursor)| Position { node, cursor }.to_cursor());
        Ok(Page { sessions, next })
    }

    /// The node of a cluster with the next first slot. `None` behind the last, and where there is no cluster.
    async fn node_after(&self, node: Node) -> Result<Node, Error> {
        if !self.connection.is_cluster() {
            refuse_cluster_node(self).await?;
            return Ok(None);
        }
        let slots = self.send(redis::cmd("CLUSTER").arg("SLOTS")).await?;
        let later = nodes(slots)?.into_iter().filter(|other| *other > node);
        Ok(later.min().flatten())
    }

    /// Without those that have ended since their keys were listed.
    async fn records_at(
        &self,
        node: Node,
        handles: &[Handle],
    ) -> Result<Vec<(Handle, Result<Record, Error>)>, Error> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let mut get = redis::pipe();
        for &handle in handles {
            get.cmd("GETEX").arg(self.keys.record(handle));
        }
        let sent = self
            .connection
            .send(Request::Many(&get), node, Lane::Large)
            .await;
        let Value::Array(values) = self.value(sent)? else {
            return Err(unexpected());
        };
        let records = handles.iter().zip(values);
        let records = records.filter_map(|(handle, value)| match value {
            Value::Nil => None,
            Value::BulkString(value) => Some(Ok((*handle, encoding::decode(&value)))),
            _ => Some(Err(unexpected())),
        });
        records.collect()
    }
}

impl Position {
    fn read(text: &str, is_cluster: bool) -> Result<Self, Error> {
        let (node, cursor) = match text.split_once(':') {
            Some((slot, cursor)) if is_cluster => (slot.parse().ok().map(Some), cursor),
            None if !is_cluster => (Some(None), text),
            _ => (None, text),
        };
        match (node, cursor.parse()) {
            (Some(node), Ok(cursor)) => Ok(Self { node, cursor }),
            _ => Err(foreign_cursor()),
        }
    }

    fn to_cursor(self) -> Cursor {
        let Self { node, cursor } = self;
        match node {
            Some(slot) => Cursor::new(format!("{slot}:{cursor}")),
            None => Cursor::new(cursor.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_text_and_back() {
        for (node, cursor, text) in [
            (None, 17, "17"),
            (Some(0), 0, "0:0"),
            (Some(16_383), u64::MAX, "16383:18446744073709551615"),
        ] {
            let position = Position { node, cursor };
            assert_eq!(position.to_cursor().as_str(), text);
            assert_eq!(Position::read(text, node.is_some()).unwrap(), position);
            assert!(Position::read(text, node.is_none()).is_err());
        }
        for text in [
            "",
            ":",
            "x",
            "1:x",
            "-1",
            "70000:1",
            "5f0c8a4e9b1d27360a8c4d5e6f708192",
        ] {
            assert!(Position::read(text, true).is_err() && Position::read(text, false).is_err());
        }
    }
}
