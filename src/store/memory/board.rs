use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// One number for each shard, read without a lock. Finding the shard with the least or the greatest takes as many reads
/// as there are shards, however much they hold.
#[derive(Debug, Clone)]
pub(super) struct Board(Arc<[AtomicU64]>);

impl Board {
    pub(super) fn new(shards: usize, initial: u64) -> Self {
        let numbers = std::iter::repeat_with(|| AtomicU64::new(initial));
        Self(numbers.take(shards).collect())
    }

    /// The place of one shard, for that shard to write.
    pub(super) fn entry(&self, shard: usize) -> BoardEntry {
        BoardEntry {
            board: self.clone(),
            shard,
        }
    }

    /// Each shard with its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let numbers = self.0.iter().map(|number| number.load(Ordering::Relaxed));
        numbers.enumerate()
    }
}

/// A shard's own number. Written under the shard's lock only.
#[derive(Debug)]
pub(super) struct BoardEntry {
    board: Board,
    shard: usize,
}

impl BoardEntry {
    /// The number seldom changes. Not writing it again leaves it in the caches of the other processors.
    pub(super) fn set(&self, number: u64) {
        let place = &self.board.0[self.shard];
        if place.load(Ordering::Relaxed) != number {
            place.store(number, Ordering::Relaxed);
        }
    }
}
