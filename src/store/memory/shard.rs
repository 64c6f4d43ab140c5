use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    time::Duration,
};

use crate::{id::Handle, record::Record, time::Timestamp};

/// One part of the memory store, behind a lock of its own.
#[derive(Debug, Default)]
pub(super) struct Shard {
    records: HashMap<Handle, Record, BuildHasherDefault<HandleHasher>>,
    swept_at: Option<Timestamp>,
}

impl Shard {
    /// How often at most a shard is looked through for expired records.
    const SWEEP_EVERY: Duration = Duration::from_secs(60);

    pub(super) fn get(&self, handle: Handle) -> Option<&Record> {
        self.records.get(&handle)
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Record> {
        self.records.get_mut(&handle)
    }

    /// Answers whether the handle was free; if not, nothing is changed.
    pub(super) fn insert(&mut self, handle: Handle, record: &Record) -> bool {
        match self.records.entry(handle) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(record.clone());
                true
            }
        }
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<Record> {
        self.records.remove(&handle)
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// Takes up to `limit` expired records out, and returns memory that many of them held.
    pub(super) fn take_expired(&mut self, now: Timestamp, limit: usize) -> Vec<(Handle, Record)> {
        let expired = self.records.extract_if(|_, record| record.expires() <= now);
        let taken: Vec<_> = expired.take(limit).collect();
        if self.records.len() < self.records.capacity() / 4 {
            self.records.shrink_to_fit();
        }
        taken
    }

    /// The same for all, unless that was done lately.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Vec<(Handle, Record)> {
        // The clock may have been set back since.
        let lately = |at: Timestamp| at <= now && now.since(at) < Self::SWEEP_EVERY;
        if self.swept_at.is_some_and(lately) {
            return Vec::new();
        }
        self.swept_at = Some(now);
        self.take_expired(now, usize::MAX)
    }

    /// Takes out the anonymous session that has been silent the longest, but not this one.
    pub(super) fn evict_anonymous(&mut self, except: Option<Handle>) -> Option<Record> {
        let anonymous = |record: &Record| record.user().is_none() && !record.is_tombstone();
        let candidates = self
            .records
            .iter()
            .filter(|(handle, record)| anonymous(record) && Some(**handle) != except);
        let (&oldest, _) = candidates.min_by_key(|(_, record)| record.expires())?;
        self.records.remove(&oldest)
    }
}

/// Handles are digests: any eight bytes of one are a hash already.
#[derive(Debug, Default)]
pub(super) struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(word) = bytes.last_chunk() {
            self.0 = u64::from_ne_bytes(*word);
        }
    }

    /// The length that an array's hash begins with.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
