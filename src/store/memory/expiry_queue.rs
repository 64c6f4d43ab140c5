use std::{cmp::Reverse, collections::BinaryHeap};

use super::board::BoardEntry;
use crate::time::Timestamp;

/// The records of one class in one shard, first the one that expires first.
///
/// It is lazy, so that using or ending a session does not have to find its slot: a slot may be of a record that is gone
/// (stale), and a record may expire later than its slot says. What always holds is that each record has a slot that says
/// no later than the record expires. Whoever takes the front looks at the record and mends the slot.
#[derive(Debug)]
pub(super) struct ExpiryQueue {
    heap: BinaryHeap<Reverse<Slot>>,
    /// Where the order of the front is published, for the search for the shard with the oldest record.
    front: BoardEntry,
}

/// Where a record is in the queue: 16 bytes for each session in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) order: Order,
    pub(super) key: u64,
}

/// When a record expires, in the upper bits. The lower ones are the turn at which it came, for those that expire in the
/// same millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order(u64);

impl Order {
    /// That of an empty queue's front.
    pub(super) const NONE: Self = Self(u64::MAX);

    /// They leave the time 42 bits, which suffice until the year 2109. What expires later counts as expiring then.
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

    /// Whether what has this place had expired at `now`, as far as the slot knows.
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

    pub(super) fn push(&mut self, expires_at: Timestamp, turn: usize, key: u64) {
        let order = Order::new(expires_at, turn as u64);
        self.restore(Slot { order, key });
    }

    /// Puts a slot back that was popped.
    pub(super) fn restore(&mut self, slot: Slot) {
        // A vector that doubles would leave up to sixteen bytes a session unused, this leaves two.
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

    /// Moves the front to where its record belongs by now.
    pub(super) fn postpone_front(&mut self, expires_at: Timestamp) {
        if let Some(mut front) = self.heap.peek_mut() {
            front.0.order = Order::new(expires_at, front.0.order.0);
        }
        self.publish();
    }

    /// Keeps of the slots, in order, those that `is_wanted`.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(Slot) -> bool) {
        let mut slots = std::mem::take(&mut self.heap).into_vec();
        slots.sort_unstable_by(|one, other| other.cmp(one));
        slots.retain(|Reverse(slot)| is_wanted(*slot));
        slots.shrink_to_fit();
        self.heap = slots.into();
        self.publish();
    }

    /// Whether a slot says no earlier than `expires_at`.
    pub(super) fn is_current(slot: Slot, expires_at: Timestamp) -> bool {
        slot.order >= Order::new(expires_at, 0)
    }

    fn publish(&self) {
        let front = self.front().map_or(Order::NONE, |slot| slot.order);
        self.front.set(front.number());
    }
}
