use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::Duration,
};

use super::{
    expiry_queue::{ExpiryQueue, Order, Slot},
    key::{KeyIsHash, join, split},
};
use crate::{expiry, id::Handle, record::Record, time::Timestamp};

/// A partition of the records, behind its own lock.
#[derive(Debug)]
pub(super) struct Shard {
    records: HashMap<u64, Entered, KeyIsHash>,
    /// By [`Class`].
    queues: [ExpiryQueue; Class::ALL.len()],
    /// How many slots were looked at, to make room or to sweep.
    #[cfg(test)]
    pub(super) inspected: usize,
}

/// A record, with the half of its handle that is not part of the key.
#[derive(Debug)]
struct Entered {
    rest: u64,
    record: Record,
}

/// How expendable a record is: eviction takes the first class first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Tombstone,
    Anonymous,
    /// Leads from an alias to its user.
    Alias,
    User,
}

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::Tombstone, Self::Anonymous, Self::Alias, Self::User];

    pub(super) fn of(record: &Record) -> Self {
        match record.user() {
            _ if record.is_tombstone() && record.data().len() == 0 => Self::Tombstone,
            _ if record.is_tombstone() => Self::Alias,
            None => Self::Anonymous,
            Some(_) => Self::User,
        }
    }

    /// How long an expired record of this class is kept for requests that found it alive. A tombstone has none: no request
    /// writes to it.
    fn grace(self) -> Duration {
        match self {
            Self::Tombstone => Duration::ZERO,
            Self::Anonymous | Self::Alias | Self::User => expiry::GRACE,
        }
    }
}

/// Which records [`Shard::take_expired`] takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expired {
    /// Records that had expired at this time.
    By(Timestamp),
    /// Records whose grace period had also passed at this time.
    WithGrace(Timestamp),
}

/// The result of evicting from one shard.
#[derive(Debug)]
pub(super) enum Evicted {
    Record(Handle, Record),
    /// Stale slots were repaired; another shard may hold the oldest record now.
    Retry,
    /// The shard holds no candidate other than the excluded record.
    Nothing,
}

impl Shard {
    /// Slots repaired per lock acquisition, which bounds how long a shard is held.
    const BATCH: usize = 64;

    pub(super) fn new(queues: [ExpiryQueue; Class::ALL.len()]) -> Self {
        Self {
            records: HashMap::default(),
            queues,
            #[cfg(test)]
            inspected: 0,
        }
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&Record> {
        let (key, rest) = split(handle);
        let entered = self.records.get(&key)?;
        (entered.rest == rest).then_some(&entered.record)
    }

    /// For changes that keep the record's class. It may expire later than before, never earlier.
    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Record> {
        let (key, rest) = split(handle);
        let entered = self.records.get_mut(&key)?;
        (entered.rest == rest).then_some(&mut entered.record)
    }

    /// Returns whether the handle was free; if not, nothing changes. Among records with equal expiry, the lower `turn` is
    /// evicted first.
    pub(super) fn insert(&mut self, handle: Handle, record: Record, turn: usize) -> bool {
        let (key, rest) = split(handle);
        let Entry::Vacant(place) = self.records.entry(key) else {
            return false;
        };
        let (class, expires_at) = (Class::of(&record), record.expires());
        place.insert(Entered { rest, record });
        self.enqueue(class, expires_at, turn, key);
        true
    }

    /// Replaces a record by one that may belong to another class or expire earlier.
    pub(super) fn swap(
        &mut self,
        handle: Handle,
        replacement: Record,
        turn: usize,
    ) -> Option<Record> {
        let stored = self.get_mut(handle)?;
        let (class, expires_at) = (Class::of(&replacement), replacement.expires());
        let former = std::mem::replace(stored, replacement);
        if class != Class::of(&former) || expires_at < former.expires() {
            self.enqueue(class, expires_at, turn, split(handle).0);
        }
        Some(former)
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<Record> {
        self.get(handle)?;
        let removed = self.records.remove(&split(handle).0)?;
        self.drop_stale_slots();
        Some(removed.record)
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.queues.iter().flat_map(ExpiryQueue::slots).count()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.records.capacity()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values().map(|entered| &entered.record)
    }

    pub(super) fn handles(&self) -> impl Iterator<Item = Handle> {
        let entries = self.records.iter();
        entries.map(|(key, entered)| join(*key, entered.rest))
    }

    /// Removes up to `limit` expired records, and returns whether there may be more.
    pub(super) fn take_expired(
        &mut self,
        which: Expired,
        limit: usize,
    ) -> (Vec<(Handle, Record)>, bool) {
        let mut taken = Vec::new();
        let mut left = Self::BATCH;
        for class in Class::ALL {
            let due = match which {
                Expired::By(now) => now,
                Expired::WithGrace(now) => now.saturating_sub(class.grace()),
            };
            while self.front(class).is_some_and(|slot| slot.order.is_due(due)) {
                if left == 0 || taken.len() == limit {
                    return (taken, true);
                }
                left -= 1;
                if self.mend_front(class) {
                    taken.extend(self.remove_front(class));
                }
            }
        }
        if self.records.len() < self.records.capacity() / 4 {
            self.records.shrink_to_fit();
        }
        (taken, false)
    }

    /// Removes the record of a class that expires first, skipping `except`. Retries elsewhere if the front is now later
    /// than `order`, where it was last seen. With `due`, only a record that had expired at that time is removed.
    pub(super) fn evict(
        &mut self,
        class: Class,
        order: Order,
        due: Option<Timestamp>,
        except: Option<Handle>,
    ) -> Evicted {
        for _ in 0..Self::BATCH {
            match self.front(class) {
                Some(front) if front.order <= order => {}
                _ => break,
            }
            if self.mend_front(class) {
                return match self.is_front(class, except) {
                    true => self.evict_second(class, due),
                    false => self.evict_front(class),
                };
            }
        }
        Evicted::Retry
    }

    fn evict_second(&mut self, class: Class, due: Option<Timestamp>) -> Evicted {
        let Some(first) = self.queues[class as usize].pop() else {
            return Evicted::Nothing;
        };
        while self.front(class).is_some() && !self.mend_front(class) {}
        let is_due = |slot: Slot| due.is_none_or(|now| slot.order.is_due(now));
        let evicted = match self.front(class).is_some_and(is_due) {
            true => self.evict_front(class),
            false => Evicted::Nothing,
        };
        self.queues[class as usize].restore(first);
        evicted
    }

    fn evict_front(&mut self, class: Class) -> Evicted {
        match self.remove_front(class) {
            Some((handle, record)) => Evicted::Record(handle, record),
            None => Evicted::Nothing,
        }
    }

    fn front(&self, class: Class) -> Option<Slot> {
        self.queues[class as usize].front()
    }

    fn is_front(&self, class: Class, handle: Option<Handle>) -> bool {
        let key = self.front(class).map(|slot| slot.key);
        handle.is_some_and(|handle| key == Some(split(handle).0))
    }

    /// Whether the front slot of a queue agrees with its record. If not, the slot is moved or dropped, and another one is
    /// at the front.
    fn mend_front(&mut self, class: Class) -> bool {
        #[cfg(test)]
        {
            self.inspected += 1;
        }
        let queue = &mut self.queues[class as usize];
        let Some(front) = queue.front() else {
            return false;
        };
        match self.records.get(&front.key) {
            Some(entered) if Class::of(&entered.record) == class => {
                let expires_at = entered.record.expires();
                let is_current = ExpiryQueue::is_current(front, expires_at);
                if !is_current {
                    queue.postpone_front(expires_at);
                }
                is_current
            }
            _ => {
                queue.pop();
                false
            }
        }
    }

    /// Call only after [`mend_front`](Self::mend_front) returned `true`.
    fn remove_front(&mut self, class: Class) -> Option<(Handle, Record)> {
        let Slot { key, .. } = self.queues[class as usize].pop()?;
        let Entered { rest, record } = self.records.remove(&key)?;
        Some((join(key, rest), record))
    }

    fn enqueue(&mut self, class: Class, expires_at: Timestamp, turn: usize, key: u64) {
        self.queues[class as usize].push(expires_at, turn, key);
        self.drop_stale_slots();
    }

    /// Only once more than half of the slots are stale, so the cost is amortised constant per slot, as with a growing
    /// table.
    fn drop_stale_slots(&mut self) {
        let slots: usize = self.queues.iter().map(ExpiryQueue::len).sum();
        if slots <= 2 * self.records.len() + Self::BATCH {
            return;
        }
        for (class, queue) in Class::ALL.into_iter().zip(&mut self.queues) {
            let mut seen = HashSet::<u64, KeyIsHash>::default();
            queue.retain(|slot| {
                let entered = self.records.get(&slot.key);
                entered.is_some_and(|entered| Class::of(&entered.record) == class)
                    && seen.insert(slot.key)
            });
        }
    }
}
