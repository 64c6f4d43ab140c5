use std::{future::pending, sync::Arc, time::SystemTime};

use fastrand::Rng;
use parking_lot::Mutex;
use wiz_session::{
    Ended, Error, Handle, MemoryStore, Record, SessionStore, Version, forward_session_store,
    store::{Created, Feed, Replaced},
};

use crate::feeds::{Delivery, Feeds, News};

use super::{
    in_steps::InSteps,
    log::{Log, check_kept, has_left, tokens},
};

/// A store that keeps its callers waiting, fails, loses answers and hangs, until it is healed; and writes down what
/// became of every token. Clones are the same store.
#[derive(Clone)]
pub(super) struct Faulty(Arc<Inner>);

struct Inner {
    sessions: MemoryStore,
    rng: Mutex<Rng>,
    /// A new id is one call, and not a create and a replace.
    moves_at_once: bool,
    feeds: Feeds,
    log: Mutex<Log>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    FailsBefore,
    HangsBefore,
    FailsAfter,
    HangsAfter,
}

impl Faulty {
    pub(super) fn new(mut rng: Rng) -> Self {
        Self(Arc::new(Inner {
            sessions: MemoryStore::new(),
            moves_at_once: rng.bool(),
            feeds: Feeds::new(Delivery::random(&mut rng)),
            rng: Mutex::new(rng),
            log: Mutex::default(),
        }))
    }

    pub(super) fn log(&self) -> parking_lot::MutexGuard<'_, Log> {
        self.0.log.lock()
    }

    pub(super) fn feeds(&self) -> &Feeds {
        &self.0.feeds
    }

    pub(super) fn moves_at_once(&self) -> bool {
        self.0.moves_at_once
    }

    /// The record of a session that lives.
    pub(super) async fn live(&self, handle: Handle) -> Option<Record> {
        let record = self.0.sessions.load(handle).await.expect("it works");
        record.filter(|record| !record.is_tombstone())
    }

    /// A session that moved has all its tokens under the new id, unless it became another user's.
    pub(super) async fn check_moves(&self) {
        let (moves, left) = {
            let mut log = self.log();
            (
                std::mem::take(&mut log.moves),
                std::mem::take(&mut log.left),
            )
        };
        for (old, new) in moves {
            let (Some(left), Some(moved)) = (left.get(&old), self.live(new).await) else {
                continue;
            };
            // Others may have tried to move it too, and left a copy.
            let stone = self.0.sessions.load(old).await.expect("it works");
            let begun = self.log().began[&new].1.clone();
            if !stone.is_some_and(|stone| has_left(&stone, &begun)) {
                continue;
            }
            check_kept(left, &moved);
        }
    }

    async fn pause(&self) {
        let times = match self.log().is_healed {
            true => 0,
            false => self.0.rng.lock().u8(..3),
        };
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }

    fn fault(&self) -> Fault {
        if self.log().is_healed {
            return Fault::None;
        }
        match self.0.rng.lock().u8(..100) {
            0..5 => Fault::FailsBefore,
            5 => Fault::HangsBefore,
            6..10 => Fault::FailsAfter,
            10 | 11 => Fault::HangsAfter,
            _ => Fault::None,
        }
    }

    async fn call<T: std::fmt::Debug>(
        &self,
        what: String,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let fault = self.fault();
        let is_load = what.starts_with("load");
        // Where the look-up works, it tells what became of a commit; but a move in two steps may be half done.
        if !matches!(fault, Fault::None) && (is_load || !self.moves_at_once()) {
            let mut log = self.log();
            let visit = log.visit;
            log.excused.insert(visit);
        }
        self.pause().await;
        if matches!(fault, Fault::FailsBefore | Fault::HangsBefore) {
            self.log().tell(|| format!("{what} {fault:?}"));
        }
        match fault {
            Fault::FailsBefore => return Err(Error::store("it is away")),
            Fault::HangsBefore => pending().await,
            _ => {}
        }
        let answer = work.await?;
        self.log().tell(|| format!("{what} {answer:?} {fault:?}"));
        self.pause().await;
        match fault {
            Fault::FailsAfter => Err(Error::store("the answer is lost")),
            Fault::HangsAfter => pending().await,
            _ => Ok(answer),
        }
    }

    fn note(&self, record: &Record) {
        self.log().stored.extend(tokens(record));
    }
}

impl SessionStore for Faulty {
    forward_session_store!(
        self => self.0.sessions,
        except [create, load, replace, regenerate, touch, delete, push]
    );

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.call(format!("create {handle}"), async {
            let created = self.0.sessions.create(handle, record).await?;
            if created == Created::Created {
                self.note(record);
                let mut log = self.log();
                let visit = log.visit;
                log.began.insert(handle, (visit, record.clone()));
            }
            Ok(created)
        })
        .await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.call(format!("load {handle}"), self.0.sessions.load(handle))
            .await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.call(
            format!("replace {handle} {expected:?} {:?}", tokens(record)),
            async {
                let before = self.0.sessions.load(handle).await?;
                let replaced = self.0.sessions.replace(handle, expected, record).await?;
                if let (Replaced::Stored(version), Some(before)) = (replaced, before) {
                    self.feeds().tell(match record.is_tombstone() {
                        true => News::Ended(handle, Ended::Moved),
                        false => News::Changed(handle, version),
                    });
                    match record.is_tombstone() {
                        true => drop(self.log().left.insert(handle, before)),
                        false => {
                            self.note(record);
                            check_kept(&before, record);
                        }
                    }
                }
                Ok(replaced)
            },
        )
        .await
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.log().moves.push((old, new));
        if !self.moves_at_once() {
            let steps = InSteps(self.clone());
            return steps
                .regenerate(old, expected, tombstone, new, record)
                .await;
        }
        self.call(format!("move {old} {expected:?} to {new}"), async {
            let before = self.0.sessions.load(old).await?;
            let moved = self
                .0
                .sessions
                .regenerate(old, expected, tombstone, new, record)
                .await?;
            if let (Replaced::Stored(_), Some(before)) = (moved, before) {
                self.feeds().tell(News::Ended(old, Ended::Moved));
                self.note(record);
                let mut log = self.log();
                let visit = log.visit;
                log.began.insert(new, (visit, record.clone()));
                log.left.insert(old, before);
            }
            Ok(moved)
        })
        .await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.call(
            format!("touch {handle}"),
            self.0.sessions.touch(handle, expires_at),
        )
        .await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.call(format!("delete {handle}"), async {
            let deleted = self.0.sessions.delete(handle).await?;
            if deleted {
                self.feeds().tell(News::Ended(handle, Ended::LoggedOut));
            }
            let log = self.log();
            assert!(
                !deleted || !log.seen.contains(&handle) || log.cleared.contains(&handle),
                "nobody cleared {handle}"
            );
            Ok(deleted)
        })
        .await
    }

    async fn push(&self, feed: Feed) {
        self.feeds().listen(feed).await;
    }
}
