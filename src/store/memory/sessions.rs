// Over 250 lines: the methods of the store contract, which share one order of locks.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::{
    capacity::{Limits, Newcomer, cost},
    contents::Contents,
    eviction::Eviction,
    shard::{Expired, Shard},
    shards::Shards,
};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced},
    time::{Clock, Timestamp},
};

/// What a memory store does: the methods of [`SessionStore`](crate::SessionStore), without futures.
pub(super) struct Sessions {
    pub(super) contents: Contents,
    /// Counts creates. Tells which shard is swept next, and which session came first.
    sweep_cursor: AtomicUsize,
    /// Read to sweep and to evict, never to find or to change a session.
    clock: RwLock<Clock>,
}

impl Sessions {
    pub(super) const CREATES_A_SWEEP: usize = 8;

    pub(super) fn new(limits: Limits) -> Self {
        Self {
            contents: Contents::new(limits),
            sweep_cursor: AtomicUsize::new(0),
            clock: RwLock::new(Clock::system()),
        }
    }

    pub(super) fn use_clock(&self, clock: &Clock) {
        *self.clock.write() = clock.clone();
    }

    fn now(&self) -> Timestamp {
        self.clock.read().timestamp()
    }

    /// Records and their bytes, as they are accounted for.
    pub(super) fn usage(&self) -> (usize, usize) {
        let capacity = &self.contents.capacity;
        (capacity.records(), capacity.bytes())
    }

    pub(super) fn limits(&self) -> Limits {
        self.contents.capacity.limits
    }

    pub(super) fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let turn = self.sweep_next_shard();
        let newcomer = Newcomer {
            user: record.user(),
            except: None,
            moves: false,
            cost: cost(record),
        };
        let Contents {
            shards, capacity, ..
        } = &self.contents;
        let room = match capacity.try_reserve(1, newcomer.cost) {
            Some(room) => room,
            // Nobody makes room for what is refused.
            None if shards.lock(handle).get(handle).is_some() => return Ok(Created::Exists),
            None => self.eviction(newcomer).reserve(1, newcomer.cost)?,
        };
        if !self.contents.insert(handle, record, turn) {
            return Ok(Created::Exists);
        }
        room.keep();
        Ok(Created::Created)
    }

    pub(super) fn load(&self, handle: Handle) -> Option<Record> {
        self.contents.shards.lock(handle).get(handle).cloned()
    }

    pub(super) fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let Contents {
            shards, capacity, ..
        } = &self.contents;
        let replacement = record.clone().with_version(expected.next());
        let mut shard = shards.lock(handle);
        let stored = match shard.get_mut(handle) {
            None => return Ok(Replaced::Gone),
            Some(stored) if stored.version() != expected => return Ok(Replaced::Conflict),
            Some(stored) => stored,
        };
        let (before, after) = (cost(stored), cost(&replacement));
        if !keeps_its_place(stored, &replacement) || !capacity.try_resize(before, after) {
            drop(shard);
            return self.replace_anew(handle, expected, replacement, after.saturating_sub(before));
        }
        // The old record is dropped after the lock: freeing a large one takes time.
        let _old = std::mem::replace(stored, replacement);
        drop(shard);
        Ok(Replaced::Stored(expected.next()))
    }

    /// The slow path of `replace`: room has to be made, the user or class changes, or the expiry moves forward.
    fn replace_anew(
        &self,
        handle: Handle,
        expected: Version,
        replacement: Record,
        grown: usize,
    ) -> Result<Replaced, Error> {
        let contents = &self.contents;
        let turn = self.sweep_cursor.load(Ordering::Relaxed);
        let after = replacement.clone();
        let newcomer = Newcomer {
            user: after.user(),
            except: Some(handle),
            moves: false,
            cost: cost(&after),
        };
        let room = self.eviction(newcomer).reserve(0, grown)?;
        let user = after.user().map(|user| (user, contents.users.lock(user)));
        let mut shard = contents.shards.lock(handle);
        let old = match shard.get(handle) {
            None => return Ok(Replaced::Gone),
            Some(stored) if stored.version() != expected => return Ok(Replaced::Conflict),
            Some(_) => shard.swap(handle, replacement, turn),
        };
        drop(shard);
        if let Some((user, mut user_shard)) = user {
            user_shard.add(user, handle);
        }
        if let Some(old) = old {
            room.settle(cost(&old), cost(&after));
            if old.user() != after.user() {
                contents.unindex(handle, &old);
            }
        }
        Ok(Replaced::Stored(expected.next()))
    }

    pub(super) fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let turn = self.sweep_next_shard();
        let (held, is_login) = match self.contents.shards.lock(old).get(old) {
            None => return Ok(Replaced::Gone),
            Some(stored) if stored.version() != expected => return Ok(Replaced::Conflict),
            Some(stored) => (cost(stored), stored.user() != record.user()),
        };
        let tombstone = tombstone.clone().with_version(expected.next());
        let (moved, left) = (cost(record), cost(&tombstone));
        // The session already has its room, so what is reserved is for the tombstone; at a login, for the user's new session.
        let eviction = self.eviction(Newcomer {
            user: record.user().filter(|_| is_login),
            except: Some(old),
            moves: true,
            cost: moved,
        });
        let with_tombstone = (moved + left).saturating_sub(held);
        let (room, after, tombstone) = match eviction.reserve(1, with_tombstone) {
            Ok(room) => (room, moved + left, Some(tombstone)),
            // No room for a tombstone: the session moves without leaving one.
            Err(_) => {
                let grown = moved.saturating_sub(held);
                (eviction.reserve(0, grown)?, moved, None)
            }
        };

        let contents = &self.contents;
        let user = record.user().map(|user| (user, contents.users.lock(user)));
        let mut shards = contents.shards.lock_both(old, new);
        match shards.of(old).get(old) {
            None => return Ok(Replaced::Gone),
            Some(stored) if stored.version() != expected => return Ok(Replaced::Conflict),
            Some(_) => {}
        }
        if !shards.of(new).insert(new, record.clone(), turn) {
            return Ok(Replaced::Conflict);
        }
        let former = match tombstone {
            Some(tombstone) => shards.of(old).swap(old, tombstone, turn),
            None => shards.of(old).remove(old),
        };
        drop(shards);
        if let Some((user, mut user_shard)) = user {
            user_shard.add(user, new);
        }
        if let Some(former) = former {
            room.settle(cost(&former), after);
            contents.unindex(old, &former);
        }
        Ok(Replaced::Stored(record.version()))
    }

    pub(super) fn touch(&self, handle: Handle, expires_at: Timestamp) -> bool {
        let mut shard = self.contents.shards.lock(handle);
        let session = shard.get_mut(handle);
        let Some(record) = session.filter(|record| !record.is_tombstone()) else {
            return false;
        };
        record.touch(expires_at);
        true
    }

    pub(super) fn delete(&self, handle: Handle) -> bool {
        let mut shard = self.contents.shards.lock(handle);
        if shard.get(handle).is_none_or(Record::is_tombstone) {
            return false;
        }
        let old = shard.remove(handle);
        drop(shard);
        self.on_removed(old.map(|record| (handle, record)));
        true
    }

    pub(super) fn delete_expired(&self, now: Timestamp, limit: usize) -> usize {
        let mut deleted = 0;
        for shard in 0..Shards::COUNT {
            let mut is_more = true;
            while is_more && deleted < limit {
                let taken;
                (taken, is_more) = self
                    .contents
                    .shards
                    .lock_at(shard)
                    .take_expired(Expired::By(now), limit - deleted);
                deleted += taken.len();
                self.on_removed(taken);
            }
        }
        deleted
    }

    pub(super) fn list(&self, user: &str) -> Vec<(Handle, Record)> {
        let user_shard = self.contents.users.lock(user);
        let handles = user_shard.handles(user).into_iter();
        let of_user = |handle| {
            let record = self.load(handle)?;
            (record.user() == Some(user)).then_some((handle, record))
        };
        handles.filter_map(of_user).collect()
    }

    /// One pass finds all: no session of the user can appear while the user's shard is locked.
    pub(super) fn delete_user(&self, user: &str, except: Option<Handle>) -> u64 {
        let mut user_shard = self.contents.users.lock(user);
        let mut deleted = Vec::new();
        for handle in user_shard.handles(user) {
            if Some(handle) == except {
                continue;
            }
            let mut shard = self.contents.shards.lock(handle);
            let is_theirs = |record: &Record| record.user() == Some(user);
            if shard.get(handle).is_some_and(is_theirs) {
                deleted.extend(shard.remove(handle));
            }
        }
        user_shard.remove_all(user, except);
        drop(user_shard);
        let bytes = deleted.iter().map(cost).sum();
        self.contents.capacity.release(deleted.len(), bytes);
        deleted.len() as u64
    }

    pub(super) fn count(&self, now: Timestamp) -> usize {
        let lives = |record: &&Record| record.expires() > now && !record.is_tombstone();
        let count = |shard: &Shard| shard.records().filter(lives).count();
        let shards = self.contents.shards.iter();
        shards.map(|shard| count(&shard)).sum()
    }

    pub(super) fn scan(&self, after: Option<Handle>, limit: usize) -> Vec<(Handle, Record)> {
        self.contents.shards.scan(after, limit)
    }

    /// Sweeps on every eighth create only, as each sweep reads the clock. Returns the number of creates so far.
    fn sweep_next_shard(&self) -> usize {
        let turn = self.sweep_cursor.fetch_add(1, Ordering::Relaxed);
        if !turn.is_multiple_of(Self::CREATES_A_SWEEP) {
            return turn;
        }
        let next = turn / Self::CREATES_A_SWEEP % Shards::COUNT;
        let now = Expired::WithGrace(self.now());
        let mut shard = self.contents.shards.lock_at(next);
        let (expired, _more_next_time) = shard.take_expired(now, usize::MAX);
        drop(shard);
        self.on_removed(expired);
        turn
    }

    fn eviction<'a>(&'a self, newcomer: Newcomer<'a>) -> Eviction<'a, impl Fn() -> Timestamp> {
        Eviction {
            contents: &self.contents,
            newcomer,
            now: || self.now(),
        }
    }

    fn on_removed(&self, records: impl IntoIterator<Item = (Handle, Record)>) {
        for (handle, record) in records {
            self.contents.on_removed(handle, &record);
        }
    }
}

/// Whether a replacement needs no change to the user index or the queues.
fn keeps_its_place(stored: &Record, replacement: &Record) -> bool {
    stored.user() == replacement.user()
        && stored.is_tombstone() == replacement.is_tombstone()
        && stored.expires() <= replacement.expires()
}
