use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Line, OwnedMutexGuard};

use crate::{id::Handle, record::Record};

/// Lets the commits of one session that met a conflict go one after the other, first come first served.
///
/// They would otherwise race each other, and of n that try at once n - 1 lose each time. Whoever is done leaves the
/// record it stored to the next, who replays on it without asking the store.
#[derive(Default)]
pub(crate) struct Queue(Mutex<HashMap<Handle, Arc<Line<Option<Record>>>>>);

/// A place in the line of one session; the head of it once [`wait`](Self::wait) is over.
pub(crate) struct Turn<'a> {
    queue: &'a Queue,
    handle: Handle,
    line: Arc<Line<Option<Record>>>,
    head: Option<OwnedMutexGuard<Option<Record>>>,
}

impl Queue {
    pub(crate) fn join(&self, handle: Handle) -> Turn<'_> {
        let line = Arc::clone(self.0.lock().entry(handle).or_default());
        Turn {
            queue: self,
            handle,
            line,
            head: None,
        }
    }
}

impl Turn<'_> {
    pub(crate) async fn wait(&mut self) {
        self.head = Some(Arc::clone(&self.line).lock_owned().await);
    }

    /// The record that the one before stored, if it is newer than this.
    pub(crate) fn newer_than(&self, known: &Record) -> Option<Record> {
        let newest = self.head.as_ref()?.as_ref()?;
        (newest.version() > known.version()).then(|| newest.clone())
    }

    pub(crate) fn leave(&mut self, stored: &Record) {
        if let Some(head) = &mut self.head {
            **head = Some(stored.clone());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.head = None;
        let mut lines = self.queue.0.lock();
        // Held by the map and by this turn: nobody else waits. Joining needs the map's lock, so nobody comes either.
        if Arc::strong_count(&self.line) == 2 {
            lines.remove(&self.handle);
        }
    }
}

#[cfg(test)]
mod tests {
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
}
