use super::{
    capacity::{Capacity, Limits, cost},
    shards::Shards,
    users::Users,
};
use crate::{id::Handle, record::Record};

/// The contents of a memory store: the records, the index of users and the memory accounting, kept consistent.
pub(super) struct Contents {
    pub(super) shards: Shards,
    pub(super) users: Users,
    pub(super) capacity: Capacity,
}

impl Contents {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            shards: Shards::new(),
            users: Users::new(),
            capacity: Capacity::new(limits),
        }
    }

    /// Returns whether the handle was free; if not, nothing changes. The caller has reserved the room.
    pub(super) fn insert(&self, handle: Handle, record: &Record, turn: usize) -> bool {
        let user = record.user().map(|user| (user, self.users.lock(user)));
        if !self
            .shards
            .lock(handle)
            .insert(handle, record.clone(), turn)
        {
            return false;
        }
        if let Some((user, mut shard)) = user {
            shard.add(user, handle);
        }
        true
    }

    /// Updates accounting and index after a record was removed from its shard.
    pub(super) fn on_removed(&self, handle: Handle, record: &Record) {
        self.capacity.release(1, cost(record));
        self.unindex(handle, record);
    }

    /// Removes a handle from the index of its former record's user, unless it belongs to that user again.
    pub(super) fn unindex(&self, handle: Handle, former: &Record) {
        let Some(user) = former.user() else { return };
        let mut user_shard = self.users.lock(user);
        let shard = self.shards.lock(handle);
        let is_theirs = |record: &Record| record.user() == Some(user);
        if !shard.get(handle).is_some_and(is_theirs) {
            user_shard.remove(user, handle);
        }
    }

    /// Removes a user's oldest session, skipping `except`.
    pub(super) fn remove_oldest_of(&self, user: &str, except: Option<Handle>) -> Option<Record> {
        let mut user_shard = self.users.lock(user);
        loop {
            let handle = user_shard.oldest(user, except)?;
            let mut shard = self.shards.lock(handle);
            let is_theirs = |record: &Record| record.user() == Some(user);
            let removed = match shard.get(handle).is_some_and(is_theirs) {
                true => shard.remove(handle),
                false => None,
            };
            drop(shard);
            user_shard.remove(user, handle);
            if let Some(record) = removed {
                self.capacity.release(1, cost(&record));
                return Some(record);
            }
        }
    }
}
