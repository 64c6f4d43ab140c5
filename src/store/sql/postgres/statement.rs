use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};

use parking_lot::{Mutex, MutexGuard};

use crate::id::Handle;

/// How far a statement has come: known to its caller, to the task that runs it, and to later loads of its session.
#[derive(Default)]
pub(super) struct Progress(AtomicU8);

const WAITS: u8 = 0;
const RUNS: u8 = 1;
const IS_OVER: u8 = 2;

impl Progress {
    /// It is about to be sent. `false` if its caller has taken it back.
    pub(super) fn begin(&self) -> bool {
        self.goes_on_to(RUNS)
    }

    /// It is not to be sent. `false` if it is being, or has been.
    pub(super) fn take_back(&self) -> bool {
        self.goes_on_to(IS_OVER)
    }

    /// It has been answered, or never will be.
    pub(super) fn is_over(&self) -> bool {
        self.0.load(SeqCst) == IS_OVER
    }

    fn goes_on_to(&self, next: u8) -> bool {
        self.0.compare_exchange(WAITS, next, SeqCst, SeqCst).is_ok()
    }
}

/// Marks a statement as over when the task that runs it ends.
pub(super) struct Running(pub(super) Arc<Progress>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.store(IS_OVER, SeqCst);
    }
}

/// Changes of sessions that are being run, and whose callers went away.
#[derive(Default)]
pub(super) struct Abandoned(Mutex<Vec<(Handle, Arc<Progress>)>>);

impl Abandoned {
    pub(super) fn add(&self, session: Handle, change: &Arc<Progress>) {
        self.running().push((session, Arc::clone(change)));
    }

    pub(super) fn has(&self, session: Handle) -> bool {
        self.running()
            .iter()
            .any(|(changed, _)| *changed == session)
    }

    fn running(&self) -> MutexGuard<'_, Vec<(Handle, Arc<Progress>)>> {
        let mut abandoned = self.0.lock();
        abandoned.retain(|(_, change)| !change.is_over());
        abandoned
    }
}
