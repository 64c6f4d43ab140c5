use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};

use super::{
    boxed::BoxStore,
    erased::{Answer, ErasedStore},
    feed::{Feed, Status},
    session_store::{Created, Replaced, SessionStore},
};
use crate::{
    error::Error,
    id::Handle,
    observe::Timer,
    record::{Record, Version},
    time::Clock,
};

/// The store of a layer, as the rest of the crate asks it: each method with its timer, its label and its time limit.
#[derive(Clone)]
pub(crate) struct StoreClient {
    store: Arc<dyn ErasedStore>,
    timeout: Duration,
}

/// A call to the store that was made, and may have been answered already.
#[must_use]
pub(crate) struct Asked<'a, T> {
    answer: Answer<'a, T>,
    timer: Timer,
    timeout: Duration,
}

macro_rules! methods {
    ($($(#[$doc:meta])* fn $name:ident $(<$life:lifetime>)? ($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        /// The methods of [`SessionStore`].
        impl StoreClient {
            $(#[inline] pub(crate) fn $name<'a>(&'a self, $($argument: $type),*) -> Asked<'a, $answer> {
                let timer = Timer::start(stringify!($name));
                Asked {
                    answer: self.store.$name($($argument),*),
                    timer,
                    timeout: self.timeout,
                }
            })+
        }
    };
}

methods! {
    fn create(handle: Handle, record: &'a Record) -> Created;
    fn load(handle: Handle) -> Option<Record>;
    fn replace(handle: Handle, expected: Version, record: &'a Record) -> Replaced;
    fn touch(handle: Handle, expires_at: SystemTime) -> bool;
    fn delete(handle: Handle) -> bool;
    fn regenerate(old: Handle, expected: Version, tombstone: &'a Record, new: Handle, record: &'a Record) -> Replaced;
    fn list(user: &'a str) -> Vec<(Handle, Record)>;
    fn delete_user(user: &'a str, except: Option<Handle>) -> u64;
    fn count(now: SystemTime) -> u64;
    fn look(handles: &'a [Handle]) -> Vec<Option<Status>>;
}

impl StoreClient {
    pub(crate) fn new(store: impl SessionStore, timeout: Duration, clock: &Clock) -> Self {
        let store = BoxStore::new(store).into_erased();
        store.use_clock(clock);
        Self { store, timeout }
    }

    /// Reports what other processes do, without a time limit.
    pub(crate) fn push(&self, feed: Feed) -> impl Future<Output = ()> + Send {
        self.store.push(feed)
    }

    /// Whether every call is answered at once.
    pub(crate) fn is_immediate(&self) -> bool {
        self.store.is_immediate()
    }
}

impl<T> Asked<'_, T> {
    /// With another time limit than the layer's.
    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The answer of a store that answers at once.
    #[inline]
    pub(crate) fn now(self) -> Result<T, Error> {
        match self.answer {
            Answer::Now(answer) => self.timer.stop(answer),
            Answer::Later(_) => unreachable!("asked of a store that answers at once"),
        }
    }

    /// Waits for the answer, for as long as it may take.
    pub(crate) async fn answer(self) -> Result<T, Error> {
        let Self {
            answer,
            timer,
            timeout,
        } = self;
        let mut answer = match answer {
            Answer::Now(answer) => return timer.stop(answer),
            Answer::Later(answer) => answer,
        };
        // What is ready at once needs no timeout.
        if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            return timer.stop(answer);
        }
        // Boxed, so that the futures around it are small; next to a store that has to be waited for it is nothing.
        match Box::pin(tokio::time::timeout(timeout, answer)).await {
            Ok(answer) => timer.stop(answer),
            Err(_) => timer.stop(Err(Error::timeout(timeout))),
        }
    }
}
