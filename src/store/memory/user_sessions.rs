use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

use crate::id::Handle;

/// The handles of one user's sessions. Most users have one, which needs no allocation.
#[derive(Debug)]
pub(super) enum UserSessions {
    One(Handle),
    Many(Box<Many>),
}

#[derive(Debug)]
pub(super) struct Many {
    /// A set, since a script may log one user in a hundred thousand times.
    members: HashSet<Handle, BuildHasherDefault<HandleHasher>>,
    /// In order of insertion, oldest first. Removed handles stay until they reach the front or outnumber the rest.
    order: VecDeque<Handle>,
}

impl UserSessions {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.members.len(),
        }
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.order.len(),
        }
    }

    pub(super) fn to_vec(&self) -> Vec<Handle> {
        match self {
            Self::One(handle) => vec![*handle],
            Self::Many(many) => many.members.iter().copied().collect(),
        }
    }

    pub(super) fn contains(&self, handle: Handle) -> bool {
        match self {
            Self::One(only) => *only == handle,
            Self::Many(many) => many.members.contains(&handle),
        }
    }

    pub(super) fn add(&mut self, handle: Handle) {
        match self {
            Self::One(only) if *only == handle => {}
            Self::One(only) => {
                let both = [*only, handle];
                *self = Self::Many(Box::new(Many {
                    members: HashSet::from_iter(both),
                    order: VecDeque::from(both),
                }));
            }
            Self::Many(many) => {
                if many.members.insert(handle) {
                    many.order.push_back(handle);
                }
            }
        }
    }

    /// Returns whether other sessions are left.
    pub(super) fn remove(&mut self, handle: Handle) -> bool {
        match self {
            Self::One(only) => *only != handle,
            Self::Many(many) => {
                many.members.remove(&handle);
                if many.order.len() > 2 * many.members.len() + 8 {
                    let Many { members, order } = &mut **many;
                    order.retain(|handle| members.contains(handle));
                    order.shrink_to_fit();
                    members.shrink_to_fit();
                }
                !many.members.is_empty()
            }
        }
    }

    /// The oldest session, skipping `except`.
    pub(super) fn oldest(&mut self, except: Option<Handle>) -> Option<Handle> {
        match self {
            Self::One(only) => Some(*only).filter(|only| Some(*only) != except),
            Self::Many(many) => {
                let Many { members, order } = &mut **many;
                while order.front().is_some_and(|first| !members.contains(first)) {
                    order.pop_front();
                }
                let mut present = order.iter().filter(|handle| members.contains(handle));
                present.find(|handle| Some(**handle) != except).copied()
            }
        }
    }
}

/// Handles are digests, so any eight bytes of one serve as a hash.
#[derive(Debug, Default)]
pub(super) struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(word) = bytes.last_chunk() {
            self.0 = u64::from_ne_bytes(*word);
        }
    }

    /// Hashing an array writes its length first, which is ignored.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
