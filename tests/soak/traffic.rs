//! What all clients share: how many requests are left, which sessions there are, and what came back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Semaphore;

use crate::{plan::Plan, reckoning::Reckoning};

/// So many watch at a time.
pub(crate) const WATCHERS: u32 = 24;

pub(crate) struct Traffic {
    /// Of the servers.
    pub(crate) ports: [u16; 2],
    requests: u64,
    sent: AtomicU64,
    pub(crate) reckoning: Reckoning,
    pub(crate) watchers: Arc<Semaphore>,
    pub(crate) counts: Counts,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) refused: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) left: AtomicU64,
    pub(crate) watched: AtomicU64,
    pub(crate) logins: AtomicU64,
}

impl Traffic {
    pub(crate) fn new(plan: &Plan, ports: [u16; 2]) -> Self {
        Self {
            ports,
            requests: plan.requests,
            sent: AtomicU64::new(0),
            reckoning: Reckoning::default(),
            watchers: Arc::new(Semaphore::new(WATCHERS as usize)),
            counts: Counts::default(),
        }
    }

    /// Takes so many requests from those that are left. None when there are none.
    pub(crate) fn take(&self, count: u64) -> Option<()> {
        let before = self.sent.fetch_add(count, Ordering::Relaxed);
        (before < self.requests).then_some(())
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.sent() >= self.requests
    }

    pub(crate) fn summary(&self) -> String {
        let Counts {
            refused,
            lost,
            left,
            watched,
            logins,
        } = &self.counts;
        let [refused, lost, left, watched, logins] =
            [refused, lost, left, watched, logins].map(|count| count.load(Ordering::Relaxed));
        format!(
            "{} requests, of which {logins} logged in, {watched} watched, {left} were left, {refused} refused with 503 \
             and {lost} lost",
            self.sent()
        )
    }
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
