use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::SystemTime,
};

use fastrand::Rng;
use parking_lot::Mutex;
use wiz_session::{
    Clock, Ended, Error, Handle, MemoryStore, Record, SessionStore, Version, forward_session_store,
    store::{Created, Feed, Replaced},
};

use super::{ABSOLUTE, REMEMBER_LIMIT};
use crate::feeds::{Feeds, News};

/// A memory store that checks what must hold of every record, whoever commits it. One that is not immediate loses
/// answers once the work is done.
#[derive(Clone)]
pub(super) struct Checked<const IMMEDIATE: bool> {
    sessions: MemoryStore,
    pub(super) feeds: Arc<Feeds>,
    /// How often it was asked for a session.
    loads: Arc<AtomicUsize>,
    rng: Arc<Mutex<Rng>>,
    /// No session of this schedule is remembered.
    forgets: bool,
}

impl<const IMMEDIATE: bool> Checked<IMMEDIATE> {
    pub(super) fn new(
        rng: Rng,
        forgets: bool,
        feeds: &Arc<Feeds>,
        loads: &Arc<AtomicUsize>,
    ) -> Self {
        Self {
            sessions: MemoryStore::new(),
            feeds: Arc::clone(feeds),
            loads: Arc::clone(loads),
            rng: Arc::new(Mutex::new(rng)),
            forgets,
        }
    }

    fn check(&self, record: &Record) {
        let began = record
            .authenticated_at()
            .unwrap_or_else(|| record.created_at());
        let longest = if self.forgets {
            ABSOLUTE
        } else {
            REMEMBER_LIMIT
        };
        assert!(
            record.expires_at() <= began + longest,
            "no session outlives its last end"
        );
    }

    /// The answer of a call that did its work.
    fn answer<T>(&self, answer: T) -> Result<T, Error> {
        match !IMMEDIATE && self.rng.lock().u8(..4) == 0 {
            true => Err(Error::store("the answer was lost")),
            false => Ok(answer),
        }
    }

    /// What is true of a record and the one that it follows.
    fn check_after(&self, before: Option<&Record>, expected: Version, answer: Replaced) {
        if let (Replaced::Stored(version), Some(before)) = (answer, before) {
            assert!(
                version > expected && expected == before.version(),
                "the version strictly rises"
            );
        }
    }
}

impl<const IMMEDIATE: bool> SessionStore for Checked<IMMEDIATE> {
    const IMMEDIATE: bool = IMMEDIATE;

    forward_session_store!(
        self => self.sessions,
        except [use_clock, create, load, replace, regenerate, touch, delete, push]
    );

    /// It keeps the system's, by which nothing expires here, and so sweeps nothing: what has been swept is lost to a request
    /// that takes longer than the grace, and whether a shard was swept by then is up to the ids.
    fn use_clock(&self, _: &Clock) {}

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.check(record);
        let created = self.sessions.create(handle, record).await?;
        self.answer(created)
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.loads.fetch_add(1, Relaxed);
        self.sessions.load(handle).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let before = self.sessions.load(handle).await?;
        let replaced = self.sessions.replace(handle, expected, record).await?;
        let Replaced::Stored(_) = replaced else {
            return Ok(replaced);
        };
        self.check(record);
        self.check_after(before.as_ref(), expected, replaced);
        if let Replaced::Stored(version) = replaced {
            self.feeds.tell(News::Changed(handle, version));
        }
        assert_eq!(
            Some(record.created_at()),
            before.map(|before| before.created_at()),
            "a session keeps its beginning"
        );
        self.answer(replaced)
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.check(record);
        let moved = self
            .sessions
            .regenerate(old, expected, tombstone, new, record)
            .await?;
        match moved {
            Replaced::Stored(_) => {
                self.feeds.tell(News::Ended(old, Ended::Moved));
                self.answer(moved)
            }
            _ => Ok(moved),
        }
    }

    /// Its answer is not lost: the response would not tell that the cookie lasts longer now.
    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let touched = self.sessions.touch(handle, expires_at).await?;
        let touched_record = self.sessions.load(handle).await?;
        touched_record.iter().for_each(|record| self.check(record));
        Ok(touched)
    }

    /// Where it had nothing to do its answer is not lost: nobody could tell who did it.
    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        match self.sessions.delete(handle).await? {
            true => {
                self.feeds.tell(News::Ended(handle, Ended::LoggedOut));
                self.answer(true)
            }
            false => Ok(false),
        }
    }

    async fn push(&self, feed: Feed) {
        self.feeds.listen(feed).await;
    }
}
