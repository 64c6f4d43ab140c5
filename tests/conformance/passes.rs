//! Stores that are right, whatever time they take, pass every time.

use std::time::{Duration, Instant, SystemTime};

use wiz_session::{
    Clock, Error, Handle, MemoryStore, Record, SessionStore, Version, forward_session_store,
    store::{Created, Replaced, conformance::Conformance},
};

use crate::{
    faults::Fault,
    finds::{Run, outcome, suite},
    store::Store,
    times::times,
};

#[derive(Debug, Clone, Copy)]
enum Pace {
    /// A millisecond or two before and after each call.
    Slow,
    /// Some waits before and after each call, or none.
    Random,
}

impl Pace {
    async fn wait(self) {
        match self {
            Self::Slow => tokio::time::sleep(Duration::from_micros(500)).await,
            Self::Random => {
                for _ in 0..fastrand::u32(0..4) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn around<T>(self, call: impl Future<Output = T>) -> T {
        self.wait().await;
        let answer = call.await;
        self.wait().await;
        answer
    }
}

/// A right store that takes its time. A move to a new id takes several of its calls.
struct Paced {
    pace: Pace,
    inner: Store,
}

impl SessionStore for Paced {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.pace.around(self.inner.create(handle, record)).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.pace.around(self.inner.load(handle)).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let replace = self.inner.replace(handle, expected, record);
        self.pace.around(replace).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.pace.around(self.inner.touch(handle, expires_at)).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.pace.around(self.inner.delete(handle)).await
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        let sweep = self.inner.delete_expired(now, limit);
        self.pace.around(sweep).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.pace.around(self.inner.list(user)).await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let end = self.inner.delete_user(user, except);
        self.pace.around(end).await
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.pace.around(self.inner.count(now)).await
    }
}

/// A right store with one lock for all, which is held while it waits.
#[derive(Default)]
struct OneLock {
    sessions: MemoryStore,
    lock: tokio::sync::Mutex<()>,
}

impl SessionStore for OneLock {
    forward_session_store!(self => self.sessions, except [load, replace, touch]);

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let _guard = self.lock.lock().await;
        tokio::task::yield_now().await;
        self.sessions.load(handle).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let _guard = self.lock.lock().await;
        tokio::task::yield_now().await;
        self.sessions.replace(handle, expected, record).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let _guard = self.lock.lock().await;
        tokio::task::yield_now().await;
        self.sessions.touch(handle, expires_at).await
    }
}

fn passes(run: impl Fn() -> Run) {
    for time in 1..=times() {
        let start = Instant::now();
        let outcome = outcome(run());
        assert_eq!(outcome, Ok(()), "run {time}");
        println!("run {time} took {:?}", start.elapsed());
    }
}

#[test]
fn a_right_store_passes() {
    passes(|| {
        let store = Store::with(Fault::Nothing);
        Box::pin(suite(&store).run(store))
    });
}

#[test]
fn a_right_store_that_waits_at_random_passes() {
    passes(|| {
        let inner = Store::with(Fault::Nothing);
        let pace = Pace::Random;
        Box::pin(suite(&inner).run(Paced { pace, inner }))
    });
}

#[test]
fn a_right_store_that_is_slow_passes() {
    passes(|| {
        let inner = Store::with(Fault::Nothing);
        let pace = Pace::Slow;
        Box::pin(suite(&inner).run(Paced { pace, inner }))
    });
}

#[test]
fn a_right_store_with_one_lock_passes() {
    passes(|| Box::pin(Conformance::new().run(OneLock::default())));
}

#[test]
fn a_right_store_passes_by_a_clock_that_stands_still() {
    passes(|| {
        let clock = Clock::manual();
        clock.advance(Duration::from_secs(3 * 60 * 60));
        Box::pin(Conformance::new().clock(clock).run(MemoryStore::new()))
    });
}

#[test]
fn a_store_of_small_items_passes_with_small_sizes() {
    passes(|| {
        let suite = Conformance::new().max_bytes(64).max_sessions_of_a_user(3);
        Box::pin(suite.run(MemoryStore::new()))
    });
}
