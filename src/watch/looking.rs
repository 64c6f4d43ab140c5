//! The task that looks at the sessions which are watched.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::registry::Registry;
use crate::{
    error::Error,
    id::Handle,
    observe,
    store::{Ended, Status, StoreClient},
    time::{Clock, Timestamp},
};

/// How many sessions one statement looks at.
const BATCH: usize = 1000;

/// How long to wait after a look that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What the sessions are looked at with.
pub(crate) struct WatchConfig {
    pub(crate) store: StoreClient,
    pub(crate) clock: Clock,
    /// How long a report that was lost may stay unnoticed.
    pub(crate) interval: Duration,
}

/// Looks until nothing has been watched for an interval.
pub(super) async fn look(watched: &Registry, config: &WatchConfig) {
    let mut round = Round {
        watched,
        config,
        all_at: Instant::now(),
        next_expiry: None,
        retry_at: None,
        failed: Vec::new(),
    };
    loop {
        round.look().await;
        round.wait().await;
        if watched.is_empty() && Instant::now() >= round.all_at {
            return;
        }
    }
}

struct Round<'a> {
    watched: &'a Registry,
    config: &'a WatchConfig,
    /// When all are to be looked at next.
    all_at: Instant,
    next_expiry: Option<Timestamp>,
    /// Those whose look failed, and when to try again.
    failed: Vec<Handle>,
    retry_at: Option<Instant>,
}

impl Round<'_> {
    async fn look(&mut self) {
        let watched = self.watched;
        let why = watched.all.lock().take();
        let soon = std::mem::take(&mut *watched.soon.lock());
        if why.is_some() || Instant::now() >= self.all_at {
            self.all_at = Instant::now() + self.config.interval;
            self.failed.clear();
            self.look_at(watched.handles(), why.unwrap_or(Ended::LoggedOut))
                .await;
            return self.note_expiries();
        }
        self.look_at(soon, Ended::LoggedOut).await;
        let now = self.config.clock.timestamp();
        if self.next_expiry.is_none_or(|next| next <= now) {
            let (due, _) = watched.due(now);
            self.look_at(due, Ended::LoggedOut).await;
            self.note_expiries();
        }
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.retry_at = None;
            let failed = std::mem::take(&mut self.failed);
            self.look_at(failed, Ended::LoggedOut).await;
        }
    }

    /// Those that are due by now had a look that failed, and are looked at again after the pause.
    fn note_expiries(&mut self) {
        let now = self.config.clock.timestamp();
        let (_, next) = self.watched.due(now);
        self.next_expiry = Some(next.unwrap_or(Timestamp::from_millis(Timestamp::LATEST)));
    }

    /// Those that are missing have ended for this reason, unless their time was over.
    async fn look_at(&mut self, handles: Vec<Handle>, why: Ended) {
        for batch in handles.chunks(BATCH) {
            let store = &self.config.store;
            let answer = store.look(batch).answer().await;
            match answer.and_then(|statuses| one_each(batch, statuses)) {
                Ok(statuses) => {
                    for (handle, status) in batch.iter().zip(statuses) {
                        self.note(*handle, status, why);
                    }
                }
                Err(error) => {
                    observe::look_failed(&error);
                    self.failed.extend_from_slice(batch);
                    let pause = PAUSE.min(self.config.interval);
                    self.retry_at.get_or_insert(Instant::now() + pause);
                }
            }
        }
    }

    fn note(&mut self, handle: Handle, status: Option<Status>, why: Ended) {
        let Some(watched) = self.watched.get(handle) else {
            return;
        };
        let now = self.config.clock.timestamp();
        let ended = |why| self.watched.ended_elsewhere(handle, why);
        let Some(status) = status else {
            return ended(match watched.expires_at() <= now {
                true => Ended::Expired,
                false => why,
            });
        };
        let expires_at = Timestamp::from(status.expires_at());
        if status.is_tombstone() {
            ended(Ended::Moved);
        } else if expires_at <= now {
            ended(Ended::Expired);
        } else {
            watched.is_alive(expires_at);
            self.watched.changed_elsewhere(handle, status.version());
            self.next_expiry = self.next_expiry.map(|next| next.min(expires_at));
        }
    }

    async fn wait(&self) {
        let clock = &self.config.clock;
        // Before the look at the clock, so that no move falls in between.
        let mut moved = pin!(clock.moved());
        let until_expiry = self.next_expiry.map(|at| at.since(clock.timestamp()));
        let mut until = self.all_at;
        if let Some(left) = until_expiry {
            until = until.min(Instant::now() + left);
        }
        if let Some(at) = self.retry_at {
            until = until.min(at);
        }
        let mut woken = pin!(self.watched.wake.notified());
        let wake = poll_fn(|cx| match woken.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => moved.as_mut().poll(cx),
        });
        // What it returns is which of them it was.
        let _ = timeout_at(until, wake).await;
    }
}

fn one_each(asked: &[Handle], statuses: Vec<Option<Status>>) -> Result<Vec<Option<Status>>, Error> {
    match statuses.len() == asked.len() {
        true => Ok(statuses),
        false => Err(Error::store("it has not looked at every session")),
    }
}
