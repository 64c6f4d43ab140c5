use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, BuildHasherDefault, RandomState},
};

use parking_lot::{Mutex, MutexGuard};

use super::shard::HandleHasher;
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
pub(super) struct Part(HashMap<Box<str>, Handles>);

/// A set, as a script may log one user in a hundred thousand times.
type Handles = HashSet<Handle, BuildHasherDefault<HandleHasher>>;

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
    pub(super) fn handles(&self, user: &str) -> impl Iterator<Item = Handle> {
        self.0.get(user).into_iter().flatten().copied()
    }

    pub(super) fn add(&mut self, user: &str, handle: Handle) {
        match self.0.get_mut(user) {
            Some(handles) => drop(handles.insert(handle)),
            None => drop(self.0.insert(user.into(), Handles::from_iter([handle]))),
        }
    }

    pub(super) fn remove(&mut self, user: &str, handle: Handle) {
        let Some(handles) = self.0.get_mut(user) else {
            return;
        };
        handles.remove(&handle);
        if handles.is_empty() {
            self.0.remove(user);
        }
    }
}
