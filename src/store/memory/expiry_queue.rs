use std::{cmp::Reverse, collections::BinaryHeap};

use super::board::BoardEntry;
use crate::time::Timestamp;

/// A priority queue of one shard's records of one class, by expiry.
///
/// It is lazy, so touching or ending a session need not find its slot: a slot may be stale (its record is gone), and a
/// record may expire later than its slot says. The invariant: each record has a slot that is no later than its expiry. The
/// front slot is checked against its record, and repaired, when it is taken.
#[derive(Debug)]
pub(super) struct ExpiryQueue {
    heap: BinaryHeap<Reverse<Slot>>,
    /// Publishes the front's order, so that the shard with the oldest record is found without locking.
    front: BoardEntry,
}

/// An entry of the queue: 16 bytes per session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) order: Order,
    pub(super) key: u64,
}

/// A record's expiry in the upper bits, and in the lower bits the turn of its insertion, which orders records that expire
/// in the same millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order(u64);

impl Order {
    /// The order of an empty queue's front.
    pub(super) const NONE: Self = Self(u64::MAX);

    /// Leaves 42 bits for the time, enough until the year 2109. A later expiry is treated as that.
    const TIE_BITS: u32 = 22;

    fn new(expires_at: Timestamp, turn: u64) -> Self {
        let millis = expires_at.as_millis().min(u64::MAX >> Self::TIE_BITS);
        Self(millis << Self::TIE_BITS | turn & !(u64::MAX << Self::TIE_BITS))
    }

    pub(super) const fn number(self) -> u64 {
        self.0
    }

    pub(super) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Whether a record in this position had expired at `now`, as far as the slot knows.
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        self != Self::NONE && self <= Self::new(now, u64::MAX)
    }
}

impl ExpiryQueue {
    pub(super) fn new(front: BoardEntry) -> Self {
        Self {
            heap: BinaryHeap::new(),
            front,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.heap.iter().map(|Reverse(slot)| *slot)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.heap.capacity()
    }

    pub(super) fn push(&mut self, expires_at: Timestamp, turn: usize, key: u64) {
        let order = Order::new(expires_at, turn as u64);
        self.restore(Slot { order, key });
    }

    /// Puts back a popped slot.
    pub(super) fn restore(&mut self, slot: Slot) {
        // Doubling would leave up to sixteen bytes per session unused; this leaves two.
        if self.heap.len() == self.heap.capacity() {
            self.heap.reserve_exact(self.heap.len() / 8 + 4);
        }
        self.heap.push(Reverse(slot));
        self.publish();
    }

    pub(super) fn front(&self) -> Option<Slot> {
        self.heap.peek().map(|Reverse(slot)| *slot)
    }

    pub(super) fn pop(&mut self) -> Option<Slot> {
        let popped = self.heap.pop();
        self.publish();
        popped.map(|Reverse(slot)| slot)
    }

    /// Moves the front slot to its record's current expiry.
    pub(super) fn postpone_front(&mut self, expires_at: Timestamp) {
        if let Some(mut front) = self.heap.peek_mut() {
            front.0.order = Order::new(expires_at, front.0.order.0);
        }
        self.publish();
    }

    /// Keeps the slots for which `is_wanted` returns true, visiting them in order.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(Slot) -> bool) {
        let mut slots = std::mem::take(&mut self.heap).into_vec();
        slots.sort_unstable_by(|one, other| other.cmp(one));
        slots.retain(|Reverse(slot)| is_wanted(*slot));
        slots.shrink_to_fit();
        self.heap = slots.into();
        self.publish();
    }

    /// Whether a slot is no earlier than `expires_at`.
    pub(super) fn is_current(slot: Slot, expires_at: Timestamp) -> bool {
        slot.order >= Order::new(expires_at, 0)
    }

    fn publish(&self) {
        let front = self.front().map_or(Order::NONE, |slot| slot.order);
        self.front.set(front.number());
    }
}
