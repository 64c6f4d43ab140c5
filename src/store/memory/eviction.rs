use super::{
    capacity::{Capacity, Newcomer, Reservation, Standing, Victim},
    contents::Contents,
    shard::Class,
};
use crate::{error::Error, record::Record, time::Timestamp};

/// Reserves room for one new record, evicting others if the store is full.
pub(super) struct Eviction<'a, N> {
    pub(super) contents: &'a Contents,
    pub(super) newcomer: Newcomer<'a>,
    /// Read only if the store is full.
    pub(super) now: N,
}

impl<'a, N: Fn() -> Timestamp> Eviction<'a, N> {
    /// Reserves room, evicting until there is enough. No lock may be held.
    ///
    /// # Errors
    /// If nothing evictable is left, or the record exceeds the store's limit by itself.
    pub(super) fn reserve(&self, records: usize, bytes: usize) -> Result<Reservation<'a>, Error> {
        let capacity = &self.contents.capacity;
        if self.newcomer.cost > capacity.limits.bytes {
            return Err(Capacity::full());
        }
        loop {
            match capacity.try_reserve(records, bytes) {
                Some(reservation) => return Ok(reservation),
                None => self.evict_if_full()?,
            }
        }
    }

    /// Evicts one record.
    fn evict_if_full(&self) -> Result<(), Error> {
        // Freed here, outside of any lock.
        self.evict().map(drop).ok_or_else(Capacity::full)
    }

    fn evict(&self) -> Option<Record> {
        /// How often another thread may win the race for the chosen user's session before the next kind of victim is
        /// tried.
        const ATTEMPTS: usize = 16;
        for attempt in 1..=ATTEMPTS {
            for victim in self.order() {
                let evicted = self.evict_one(victim);
                if evicted.is_some() {
                    return evicted;
                }
                if victim.is_of_user() && attempt < ATTEMPTS {
                    break;
                }
            }
        }
        None
    }

    fn order(&self) -> impl Iterator<Item = Victim> + use<N> {
        let Newcomer { user, moves, .. } = self.newcomer;
        let users = &self.contents.users;
        self.contents.capacity.order(Standing {
            own: user.map(|user| users.count(user)),
            most: users.most(),
            moves,
        })
    }

    fn evict_one(&self, victim: Victim) -> Option<Record> {
        let Newcomer { user, except, .. } = self.newcomer;
        match victim {
            Victim::Expired => {
                let now = (self.now)();
                let mut classes = Class::ALL.into_iter();
                classes.find_map(|class| self.evict_first(class, Some(now)))
            }
            Victim::Tombstone => self.evict_first(Class::Tombstone, None),
            Victim::Anonymous => self.evict_first(Class::Anonymous, None),
            Victim::Alias => self.evict_first(Class::Alias, None),
            Victim::OwnOldest => self.contents.remove_oldest_of(user?, except),
            Victim::OldestOfMost => {
                let user = self.contents.users.with_most()?;
                self.contents.remove_oldest_of(&user, except)
            }
        }
    }

    fn evict_first(&self, class: Class, due: Option<Timestamp>) -> Option<Record> {
        let except = self.newcomer.except;
        let (handle, record) = self.contents.shards.evict(class, due, except)?;
        self.contents.on_removed(handle, &record);
        Some(record)
    }
}
