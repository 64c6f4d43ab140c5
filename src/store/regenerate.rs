use super::session_store::{Created, Replaced, SessionStore};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
};

/// [`SessionStore::regenerate`] where no transaction holds both records: the new one is created, then the old one
/// replaced.
///
/// A call that follows one which failed half-way, or whose answer was lost, finishes what that one began. The records
/// tell by their commit whether they are its own.
pub(crate) async fn in_steps<S: SessionStore + ?Sized>(
    store: &S,
    old: Handle,
    expected: Version,
    tombstone: &Record,
    new: Handle,
    record: &Record,
) -> Result<Replaced, Error> {
    let tombstone = tombstone.left_by(record);
    let mut version = record.version();
    let mut is_resumed = false;
    if store.create(new, record).await? == Created::Exists {
        let own = |begun: &Record| begun.is_same_commit(record);
        let Some(begun) = store.load(new).await?.filter(own) else {
            return Ok(Replaced::Conflict);
        };
        is_resumed = true;
        version = begun.version();
        // It may have been made from an older record than this one.
        if begun.to_json() != record.to_json() {
            match store.replace(new, version, record).await? {
                Replaced::Stored(next) => version = next,
                lost => return Ok(lost),
            }
        }
    }
    let lost = match store.replace(old, expected, &tombstone).await? {
        Replaced::Stored(_) => return Ok(Replaced::Stored(version)),
        lost => lost,
    };
    if lost == Replaced::Conflict && tombstone.has_commits() {
        // The store may have resent the replace. That an earlier call did it counts only while the new record is there:
        // that may have been ended since, and must not come back.
        let own = |left: &Record| {
            left.is_same_commit(&tombstone) || is_resumed && left.is_tombstone_of(record)
        };
        if store.load(old).await?.as_ref().is_some_and(own) {
            return Ok(Replaced::Stored(version));
        }
    }
    store.delete(new).await?;
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        time::{Duration, SystemTime},
    };

    use parking_lot::Mutex;

    use super::*;
    use crate::{forward_session_store, store::MemoryStore};

    const OLD: Handle = Handle::from_bytes([1; 16]);
    const NEW: Handle = Handle::from_bytes([2; 16]);

    #[derive(Clone, Copy)]
    enum Call {
        Works,
        Fails,
        /// It takes effect, and answers an error.
        LosesItsAnswer,
        /// It takes effect, and then the store sends it again.
        IsResent,
    }
    use Call::{Fails, IsResent, LosesItsAnswer, Works};

    /// A store whose creates and replaces go as told, and then work.
    #[derive(Default)]
    struct Flaky {
        sessions: MemoryStore,
        calls: Mutex<VecDeque<Call>>,
        loads: AtomicU32,
    }

    impl Flaky {
        async fn write<T, F>(&self, write: impl Fn() -> F) -> Result<T, Error>
        where
            F: Future<Output = Result<T, Error>>,
        {
            let call = self.calls.lock().pop_front().unwrap_or(Works);
            match call {
                Works => write().await,
                Fails => Err(Error::store("it failed")),
                LosesItsAnswer => Err(write().await.map(|_| Error::store("it is lost"))?),
                IsResent => {
                    write().await?;
                    write().await
                }
            }
        }

        /// A session of version 1, to be moved by calls that go so.
        async fn with_session(calls: &[Call]) -> Self {
            let store = Self::default();
            let created = store.sessions.create(OLD, &record(1, &[1])).await.unwrap();
            assert_eq!(created, Created::Created);
            store.calls.lock().extend(calls);
            store
        }

        async fn moves(&self, record: &Record) -> Result<Replaced, Error> {
            let stone = record_of(
                r#"{"v":1,"created_at":1000,"deadline":31000,"tombstone":true,"data":{}}"#,
            );
            self.regenerate(OLD, Version::FIRST, &stone, NEW, record)
                .await
        }

        async fn load_both(&self) -> [Option<Record>; 2] {
            let load = async |handle| self.sessions.load(handle).await.unwrap();
            [load(OLD).await, load(NEW).await]
        }

        /// Its data is found under the new id, and the old one leads nowhere.
        async fn assert_moved(&self, n: u32) {
            let [old, new] = self.load_both().await;
            assert!(old.unwrap().is_tombstone());
            let data = new.unwrap().to_json();
            assert!(data.contains(&format!(r#"{{"n":{n}}}"#)), "{data}");
        }
    }

    impl SessionStore for Flaky {
        forward_session_store!(self => self.sessions, except [create, load, replace, regenerate]);

        async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
            self.write(|| self.sessions.create(handle, record)).await
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
            self.write(|| self.sessions.replace(handle, expected, record))
                .await
        }
    }

    fn record_of(json: &str) -> Record {
        let end = SystemTime::now() + Duration::from_secs(60);
        Record::from_json(json, Version::FIRST, end).unwrap()
    }

    /// A record that these commits wrote.
    fn record(n: u32, commits: &[u64]) -> Record {
        let commits: String = commits.iter().map(|id| format!("{id:016x}")).collect();
        record_of(&format!(
            r#"{{"v":1,"created_at":1000,"deadline":31000,"commits":"{commits}","data":{{"n":{n}}}}}"#
        ))
    }

    #[tokio::test]
    async fn a_second_call_finishes_what_the_first_began() {
        for calls in [
            &[LosesItsAnswer][..],
            &[Works, Fails],
            &[Works, LosesItsAnswer],
            &[LosesItsAnswer, Fails, Fails],
        ] {
            let store = Flaky::with_session(calls).await;
            let record = record(2, &[1, 2]);
            let mut moved = store.moves(&record).await;
            assert!(moved.is_err(), "the call that goes wrong");
            while moved.is_err() {
                moved = store.moves(&record).await;
            }
            assert_eq!(moved.unwrap(), Replaced::Stored(Version::FIRST));
            store.assert_moved(2).await;
        }
    }

    #[tokio::test]
    async fn a_resent_step_counts_once() {
        for calls in [&[IsResent][..], &[Works, IsResent], &[IsResent, IsResent]] {
            let store = Flaky::with_session(calls).await;
            let moved = store.moves(&record(2, &[1, 2])).await.unwrap();
            assert_eq!(moved, Replaced::Stored(Version::FIRST));
            store.assert_moved(2).await;
        }
    }

    #[tokio::test]
    async fn the_second_call_stores_what_it_was_given() {
        let store = Flaky::with_session(&[Works, Fails]).await;
        assert!(store.moves(&record(2, &[1, 2])).await.is_err());
        let moved = store.moves(&record(3, &[1, 2])).await.unwrap();
        assert_eq!(moved, Replaced::Stored(Version::new(2)));
        store.assert_moved(3).await;
    }

    #[tokio::test]
    async fn another_commits_record_is_left_alone() {
        for other in [&[1, 3][..], &[]] {
            let store = Flaky::with_session(&[]).await;
            let there = record(9, other);
            store.create(NEW, &there).await.unwrap();
            for own in [&[1, 2][..], &[]] {
                let moved = store.moves(&record(2, own)).await.unwrap();
                assert_eq!(moved, Replaced::Conflict);
            }
            let [old, new] = store.load_both().await;
            assert!(!old.unwrap().is_tombstone());
            assert_eq!(new.unwrap().to_json(), there.to_json());
        }
    }

    #[tokio::test]
    async fn a_half_done_move_of_a_session_that_changed_leaves_no_copy() {
        let store = Flaky::with_session(&[Works, Fails]).await;
        assert!(store.moves(&record(2, &[1, 2])).await.is_err());
        let changed = record(5, &[1, 3]);
        let other = store.replace(OLD, Version::FIRST, &changed).await;
        assert_eq!(other.unwrap(), Replaced::Stored(Version::new(2)));
        let moved = store.moves(&record(2, &[1, 2])).await.unwrap();
        assert_eq!(moved, Replaced::Conflict);
        let [old, new] = store.load_both().await;
        assert!(!old.unwrap().is_tombstone() && new.is_none());
    }

    #[tokio::test]
    async fn a_session_that_ended_after_its_move_does_not_come_back() {
        let store = Flaky::with_session(&[Works, LosesItsAnswer]).await;
        assert!(store.moves(&record(2, &[1, 2])).await.is_err());
        assert!(store.delete(NEW).await.unwrap());
        let moved = store.moves(&record(2, &[1, 2])).await.unwrap();
        assert_eq!(moved, Replaced::Conflict);
        let [old, new] = store.load_both().await;
        assert!(old.unwrap().is_tombstone() && new.is_none());
    }

    #[tokio::test]
    async fn a_move_that_nobody_can_have_made_is_not_looked_for() {
        let gone = Flaky::default();
        let moved = gone.moves(&record(2, &[1, 2])).await.unwrap();
        assert_eq!(moved, Replaced::Gone);
        let changed = Flaky::with_session(&[]).await;
        let replaced = changed.replace(OLD, Version::FIRST, &record(5, &[1])).await;
        assert_eq!(replaced.unwrap(), Replaced::Stored(Version::new(2)));
        let unsigned = record_of(r#"{"v":1,"created_at":1000,"deadline":31000,"data":{"n":2}}"#);
        let moved = changed.moves(&unsigned).await.unwrap();
        assert_eq!(moved, Replaced::Conflict);
        for store in [gone, changed] {
            assert_eq!(store.loads.load(Relaxed), 0);
            assert!(store.load_both().await[1].is_none());
        }
    }
}
