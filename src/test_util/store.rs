use std::{collections::HashMap, fmt, future::pending, sync::Arc, time::SystemTime};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Cursor, MemoryStore, Page, Replaced, SessionStore, Status},
    time::Clock,
};

/// A [`MemoryStore`] that records its calls and fails on demand. Clones share one store.
///
/// ```
/// use std::time::Duration;
/// use wiz_session::{Key, WizSessionLayer, test_util::{Fault, TestStore, StoreMethod, logged_in}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = TestStore::new();
/// let layer = WizSessionLayer::builder(store.clone(), Key::generate()).store_timeout(Duration::from_millis(5)).build()?;
/// logged_in(&layer, "alice").await;
/// assert_eq!(store.take_calls(), [StoreMethod::Create]);
///
/// store.fail(StoreMethod::List);
/// assert!(layer.sessions().list("alice").await.is_err());
/// store.fault(StoreMethod::List, Fault::Hang);
/// assert!(layer.sessions().list("alice").await.is_err()); // after five milliseconds
/// store.heal();
/// assert_eq!(layer.sessions().list("alice").await?.len(), 1);
/// assert_eq!(store.calls_of(StoreMethod::List), 3);
/// # Ok(()) }
/// ```
///
/// A move to a new id, by [`log_in`](crate::WizSession::log_in) or [`regenerate`](crate::WizSession::regenerate), shows as
/// a `create` and a `replace`, as in a store that cannot do both in one step.
///
/// Unlike `MemoryStore` it is not [immediate](SessionStore::IMMEDIATE): its answers can be lost, so commits carry ids, as
/// on a database.
#[derive(Clone, Default)]
pub struct TestStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    sessions: MemoryStore,
    calls: Mutex<Vec<StoreMethod>>,
    faults: Mutex<HashMap<StoreMethod, Fault>>,
}

/// The methods of [`SessionStore`], as [`TestStore`] records them.
///
/// ```
/// use wiz_session::test_util::{TestStore, StoreMethod};
///
/// assert_eq!(TestStore::new().calls_of(StoreMethod::Load), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreMethod {
    /// Stores a session for the first time, or under a new id.
    Create,
    /// Reads a session.
    Load,
    /// Stores changes of a session, or the tombstone under an old id.
    Replace,
    /// Postpones a session's end.
    Touch,
    /// Ends a session.
    Delete,
    /// Sweeps expired sessions.
    DeleteExpired,
    /// Lists a user's sessions.
    List,
    /// Ends a user's sessions.
    DeleteUser,
    /// Counts the live sessions.
    Count,
    /// Goes through all sessions.
    Scan,
    /// Looks at the sessions that are watched.
    Look,
}

impl StoreMethod {
    const ALL: [Self; 11] = [
        Self::Create,
        Self::Load,
        Self::Replace,
        Self::Touch,
        Self::Delete,
        Self::DeleteExpired,
        Self::List,
        Self::DeleteUser,
        Self::Count,
        Self::Scan,
        Self::Look,
    ];
}

/// How a call of a [`TestStore`] misbehaves.
///
/// A commit whose answer is lost is looked up, and counts once:
///
/// ```
/// use wiz_session::{Key, WizSessionLayer, test_util::{Fault, StoreMethod, TestStore, session_cookie, with_session}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), wiz_session::Error> {
/// let store = TestStore::new();
/// let layer = WizSessionLayer::new(store.clone(), Key::generate());
/// let cookie = session_cookie(&layer, |session| session.set("visits", 1)).await;
///
/// store.fault(StoreMethod::Replace, Fault::DoneThenFail);
/// with_session(&layer, &cookie, |session| session.update("visits", |n: &mut u32| *n += 1)).await?;
/// assert_eq!(with_session(&layer, &cookie, |session| session.get::<u32>("visits")).await?, Some(2));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fault {
    /// Does nothing and returns an error.
    Fail,
    /// Does nothing and returns the error of a record that cannot be read.
    Corrupt,
    /// Does nothing and never returns: the layer gives up after its `store_timeout`.
    Hang,
    /// Panics.
    Panic,
    /// [`StoreMethod::Replace`] answers that another commit was faster: the layer retries until its `store_timeout`.
    /// [`StoreMethod::Create`] answers that the id is in use: the layer tries a few others. Other methods work.
    Conflict,
    /// Waits for the gate, then works.
    Pause(Gate),
    /// Works, then returns an error: a connection that breaks before the answer arrives. The layer looks up what became of
    /// the call.
    DoneThenFail,
    /// Works, then never returns: the layer gives up after its `store_timeout`, and looks up what became of the call.
    DoneThenHang,
}

impl TestStore {
    /// An empty store without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All calls, in order, since the store was made or the calls were last [taken](Self::take_calls).
    ///
    /// ```
    /// # use wiz_session::test_util::TestStore;
    /// assert_eq!(TestStore::new().calls(), []);
    /// ```
    #[must_use]
    pub fn calls(&self) -> Vec<StoreMethod> {
        self.0.calls.lock().clone()
    }

    /// The number of [calls](Self::calls) of this method.
    ///
    /// ```
    /// # use wiz_session::test_util::{TestStore, StoreMethod};
    /// assert_eq!(TestStore::new().calls_of(StoreMethod::Touch), 0);
    /// ```
    #[must_use]
    pub fn calls_of(&self, method: StoreMethod) -> usize {
        let calls = self.0.calls.lock();
        calls.iter().filter(|call| **call == method).count()
    }

    /// Returns the [calls](Self::calls) and clears the record of them.
    ///
    /// ```
    /// # use wiz_session::{Key, WizSessionLayer, test_util::{TestStore, StoreMethod, logged_in}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let store = TestStore::new();
    /// # let layer = WizSessionLayer::new(store.clone(), Key::generate());
    /// logged_in(&layer, "alice").await;
    /// assert_eq!(store.take_calls(), [StoreMethod::Create]);
    /// assert_eq!(store.take_calls(), []);
    /// # }
    /// ```
    #[allow(clippy::must_use_candidate, reason = "also to forget")]
    pub fn take_calls(&self) -> Vec<StoreMethod> {
        std::mem::take(&mut self.0.calls.lock())
    }

    /// Makes calls of this method fail, until the store is [healed](Self::heal).
    ///
    /// ```
    /// # use wiz_session::{Key, WizSessionLayer, test_util::{TestStore, StoreMethod}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let store = TestStore::new();
    /// # let layer = WizSessionLayer::new(store.clone(), Key::generate());
    /// store.fail(StoreMethod::Count);
    /// assert!(layer.sessions().count().await.unwrap_err().is_store());
    /// # }
    /// ```
    pub fn fail(&self, method: StoreMethod) {
        self.fault(method, Fault::Fail);
    }

    /// Makes every call fail, as if the store were down.
    ///
    /// ```
    /// # use wiz_session::{Key, WizSessionLayer, test_util::TestStore};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let store = TestStore::new();
    /// # let layer = WizSessionLayer::new(store.clone(), Key::generate());
    /// store.fail_all();
    /// assert!(layer.sessions().revoke_user("alice").await.unwrap_err().is_store());
    /// # }
    /// ```
    pub fn fail_all(&self) {
        for method in StoreMethod::ALL {
            self.fail(method);
        }
    }

    /// Makes calls of this method misbehave in this way. Replaces an earlier fault of the method.
    ///
    /// ```
    /// # use wiz_session::test_util::{Fault, TestStore, StoreMethod};
    /// # let store = TestStore::new();
    /// store.fault(StoreMethod::Replace, Fault::Conflict);
    /// store.fault(StoreMethod::Touch, Fault::Hang);
    /// ```
    pub fn fault(&self, method: StoreMethod, fault: Fault) {
        self.0.faults.lock().insert(method, fault);
    }

    /// Makes calls of this method wait until the gate is opened: for tests of concurrent requests.
    ///
    /// ```
    /// # use wiz_session::{Key, WizSessionLayer, test_util::{TestStore, StoreMethod}};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let store = TestStore::new();
    /// # let layer = WizSessionLayer::new(store.clone(), Key::generate());
    /// let gate = store.pause(StoreMethod::Count);
    /// let count = tokio::spawn(async move { layer.sessions().count().await });
    /// gate.reached().await;
    /// gate.open();
    /// assert_eq!(count.await.unwrap().unwrap(), 0);
    /// # }
    /// ```
    #[must_use]
    pub fn pause(&self, method: StoreMethod) -> Gate {
        let gate = Gate::default();
        self.fault(method, Fault::Pause(gate.clone()));
        gate
    }

    /// Removes all faults.
    ///
    /// ```
    /// # use wiz_session::{Key, WizSessionLayer, test_util::TestStore};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let store = TestStore::new();
    /// # let layer = WizSessionLayer::new(store.clone(), Key::generate());
    /// store.fail_all();
    /// store.heal();
    /// assert!(layer.sessions().count().await.is_ok());
    /// # }
    /// ```
    pub fn heal(&self) {
        self.0.faults.lock().clear();
    }

    /// The store underneath, to look at without recording a call and without faults.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use wiz_session::{SessionStore, test_util::TestStore};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store = TestStore::new();
    /// assert_eq!(store.sessions().count(SystemTime::now()).await.unwrap(), 0);
    /// assert_eq!(store.calls(), []);
    /// # }
    /// ```
    #[must_use]
    pub fn sessions(&self) -> &MemoryStore {
        &self.0.sessions
    }

    async fn enter(&self, method: StoreMethod) -> Result<(), Error> {
        self.0.calls.lock().push(method);
        let fault = self.0.faults.lock().get(&method).cloned();
        match fault {
            None | Some(Fault::Conflict | Fault::DoneThenFail | Fault::DoneThenHang) => Ok(()),
            Some(Fault::Fail) => Err(Error::store("the test store was told to fail")),
            Some(Fault::Corrupt) => Err(Error::corrupt("the test store was told so")),
            Some(Fault::Hang) => pending().await,
            Some(Fault::Panic) => panic!("the test store was told to panic"),
            Some(Fault::Pause(gate)) => {
                gate.pass().await;
                Ok(())
            }
        }
    }

    /// Loses the answer of a call that has done its work, if that is the fault.
    async fn leave<T>(&self, method: StoreMethod, answer: Result<T, Error>) -> Result<T, Error> {
        let fault = self.0.faults.lock().get(&method).cloned();
        match fault {
            Some(Fault::DoneThenFail) => Err(Error::store("the test store was told to lose it")),
            Some(Fault::DoneThenHang) => pending().await,
            _ => answer,
        }
    }

    fn conflicts(&self, method: StoreMethod) -> bool {
        let faults = self.0.faults.lock();
        matches!(faults.get(&method), Some(Fault::Conflict))
    }
}

impl SessionStore for TestStore {
    fn use_clock(&self, clock: &Clock) {
        self.0.sessions.use_clock(clock);
    }

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.enter(StoreMethod::Create).await?;
        if self.conflicts(StoreMethod::Create) {
            return Ok(Created::Exists);
        }
        let answer = self.0.sessions.create(handle, record).await;
        self.leave(StoreMethod::Create, answer).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.enter(StoreMethod::Load).await?;
        let answer = self.0.sessions.load(handle).await;
        self.leave(StoreMethod::Load, answer).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.enter(StoreMethod::Replace).await?;
        if self.conflicts(StoreMethod::Replace) {
            return Ok(Replaced::Conflict);
        }
        let answer = self.0.sessions.replace(handle, expected, record).await;
        self.leave(StoreMethod::Replace, answer).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.enter(StoreMethod::Touch).await?;
        let answer = self.0.sessions.touch(handle, expires_at).await;
        self.leave(StoreMethod::Touch, answer).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.enter(StoreMethod::Delete).await?;
        let answer = self.0.sessions.delete(handle).await;
        self.leave(StoreMethod::Delete, answer).await
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.enter(StoreMethod::DeleteExpired).await?;
        let answer = self.0.sessions.delete_expired(now, limit).await;
        self.leave(StoreMethod::DeleteExpired, answer).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.enter(StoreMethod::List).await?;
        let answer = self.0.sessions.list(user).await;
        self.leave(StoreMethod::List, answer).await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        self.enter(StoreMethod::DeleteUser).await?;
        let answer = self.0.sessions.delete_user(user, except).await;
        self.leave(StoreMethod::DeleteUser, answer).await
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.enter(StoreMethod::Count).await?;
        let answer = self.0.sessions.count(now).await;
        self.leave(StoreMethod::Count, answer).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        self.enter(StoreMethod::Scan).await?;
        let answer = self.0.sessions.scan(after, limit).await;
        self.leave(StoreMethod::Scan, answer).await
    }

    async fn look(&self, handles: &[Handle]) -> Result<Vec<Option<Status>>, Error> {
        self.enter(StoreMethod::Look).await?;
        let answer = self.0.sessions.look(handles).await;
        self.leave(StoreMethod::Look, answer).await
    }
}

impl fmt::Debug for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestStore")
            .field("sessions", &self.0.sessions)
            .finish_non_exhaustive()
    }
}

/// Holds calls until it is opened, see [`TestStore::pause`]. Clones share one gate.
///
/// ```
/// use wiz_session::test_util::{Fault, Gate, TestStore, StoreMethod};
///
/// let (store, gate) = (TestStore::new(), Gate::default());
/// store.fault(StoreMethod::Load, Fault::Pause(gate.clone()));
/// store.fault(StoreMethod::Create, Fault::Pause(gate)); // one gate for both
/// ```
#[derive(Debug, Clone)]
pub struct Gate(Arc<Barrier>);

#[derive(Debug)]
struct Barrier {
    arrived: Semaphore,
    opened: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Barrier {
            arrived: Semaphore::new(0),
            opened: Semaphore::new(0),
        }))
    }
}

impl Gate {
    async fn pass(&self) {
        self.0.arrived.add_permits(1);
        // There are no permits: the wait ends when the semaphore is closed.
        let _closed = self.0.opened.acquire().await;
    }

    /// Waits until a call has arrived at the gate. Each wait is for one more call.
    pub async fn reached(&self) {
        let arrival = self.0.arrived.acquire().await;
        arrival.expect("never closed").forget();
    }

    /// Lets all calls through, the waiting and the later ones.
    pub fn open(&self) {
        self.0.opened.close();
    }
}
