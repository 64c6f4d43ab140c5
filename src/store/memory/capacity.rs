use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    error::Error,
    id::Handle,
    record::{Body, Record},
};

/// How much a store may hold, how much it holds, and who makes room.
#[derive(Debug)]
pub(super) struct Capacity {
    pub(super) limits: Limits,
    /// What is there, tombstones too, and what is reserved for a record that is about to be there.
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

/// For whom room is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newcomer<'a> {
    /// Whose session appears or grows.
    pub(super) user: Option<&'a str>,
    /// The session itself, where it is there already: it does not make room for itself.
    pub(super) except: Option<Handle>,
    /// Whether a session only moves to a new id, so that the room is for its tombstone.
    pub(super) moves: bool,
    /// What the session will take in all.
    pub(super) cost: usize,
}

/// What may make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    /// Any record that has expired.
    Expired,
    Tombstone,
    Anonymous,
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

/// How the newcomer's user and the others stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// How many sessions the newcomer's user has, if there is one.
    pub(super) own: Option<usize>,
    /// How many sessions the user with the most has.
    pub(super) most: usize,
    pub(super) moves: bool,
}

impl Capacity {
    /// A user with this many sessions pays for the next one with their own oldest, before an anonymous session does. With
    /// fewer, a phone and a laptop do not log each other out because visitors filled the store.
    const ALLOWANCE: usize = 4;

    /// One in so many of all records is the most that a user may have before their sessions make room for everybody.
    const CROWD: usize = 100;

    /// In a small store, a user may have this many all the same.
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

    /// Takes room, if there is so much. The records appear after it, so those that are there never exceed the limits.
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

    /// Accounts for a record of another size in the place of one, if there is room.
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
        // Room for a tombstone is not worth a session of a user; it is left out then.
        let may_log_in = own.filter(|_| !moves);
        // Not where the other user would have fewer than the newcomer's after that.
        let is_outnumbered = may_log_in.is_some_and(|own| most > own + 1);
        let order = [
            Some(Victim::Expired),
            Some(Victim::Tombstone),
            crowds.then_some(Victim::OldestOfMost),
            has_share.then_some(Victim::OwnOldest),
            Some(Victim::Anonymous),
            is_outnumbered.then_some(Victim::OldestOfMost),
            may_log_in.map(|_| Victim::OwnOldest),
        ];
        order.into_iter().flatten()
    }

    pub(super) fn full() -> Error {
        Error::store_advised(
            "the memory store is full of sessions that are logged in",
            "give it more room by `MemoryStore::with_max_sessions`, or use another store",
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

/// Room for a record that is about to appear. It is given back unless it is [used](Self::keep).
#[derive(Debug)]
#[must_use]
pub(super) struct Reservation<'a> {
    capacity: &'a Capacity,
    records: usize,
    bytes: usize,
}

impl Reservation<'_> {
    /// The room is taken for good.
    pub(super) fn keep(self) {
        let bytes = self.bytes;
        self.settle(0, bytes);
    }

    /// The room is taken, by what takes `after` bytes in place of what took `before`. What is left is given back.
    pub(super) fn settle(mut self, before: usize, after: usize) {
        let needed = after.saturating_sub(before);
        // Not enough was reserved only if the record was ended and created again meanwhile, with another size.
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

/// About how many bytes of memory a record takes in a store.
pub(super) fn cost(record: &Record) -> usize {
    /// The counts of an `Arc`, what the allocator adds, a place in a table that is two thirds full and in a queue.
    const FIXED: usize = size_of::<Body>() + 24 + size_of::<(Handle, Record)>() * 3 / 2 + 20;
    /// An entry of the index of users, besides the name.
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
    // As the allocator does; so most changes of a record leave its cost alone.
    (FIXED + user + commits + data).next_multiple_of(16)
}
