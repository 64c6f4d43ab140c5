//! The way to a store: some time in each direction, and calls that fail when they are told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Clones are the same way.
#[derive(Clone, Debug)]
pub struct Way(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    one_way: Duration,
    loads_fail: AtomicBool,
    saves_fail: AtomicBool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    Loads,
    Saves,
    Both,
}

/// What the stores' own errors are made of.
pub const BROKEN: &str = "the store was told to fail";

impl Way {
    pub fn new(round_trip: Duration) -> Self {
        Self(Arc::new(Inner {
            one_way: round_trip / 2,
            loads_fail: AtomicBool::new(false),
            saves_fail: AtomicBool::new(false),
        }))
    }

    pub fn fail(&self, fault: Fault) {
        self.0.loads_fail.store(fault != Fault::Saves, Relaxed);
        self.0.saves_fail.store(fault != Fault::Loads, Relaxed);
    }

    pub fn heal(&self) {
        self.0.loads_fail.store(false, Relaxed);
        self.0.saves_fail.store(false, Relaxed);
    }

    /// A call that reads.
    pub async fn load<T, E>(
        &self,
        broken: impl FnOnce() -> E,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.go(&self.0.loads_fail, broken, call).await
    }

    /// A call that writes.
    pub async fn save<T, E>(
        &self,
        broken: impl FnOnce() -> E,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.go(&self.0.saves_fail, broken, call).await
    }

    async fn go<T, E>(
        &self,
        fails: &AtomicBool,
        broken: impl FnOnce() -> E,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.pass().await;
        // Refused on the way: nothing is done.
        let answer = if fails.load(Relaxed) {
            Err(broken())
        } else {
            call.await
        };
        self.pass().await;
        answer
    }

    async fn pass(&self) {
        if !self.0.one_way.is_zero() {
            tokio::time::sleep(self.0.one_way).await;
        }
    }
}
