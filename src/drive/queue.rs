use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::{
    id::Handle,
    record::{Record, Version},
};

/// Lets the commits of one session that met a conflict go one after the other, first come first served.
///
/// They would otherwise race each other, and of n that try at once n - 1 lose each time. Whoever is done leaves the
/// record it stored to the next, who replays on it without asking the store.
#[derive(Default)]
pub(crate) struct Queue(Mutex<HashMap<Handle, Waiters>>);

/// The commits of one session.
#[derive(Default)]
struct Waiters {
    /// How many there are.
    turns: usize,
    newest: Newest,
}

/// What the last one stored, for the head of the line.
type Newest = Arc<tokio::sync::Mutex<Option<Record>>>;

/// A place in the line of one session; the head of it once [`wait`](Self::wait) is over.
pub(crate) struct Ticket<'a> {
    queue: &'a Queue,
    handle: Handle,
    newest: Newest,
    head: Option<OwnedMutexGuard<Option<Record>>>,
}

impl Queue {
    pub(crate) fn join(&self, handle: Handle) -> Ticket<'_> {
        let mut lines = self.0.lock();
        let line = lines.entry(handle).or_default();
        line.turns += 1;
        Ticket {
            queue: self,
            handle,
            newest: Arc::clone(&line.newest),
            head: None,
        }
    }
}

impl Ticket<'_> {
    pub(crate) async fn wait(&mut self) {
        self.head = Some(Arc::clone(&self.newest).lock_owned().await);
    }

    /// The record that the commit before stored, if it is newer than this version.
    pub(crate) fn published_after(&self, known: Version) -> Option<Record> {
        let newest = self.head.as_ref()?.as_ref()?;
        (newest.version() > known).then(|| newest.clone())
    }

    /// Leaves what was stored to the next commit, if it is still a record of this session.
    pub(crate) fn publish(&mut self, handle: Handle, stored: &Record) {
        if let Some(head) = &mut self.head
            && handle == self.handle
        {
            **head = Some(stored.clone());
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.head = None;
        let mut lines = self.queue.0.lock();
        if let Entry::Occupied(mut line) = lines.entry(self.handle) {
            line.get_mut().turns -= 1;
            if line.get().turns == 0 {
                line.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_line_lives_as_long_as_somebody_is_in_it() {
        let queue = Queue::default();
        let handle = Handle::from_bytes([1; 16]);
        let mut first = queue.join(handle);
        first.wait().await;
        let mut second = queue.join(handle);
        assert!(
            tokio::time::timeout(std::time::Duration::ZERO, second.wait())
                .await
                .is_err()
        );
        drop(first);
        second.wait().await;
        assert_eq!(queue.0.lock().len(), 1);
        drop(second);
        assert!(queue.0.lock().is_empty());
    }

    #[test]
    fn a_line_that_all_leave_at_once_is_gone() {
        const AT_ONCE: usize = 2;
        let (queue, joined) = (Queue::default(), AtomicUsize::new(0));
        let visit = || {
            for round in 1..=20_000_usize {
                let turn = queue.join(Handle::from_bytes((round as u128).to_ne_bytes()));
                joined.fetch_add(1, Ordering::SeqCst);
                // A lock would wake them one after the other. On a busy machine the other thread may not be running.
                let mut spins = 0_u32;
                while joined.load(Ordering::SeqCst) < round * AT_ONCE {
                    spins += 1;
                    match spins % 1_000 {
                        0 => std::thread::yield_now(),
                        _ => std::hint::spin_loop(),
                    }
                }
                drop(turn);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(visit);
            }
        });
        assert_eq!(queue.0.lock().len(), 0);
    }
}
