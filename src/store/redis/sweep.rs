use futures_util::future::try_join_all;
use redis::Value;

use super::{
    RedisStore, encoding,
    progress::{RunningSweep, Scan, Sweep},
    reply::unexpected,
    script,
};
use crate::{error::Error, id::Handle, time::Timestamp};

/// How many records one script deletes, which takes the server a fraction of a millisecond.
const CHUNK: usize = 100;

impl RedisStore {
    /// An answer below the limit says that this call has looked at every record.
    pub(super) async fn sweep(&self, now: Timestamp, limit: usize) -> Result<u64, Error> {
        let mut swept = 0;
        if let Some(mut earlier) = self.paused_sweep.resume() {
            if !earlier.run(self, now, limit, &mut swept).await? {
                return Ok(swept as u64);
            }
            earlier.finish();
        }
        let mut whole = self.paused_sweep.begin(Sweep::begin(self).await?);
        if whole.run(self, now, limit, &mut swept).await? {
            whole.finish();
        }
        Ok(swept as u64)
    }

    /// Deletes those of the records that have not been touched meanwhile, and answers how many.
    async fn expire(&self, handles: &[Handle], now: Timestamp) -> Result<usize, Error> {
        // A script's keys have to be in one slot of a cluster.
        let chunk = match self.connection.is_cluster() {
            true => 1,
            false => CHUNK,
        };
        let now = encoding::instant(now);
        let scripts = handles.chunks(chunk).map(async |handles| {
            let keys: Vec<_> = handles.iter().map(|&h| self.keys.record(h)).collect();
            let keys = keys.iter().map(String::as_str);
            let reply = self.run(&script::EXPIRE, keys, &[now.as_bytes()]).await?;
            match reply.value {
                Value::Int(deleted) => usize::try_from(deleted).map_err(|_| unexpected()),
                _ => Err(unexpected()),
            }
        });
        Ok(try_join_all(scripts).await?.into_iter().sum())
    }
}

impl RunningSweep<'_> {
    /// Answers whether it came to the end of all records, rather than to its limit.
    async fn run(
        &mut self,
        store: &RedisStore,
        now: Timestamp,
        limit: usize,
        swept: &mut usize,
    ) -> Result<bool, Error> {
        match &mut self.sweep {
            Some(sweep) => sweep.run(store, now, limit, swept).await,
            None => Ok(true),
        }
    }

    fn finish(mut self) {
        self.sweep = None;
    }
}

impl Sweep {
    async fn begin(store: &RedisStore) -> Result<Self, Error> {
        let scan = Scan::begin(store).await?;
        let due = Vec::new();
        Ok(Self { scan, due })
    }

    async fn run(
        &mut self,
        store: &RedisStore,
        now: Timestamp,
        limit: usize,
        swept: &mut usize,
    ) -> Result<bool, Error> {
        while *swept < limit {
            if self.due.is_empty() {
                let Some(page) = self.scan.next(store).await? else {
                    return Ok(true);
                };
                let due = page.iter().filter(|(_, header)| header.expires_at <= now);
                self.due.extend(due.map(|&(handle, _)| handle));
                continue;
            }
            let most = CHUNK.min(limit - *swept);
            let rest = self.due.len().saturating_sub(most);
            *swept += store.expire(&self.due[rest..], now).await?;
            self.due.truncate(rest);
        }
        Ok(false)
    }
}
