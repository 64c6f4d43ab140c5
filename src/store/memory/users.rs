use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    board::{Board, BoardEntry},
    user_sessions::UserSessions,
};
use crate::id::Handle;

/// The index from users to their sessions. It is complete, but may briefly list a session that has just been removed.
///
/// To guarantee this, a user's shard is locked *before* a shard of records, and stays locked while a session of that user
/// is inserted there.
pub(super) struct Users {
    shards: Box<[Mutex<UserShard>]>,
    /// Per shard: the session count of the user with the most sessions.
    most: Board,
    hasher: RandomState,
}

/// A partition of the users, behind its own lock.
pub(super) struct UserShard {
    users: HashMap<Arc<str>, UserSessions>,
    /// The users with more than one session, ordered by session count.
    ranking: BTreeSet<(usize, Arc<str>)>,
    most: BoardEntry,
}

impl Users {
    const SHARDS: usize = 64;

    pub(super) fn new() -> Self {
        let most = Board::new(Self::SHARDS, 0);
        let shard = |index| UserShard::new(most.entry(index));
        Self {
            shards: (0..Self::SHARDS).map(|n| Mutex::new(shard(n))).collect(),
            most,
            hasher: RandomState::new(),
        }
    }

    pub(super) fn lock(&self, user: &str) -> MutexGuard<'_, UserShard> {
        let hash = self.hasher.hash_one(user);
        self.shards[(hash % Self::SHARDS as u64) as usize].lock()
    }

    pub(super) fn count(&self, user: &str) -> usize {
        self.lock(user).count(user)
    }

    /// How many sessions the user with the most of them has, if more than one.
    pub(super) fn most(&self) -> usize {
        let most = self.most.iter().map(|(_, sessions)| sessions).max();
        most.unwrap_or(0) as usize
    }

    /// The user with the most sessions, if more than one.
    pub(super) fn with_most(&self) -> Option<Arc<str>> {
        let (index, _) = self.most.iter().max_by_key(|(_, sessions)| *sessions)?;
        let shard = self.shards[index].lock();
        shard.ranking.last().map(|(_, user)| user.clone())
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, UserShard>> {
        self.shards.iter().map(Mutex::lock)
    }
}

impl UserShard {
    fn new(most: BoardEntry) -> Self {
        Self {
            users: HashMap::new(),
            ranking: BTreeSet::new(),
            most,
        }
    }

    pub(super) fn count(&self, user: &str) -> usize {
        self.users.get(user).map_or(0, UserSessions::len)
    }

    pub(super) fn handles(&self, user: &str) -> Vec<Handle> {
        let sessions = self.users.get(user);
        sessions.map(UserSessions::to_vec).unwrap_or_default()
    }

    /// The user's oldest session other than `except`.
    pub(super) fn oldest(&mut self, user: &str, except: Option<Handle>) -> Option<Handle> {
        self.users.get_mut(user)?.oldest(except)
    }

    pub(super) fn add(&mut self, user: &str, handle: Handle) {
        let before = self.count(user);
        match self.users.get_mut(user) {
            Some(sessions) => sessions.add(handle),
            None => drop(self.users.insert(user.into(), UserSessions::One(handle))),
        }
        self.rank(user, before);
    }

    pub(super) fn remove(&mut self, user: &str, handle: Handle) {
        self.keep(user, |sessions| sessions.remove(handle));
    }

    /// Removes all sessions of a user except one.
    pub(super) fn remove_all(&mut self, user: &str, except: Option<Handle>) {
        self.keep(user, |sessions| {
            let kept = except.filter(|handle| sessions.contains(*handle));
            if let Some(handle) = kept {
                *sessions = UserSessions::One(handle);
            }
            kept.is_some()
        });
    }

    /// Changes the sessions of a user, if there are any; the answer tells whether there still are.
    fn keep(&mut self, user: &str, change: impl FnOnce(&mut UserSessions) -> bool) {
        let before = self.count(user);
        let Some(sessions) = self.users.get_mut(user) else {
            return;
        };
        if change(sessions) {
            self.rank(user, before);
        } else {
            self.unrank(user, before);
            self.publish();
            self.users.remove(user);
        }
    }

    /// Puts a user where their sessions belong, after there were `before`.
    fn rank(&mut self, user: &str, before: usize) {
        let after = self.count(user);
        if before == after {
            return;
        }
        self.unrank(user, before);
        if after > 1
            && let Some((user, _)) = self.users.get_key_value(user)
        {
            self.ranking.insert((after, user.clone()));
        }
        self.publish();
    }

    /// To be [published](Self::publish) only once the user is where they belong: others read the board without a lock,
    /// and would take a user with many sessions for one with none.
    fn unrank(&mut self, user: &str, before: usize) {
        if before > 1
            && let Some((user, _)) = self.users.get_key_value(user)
        {
            self.ranking.remove(&(before, user.clone()));
        }
    }

    fn publish(&self) {
        let most = self.ranking.last().map_or(0, |(sessions, _)| *sessions);
        self.most.set(most as u64);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.ranking.is_empty()
    }
}
