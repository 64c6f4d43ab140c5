use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    error::Error,
    id::Handle,
    record::{Body, Record},
};

/// A store's limits, its usage, and the order of eviction.
#[derive(Debug)]
pub(super) struct Capacity {
    pub(super) limits: Limits,
    /// Stored records, tombstones included, plus reservations for records about to be inserted.
    records: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) sessions: usize,
    pub(super) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 1_000_000,
            bytes: 1 << 30,
        }
    }
}

/// The record for which room is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newcomer<'a> {
    /// The user of the new or growing session.
    pub(super) user: Option<&'a str>,
    /// The session itself if it is already stored: it must not be evicted for itself.
    pub(super) except: Option<Handle>,
    /// Whether a session only moves to a new id, so that the room is needed for its tombstone.
    pub(super) moves: bool,
    /// The total size of the session afterwards.
    pub(super) cost: usize,
}

/// What can be evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    /// Any record that has expired.
    Expired,
    Tombstone,
    Anonymous,
    Alias,
    /// The oldest session of the newcomer's user.
    OwnOldest,
    /// The oldest session of the user who has the most.
    OldestOfMost,
}

impl Victim {
    pub(super) fn is_of_user(self) -> bool {
        matches!(self, Self::OwnOldest | Self::OldestOfMost)
    }
}

/// How many sessions the newcomer's user has, compared with the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The session count of the newcomer's user; `None` if anonymous.
    pub(super) own: Option<usize>,
    /// The highest session count of any user.
    pub(super) most: usize,
    pub(super) moves: bool,
}

impl Capacity {
    /// From this many sessions on, a user's own oldest is evicted before an anonymous one. Below it, a user's phone and
    /// laptop do not log each other out because visitors filled the store.
    const ALLOWANCE: usize = 4;

    /// A user whose sessions are more than this fraction (one in …) of all records is a crowd: their sessions are evicted
    /// for any newcomer.
    const CROWD: usize = 100;

    /// The least number that counts as a crowd, for small stores.
    const CROWD_LEAST: usize = 16;

    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            records: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(super) fn records(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Reserves room, if there is enough. Records are inserted only afterwards, so they never exceed the limits.
    pub(super) fn try_reserve(&self, records: usize, bytes: usize) -> Option<Reservation<'_>> {
        if !add_within(&self.records, records, self.limits.sessions) {
            return None;
        }
        if !add_within(&self.bytes, bytes, self.limits.bytes) {
            self.release(records, 0);
            return None;
        }
        Some(Reservation {
            capacity: self,
            records,
            bytes,
        })
    }

    /// Accounts for a record that changes its size, if there is room.
    pub(super) fn try_resize(&self, from: usize, to: usize) -> bool {
        if to < from {
            self.release(0, from - to);
        }
        to <= from || add_within(&self.bytes, to - from, self.limits.bytes)
    }

    pub(super) fn release(&self, records: usize, bytes: usize) {
        self.records.fetch_sub(records, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What to evict: the first of these that exists. `MemoryStore` documents the order.
    pub(super) fn order(&self, standing: Standing) -> impl Iterator<Item = Victim> + use<> {
        let Standing { own, most, moves } = standing;
        let crowds = most > Self::CROWD_LEAST.max(self.records() / Self::CROWD);
        let has_share = own.is_some_and(|own| own >= Self::ALLOWANCE);
        // A tombstone is not worth a user's session; the move goes without one then.
        let may_log_in = own.filter(|_| !moves);
        // Only if the other user still has at least as many as the newcomer's user afterwards.
        let is_outnumbered = may_log_in.is_some_and(|own| most > own + 1);
        let order = [
            Some(Victim::Expired),
            Some(Victim::Tombstone),
            crowds.then_some(Victim::OldestOfMost),
            has_share.then_some(Victim::OwnOldest),
            Some(Victim::Anonymous),
            may_log_in.map(|_| Victim::Alias),
            is_outnumbered.then_some(Victim::OldestOfMost),
            may_log_in.map(|_| Victim::OwnOldest),
        ];
        order.into_iter().flatten()
    }

    pub(super) fn full() -> Error {
        Error::store_advised(
            "the memory store is full of sessions that are logged in",
            "give it more room by `MemoryStore::builder`, or use another store",
        )
    }
}

fn add_within(counter: &AtomicUsize, more: usize, limit: usize) -> bool {
    let sum = |held: usize| held.checked_add(more).filter(|sum| *sum <= limit);
    more == 0
        || counter
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum)
            .is_ok()
}

/// Room reserved for a record about to be inserted. Released on drop unless it is [kept](Self::keep).
#[derive(Debug)]
#[must_use]
pub(super) struct Reservation<'a> {
    capacity: &'a Capacity,
    records: usize,
    bytes: usize,
}

impl Reservation<'_> {
    /// The record was inserted: the room stays taken.
    pub(super) fn keep(self) {
        let bytes = self.bytes;
        self.settle(0, bytes);
    }

    /// The room is used by a record of `after` bytes that replaces one of `before`. The remainder is released.
    pub(super) fn settle(mut self, before: usize, after: usize) {
        let needed = after.saturating_sub(before);
        // Too little was reserved only if the record was deleted and recreated in the meantime, with another size.
        let short = needed.saturating_sub(self.bytes);
        self.capacity.bytes.fetch_add(short, Ordering::Relaxed);
        let freed = before.saturating_sub(after);
        (self.records, self.bytes) = (0, self.bytes + short - needed + freed);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.capacity.release(self.records, self.bytes);
    }
}

/// Approximately how many bytes of memory a record takes.
pub(super) fn cost(record: &Record) -> usize {
    /// The counters of an `Arc`, allocator overhead, an entry in a table that is two thirds full, and a queue slot.
    const FIXED: usize = size_of::<Body>() + 24 + size_of::<(Handle, Record)>() * 3 / 2 + 20;
    /// An entry of the user index, without the name.
    const INDEXED: usize = 96;
    const COMMITS: usize = 80;

    let body = record.body();
    let user = body.user.as_ref();
    let user = user.map_or(0, |user| 2 * user.len() + INDEXED);
    let commits = if body.commits.is_empty() { 0 } else { COMMITS };
    let data = match body.data.len() {
        0 => 0,
        entries => 8 * entries + body.data.bytes() + 12,
    };
    // Rounded as the allocator does, so most changes of a record do not change its cost.
    (FIXED + user + commits + data).next_multiple_of(16)
}
