use std::{collections::HashMap, future::pending, sync::Arc, time::SystemTime};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use wiz_session::{
    Error, Handle, MemoryStore, Record, SessionStore, Version,
    store::{Created, Replaced},
};

/// What a store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Create,
    Load,
    Replace,
    Touch,
    Delete,
    DeleteExpired,
    List,
    DeleteUser,
    Count,
}

/// What becomes of a call in place of its work.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// An error.
    Fail,
    /// The error of a record that cannot be read.
    Corrupt,
    /// No answer, ever.
    Hang,
    Panic,
    /// The answer that somebody else was faster. For `replace`.
    Conflict,
    /// The work, but once the gate is open.
    Pause(Arc<Gate>),
}

/// A memory store that writes down what it is asked, and fails as it is told.
///
/// It leaves `regenerate` to the trait, so that a regeneration shows as the calls it is made of. It may say of itself
/// that it answers at once, which it does unless it is told to wait.
#[derive(Default)]
pub(crate) struct Probe<const IMMEDIATE: bool = false> {
    inner: MemoryStore,
    calls: Mutex<Vec<Verb>>,
    faults: Mutex<HashMap<Verb, Fault>>,
}

impl<const IMMEDIATE: bool> Probe<IMMEDIATE> {
    /// The calls since the last look.
    pub(crate) fn calls(&self) -> Vec<Verb> {
        std::mem::take(&mut self.calls.lock())
    }

    /// From now on this is what becomes of such calls.
    pub(crate) fn fault(&self, verb: Verb, fault: Fault) {
        self.faults.lock().insert(verb, fault);
    }

    /// From now on such calls wait for the gate.
    pub(crate) fn pause(&self, verb: Verb) -> Arc<Gate> {
        let gate = Arc::<Gate>::default();
        self.fault(verb, Fault::Pause(Arc::clone(&gate)));
        gate
    }

    /// It works again.
    pub(crate) fn heal(&self) {
        self.faults.lock().clear();
    }

    /// Looks at a record without being noticed.
    pub(crate) async fn record(&self, handle: Handle) -> Option<Record> {
        self.inner.load(handle).await.expect("memory does not fail")
    }

    /// Forgets the calls that this made.
    pub(crate) async fn uncounted<T>(&self, work: impl Future<Output = T>) -> T {
        let before = self.calls.lock().clone();
        let result = work.await;
        *self.calls.lock() = before;
        result
    }

    async fn enter(&self, verb: Verb) -> Result<(), Error> {
        self.calls.lock().push(verb);
        let fault = self.faults.lock().get(&verb).cloned();
        match fault {
            None | Some(Fault::Conflict) => Ok(()),
            Some(Fault::Fail) => Err(Error::store("the store is on fire")),
            Some(Fault::Corrupt) => Err(Error::corrupt("its format version 9 is unknown")),
            Some(Fault::Hang) => pending().await,
            Some(Fault::Panic) => panic!("the store panics"),
            Some(Fault::Pause(gate)) => {
                gate.pass().await;
                Ok(())
            }
        }
    }
}

impl<const SAYS_SO: bool> SessionStore for Probe<SAYS_SO> {
    const IMMEDIATE: bool = SAYS_SO;

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.enter(Verb::Create).await?;
        self.inner.create(handle, record).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.enter(Verb::Load).await?;
        self.inner.load(handle).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.enter(Verb::Replace).await?;
        if let Some(Fault::Conflict) = self.faults.lock().get(&Verb::Replace) {
            return Ok(Replaced::Conflict);
        }
        self.inner.replace(handle, expected, record).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.enter(Verb::Touch).await?;
        self.inner.touch(handle, expires_at).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.enter(Verb::Delete).await?;
        self.inner.delete(handle).await
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.enter(Verb::DeleteExpired).await?;
        self.inner.delete_expired(now, limit).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.enter(Verb::List).await?;
        self.inner.list(user).await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        self.enter(Verb::DeleteUser).await?;
        self.inner.delete_user(user, except).await
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.enter(Verb::Count).await?;
        self.inner.count(now).await
    }
}

/// Holds calls until it is opened.
#[derive(Debug)]
pub(crate) struct Gate {
    arrived: Semaphore,
    opened: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            arrived: Semaphore::new(0),
            opened: Semaphore::new(0),
        }
    }
}

impl Gate {
    async fn pass(&self) {
        self.arrived.add_permits(1);
        // Nobody ever gets a permit: the wait ends when the semaphore is closed.
        let _closed = self.opened.acquire().await;
    }

    /// Waits until a call has come.
    pub(crate) async fn reached(&self) {
        let arrival = self.arrived.acquire().await;
        arrival.expect("never closed").forget();
    }

    /// Lets all calls through, now and later.
    pub(crate) fn open(&self) {
        self.opened.close();
    }
}
