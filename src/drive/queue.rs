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
/// They would otherwise race each other, and of n that try at once n - 1 would lose each time. Each leaves the record
/// that it stored to the next, which rebases on it without a load.
#[derive(Default)]
pub(crate) struct Queue(Mutex<HashMap<Handle, Waiters>>);

/// The commits of one session that wait or are at work.
#[derive(Default)]
struct Waiters {
    count: usize,
    newest: Newest,
}

/// What the last commit stored, for the head of the queue.
type Newest = Arc<tokio::sync::Mutex<Option<Record>>>;

/// A place in the queue of one session; its head once [`wait`](Self::wait) returns.
pub(crate) struct Ticket<'a> {
    queue: &'a Queue,
    handle: Handle,
    newest: Newest,
    head: Option<OwnedMutexGuard<Option<Record>>>,
}

impl Queue {
    pub(crate) fn join(&self, handle: Handle) -> Ticket<'_> {
        let mut queues = self.0.lock();
        let waiters = queues.entry(handle).or_default();
        waiters.count += 1;
        Ticket {
            queue: self,
            handle,
            newest: Arc::clone(&waiters.newest),
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
        let mut queues = self.queue.0.lock();
        if let Entry::Occupied(mut waiters) = queues.entry(self.handle) {
            waiters.get_mut().count -= 1;
            if waiters.get().count == 0 {
                waiters.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_sessions_queue_lives_as_long_as_its_last_ticket() {
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
    fn a_queue_that_all_tickets_leave_at_once_is_gone() {
        const AT_ONCE: usize = 2;
        let (queue, joined) = (Queue::default(), AtomicUsize::new(0));
        let visit = || {
            for round in 1..=4_000_usize {
                let ticket = queue.join(Handle::from_bytes((round as u128).to_ne_bytes()));
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
                drop(ticket);
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
