use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// One number per shard, readable without a lock. Finding the minimum or maximum costs one read per shard, independent
/// of the number of records.
#[derive(Debug, Clone)]
pub(super) struct Board(Arc<[AtomicU64]>);

impl Board {
    pub(super) fn new(shards: usize, initial: u64) -> Self {
        let numbers = std::iter::repeat_with(|| AtomicU64::new(initial));
        Self(numbers.take(shards).collect())
    }

    /// The entry of one shard, which only that shard writes.
    pub(super) fn entry(&self, shard: usize) -> BoardEntry {
        BoardEntry {
            board: self.clone(),
            shard,
        }
    }

    /// The index of each shard, with its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let numbers = self.0.iter().map(|number| number.load(Ordering::Relaxed));
        numbers.enumerate()
    }
}

/// A shard's own number, written only under the shard's lock.
#[derive(Debug)]
pub(super) struct BoardEntry {
    board: Board,
    shard: usize,
}

impl BoardEntry {
    /// The number rarely changes; skipping the write keeps the cache line shared between processors.
    pub(super) fn set(&self, number: u64) {
        let place = &self.board.0[self.shard];
        if place.load(Ordering::Relaxed) != number {
            place.store(number, Ordering::Relaxed);
        }
    }
}
