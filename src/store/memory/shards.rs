use parking_lot::{Mutex, MutexGuard};

use super::{
    board::Board,
    expiry_queue::{ExpiryQueue, Order},
    shard::{Class, Evicted, Shard},
};
use crate::{id::Handle, record::Record, time::Timestamp};

/// All records, partitioned by handle.
pub(super) struct Shards {
    shards: Box<[Mutex<Shard>]>,
    /// By [`Class`]: the order of the first record in each shard's queue.
    fronts: [Board; Class::ALL.len()],
}

impl Shards {
    /// Enough that work under one lock stays short at a million sessions. At a million, the tables of 300 shards, whose
    /// capacities are powers of two, are four fifths full; those of 512 would have just doubled to be half empty.
    pub(super) const COUNT: usize = 300;

    pub(super) fn new() -> Self {
        let fronts = Class::ALL.map(|_| Board::new(Self::COUNT, Order::NONE.number()));
        let shard = |index| {
            let queue = |front: &Board| ExpiryQueue::new(front.entry(index));
            Mutex::new(Shard::new(fronts.each_ref().map(queue)))
        };
        Self {
            shards: (0..Self::COUNT).map(shard).collect(),
            fronts,
        }
    }

    pub(super) fn lock(&self, handle: Handle) -> MutexGuard<'_, Shard> {
        self.lock_at(Self::index(handle))
    }

    pub(super) fn lock_at(&self, index: usize) -> MutexGuard<'_, Shard> {
        self.shards[index].lock()
    }

    /// Locks the shards of two handles, in the order that avoids deadlock, to move a session between them.
    pub(super) fn lock_both(&self, one: Handle, other: Handle) -> LockedPair<'_> {
        let (low, high) = (Self::index(one), Self::index(other));
        let (low, high) = (low.min(high), low.max(high));
        LockedPair {
            low: self.lock_at(low),
            high: (low != high).then(|| self.lock_at(high)),
            low_index: low,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(Mutex::lock)
    }

    /// Removes the record of a class that expires first, skipping `except`. With `due`, only one that had expired at that
    /// time.
    pub(super) fn evict(
        &self,
        class: Class,
        due: Option<Timestamp>,
        except: Option<Handle>,
    ) -> Option<(Handle, Record)> {
        let mut skipped = None;
        loop {
            let fronts = self.fronts[class as usize].iter();
            let others = fronts.filter(|(index, _)| Some(*index) != skipped);
            let (index, front) = others.min_by_key(|(_, order)| *order)?;
            let front = Order::from_number(front);
            if front == Order::NONE || due.is_some_and(|now| !front.is_due(now)) {
                return None;
            }
            match self.lock_at(index).evict(class, front, due, except) {
                Evicted::Record(handle, record) => return Some((handle, record)),
                Evicted::Retry => {}
                Evicted::Nothing => skipped = Some(index),
            }
        }
    }

    /// The records after this one, in the order of shards, and within a shard of handles. One shard is locked at a time.
    pub(super) fn scan(&self, after: Option<Handle>, limit: usize) -> Vec<(Handle, Record)> {
        let first = after.map_or(0, Self::index);
        let mut page = Vec::new();
        for index in first..Self::COUNT {
            let after = after.filter(|_| index == first);
            let shard = self.lock_at(index);
            let mut handles: Vec<_> = shard.handles().filter(|it| Some(*it) > after).collect();
            handles.sort_unstable();
            let record = |handle| Some((handle, shard.get(handle)?.clone()));
            page.extend(
                handles
                    .into_iter()
                    .filter_map(record)
                    .take(limit - page.len()),
            );
            if page.len() == limit {
                break;
            }
        }
        page
    }

    fn index(handle: Handle) -> usize {
        let [first, second, ..] = *handle.as_bytes();
        usize::from(u16::from_ne_bytes([first, second])) % Self::COUNT
    }
}

/// Two shards, or one twice.
pub(super) struct LockedPair<'a> {
    low: MutexGuard<'a, Shard>,
    high: Option<MutexGuard<'a, Shard>>,
    low_index: usize,
}

impl LockedPair<'_> {
    /// The shard of either handle that the pair was locked for.
    pub(super) fn of(&mut self, handle: Handle) -> &mut Shard {
        match &mut self.high {
            Some(high) if Shards::index(handle) != self.low_index => high,
            _ => &mut self.low,
        }
    }
}
