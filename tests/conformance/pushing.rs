//! Stores that report what did not happen.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use wiz_session::{
    Ended, Error, Handle, MemoryStore, Record, SessionStore, Version, forward_session_store,
    store::{Feed, Replaced},
};

use crate::{
    finds::{self, Run, outcome},
    rule,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    Nothing,
    ATouchEnds,
    AReplaceEnds,
    TheNewIdEnds,
    AMoveIsALogout,
    ALogoutIsAMove,
    AConflictIsAChange,
}

/// Reports at once what it does.
struct Pushing {
    lie: Lie,
    sessions: MemoryStore,
    feed: Arc<Mutex<Option<Feed>>>,
}

impl Pushing {
    fn new(lie: Lie) -> Self {
        Self {
            lie,
            sessions: MemoryStore::new(),
            feed: Arc::default(),
        }
    }

    fn tell(&self, tell: impl FnOnce(&Feed)) {
        if let Some(feed) = &*self.feed.lock().unwrap() {
            tell(feed);
        }
    }

    fn lies(&self, lie: Lie, handle: Handle) {
        if self.lie == lie {
            self.tell(|feed| feed.ended(handle, Ended::LoggedOut));
        }
    }
}

impl SessionStore for Pushing {
    forward_session_store!(self => self.sessions, except [replace, touch, delete, regenerate, push]);

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let replaced = self.sessions.replace(handle, expected, record).await?;
        match replaced {
            Replaced::Stored(version) => self.tell(|feed| feed.changed(handle, version)),
            Replaced::Conflict if self.lie == Lie::AConflictIsAChange => {
                self.tell(|feed| feed.changed(handle, expected.next().next()));
            }
            _ => {}
        }
        self.lies(Lie::AReplaceEnds, handle);
        Ok(replaced)
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        self.lies(Lie::ATouchEnds, handle);
        self.sessions.touch(handle, expires_at).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let deleted = self.sessions.delete(handle).await?;
        if deleted {
            let why = match self.lie {
                Lie::ALogoutIsAMove => Ended::Moved,
                _ => Ended::LoggedOut,
            };
            self.tell(|feed| feed.ended(handle, why));
        }
        Ok(deleted)
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let moved = self
            .sessions
            .regenerate(old, expected, tombstone, new, record)
            .await?;
        if let Replaced::Stored(_) = moved {
            let why = match self.lie {
                Lie::AMoveIsALogout => Ended::LoggedOut,
                _ => Ended::Moved,
            };
            self.tell(|feed| feed.ended(old, why));
            self.lies(Lie::TheNewIdEnds, new);
        }
        Ok(moved)
    }

    async fn push(&self, feed: Feed) {
        feed.gap();
        *self.feed.lock().unwrap() = Some(feed);
        std::future::pending::<()>().await;
    }
}

#[test]
fn finds_reports_of_what_did_not_happen() {
    for lie in [
        Lie::ATouchEnds,
        Lie::AReplaceEnds,
        Lie::TheNewIdEnds,
        Lie::AMoveIsALogout,
        Lie::ALogoutIsAMove,
        Lie::AConflictIsAChange,
    ] {
        println!("{lie:?}");
        let run = || -> Run { Box::pin(suite_of(lie)) };
        finds::each_time_in(run, rule::PUSH);
    }
}

async fn suite_of(lie: Lie) {
    wiz_session::store::conformance::run(Pushing::new(lie)).await;
}

#[test]
fn lets_a_store_pass_that_reports_what_happens() {
    assert_eq!(outcome(Box::pin(suite_of(Lie::Nothing))), Ok(()));
}
