use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use parking_lot::{Mutex, MutexGuard};

use crate::id::Handle;

/// Which sessions a user may have: every one that lives, and now and then one that has just gone.
///
/// To keep it so, a user's part is locked *before* a shard of the store, and held while a session of that user
/// appears there.
#[derive(Debug)]
pub(super) struct Users {
    parts: Box<[Mutex<Part>]>,
    hasher: RandomState,
}

/// The users that share a lock.
#[derive(Debug, Default)]
pub(super) struct Part(HashMap<Box<str>, Vec<Handle>>);

const PARTS: usize = 64;

impl Users {
    pub(super) fn lock(&self, user: &str) -> MutexGuard<'_, Part> {
        let hash = self.hasher.hash_one(user);
        self.parts[(hash % PARTS as u64) as usize].lock()
    }
}

impl Default for Users {
    fn default() -> Self {
        let parts = std::iter::repeat_with(Mutex::default).take(PARTS).collect();
        Self {
            parts,
            hasher: RandomState::new(),
        }
    }
}

impl Part {
    pub(super) fn handles(&self, user: &str) -> &[Handle] {
        self.0.get(user).map_or(&[], Vec::as_slice)
    }

    pub(super) fn add(&mut self, user: &str, handle: Handle) {
        match self.0.get_mut(user) {
            // It may be there still from an earlier time.
            Some(handles) if handles.contains(&handle) => {}
            Some(handles) => handles.push(handle),
            None => drop(self.0.insert(user.into(), vec![handle])),
        }
    }

    pub(super) fn remove(&mut self, user: &str, handle: Handle) {
        let Some(handles) = self.0.get_mut(user) else {
            return;
        };
        handles.retain(|other| *other != handle);
        if handles.is_empty() {
            self.0.remove(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_comes_back_is_listed_once() {
        let users = Users::default();
        let mut part = users.lock("alice");
        let handle = Handle::from_bytes([7; 16]);
        for _ in 0..2 {
            part.add("alice", handle);
        }
        assert_eq!(part.handles("alice"), [handle]);
    }
}
