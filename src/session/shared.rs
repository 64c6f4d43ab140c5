use std::{
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use crate::{
    change::Op,
    commit::{SessionState, Unit},
};

/// What all handles of a session share.
pub(super) struct Shared {
    pub(super) state: SessionState,
    /// A commit whose outcome is not known: it failed, or its future was dropped.
    pub(super) in_doubt: Option<Box<Unit>>,
    /// Changes that a handle had made were dropped, as the handler answered with an error.
    pub(super) rolled_back: bool,
    /// Counts the changes to the state.
    pub(super) revision: u64,
}

impl Shared {
    #[inline]
    pub(super) fn new(state: SessionState) -> Self {
        Self {
            state,
            in_doubt: None,
            rolled_back: false,
            revision: 0,
        }
    }

    /// The handler answered with an error: what is pending is dropped, and no handle is told that it was saved.
    pub(super) fn roll_back(&mut self) {
        self.note_change();
        self.rolled_back |= self.state.roll_back();
    }

    /// Invalidates what was computed from an earlier look at the state.
    pub(super) fn note_change(&mut self) {
        self.revision += 1;
    }
}

/// Made by whoever is the first to lock it: a request that only reads what was found takes no lock, and needs none of it.
#[derive(Default)]
pub(super) struct LazyShared {
    is_made: AtomicBool,
    shared: Mutex<Option<Shared>>,
}

impl LazyShared {
    /// Until it is, nothing has been changed. Who sees it unmade reads what was found; a change that another thread makes at
    /// that moment comes after.
    #[inline]
    pub(super) fn is_made(&self) -> bool {
        self.is_made.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn lock(&self, make: impl FnOnce() -> Shared) -> Locked<'_> {
        Locked::new(MutexGuard::map(self.shared.lock(), |shared| {
            shared.get_or_insert_with(|| {
                self.is_made.store(true, Ordering::Release);
                make()
            })
        }))
    }
}

/// The locked state. Closures that are no longer needed are dropped after the lock is released: they are the
/// application's, and the `Drop` of what they captured may use the session.
pub(super) struct Locked<'a> {
    // In this order.
    shared: MappedMutexGuard<'a, Shared>,
    discarded: Option<Vec<Op>>,
}

impl<'a> Locked<'a> {
    #[inline]
    fn new(shared: MappedMutexGuard<'a, Shared>) -> Self {
        Self {
            shared,
            discarded: None,
        }
    }
}

impl Deref for Locked<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shared {
        &mut self.shared
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        let changes = &mut self.shared.state.changes;
        if changes.has_discarded() {
            self.discarded = Some(changes.take_discarded());
        }
    }
}
