use std::{future::ready, time::SystemTime};

use super::{
    feed::{Feed, Status},
    regenerate,
    scan::{self, Cursor, Page},
};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    time::Clock,
};

/// Keeps the records of sessions: a map from [`Handle`] to [`Record`] with optimistic concurrency, by compare-and-swap on
/// the record's version.
///
/// Applications name a store once, where they make the layer, and never call it. To choose one at run time:
/// [`BoxStore`](super::BoxStore). To wrap one: [`forward_session_store!`](crate::forward_session_store).
///
/// # What a store keeps
///
/// | | what it is | how to keep it |
/// |---|---|---|
/// | the [`Handle`] | the key: 16 bytes, uniformly distributed | [`as_bytes`](Handle::as_bytes), or 32 hexadecimal digits by `Display` and `FromStr` |
/// | [`Record::version`] | a number below 2⁶³ | a 64-bit integer |
/// | [`Record::expires_at`] | a time in whole milliseconds, from 1970 to the end of 9999 | milliseconds since 1970, as a 64-bit integer |
/// | [`Record::to_json`] | all the rest, in one text | as it is, up to the layer's `max_bytes` and a few hundred bytes more |
///
/// [`Record::from_json`] makes the record of the last three again. The text is opaque: it contains the user, whether this
/// is a tombstone, the absolute end and the ids of the last commits. A store never parses it, and never makes it anew
/// from parts. What it has to find records by, it keeps a second time, beside the text: [`Record::user`] for
/// [`list`](Self::list) and [`delete_user`](Self::delete_user), the expiry for [`delete_expired`](Self::delete_expired),
/// [`Record::is_tombstone`] for [`count`](Self::count), [`touch`](Self::touch) and [`delete`](Self::delete).
///
/// Version and expiry are apart from the text because they change without it: the store counts the versions, and a
/// [`touch`](Self::touch) writes nothing but the expiry.
///
/// # Contract
///
/// A store decides nothing: whether a session has expired, when to touch it and who may see it is up to the caller. What
/// the crate promises to its users rests on these rules, which the [conformance suite](crate::store) checks:
///
/// - **Atomic.** Each method takes effect wholly or not at all, and of calls that meet it looks as if one had come after
///   the other, in either order. What reads a record and then writes it has to write on condition that it is still the
///   one that was read, also in a `touch`. Two exceptions: [`delete_user`](Self::delete_user) and
///   [`delete_expired`](Self::delete_expired) may end their sessions one by one, and a [`regenerate`](Self::regenerate)
///   in steps may show the new record before the old one has gone.
/// - **Visible.** Once a future has resolved, every process that uses the same store sees the effect. A copy in the
///   process's memory is not enough, and neither is a write that is still in a queue.
/// - **Insert or update, never both.** [`create`](Self::create) only inserts and [`replace`](Self::replace) only updates:
///   a `replace` that inserted would bring ended sessions back to life. Only `create` and `regenerate` make a record
///   appear under a handle, and only `replace` and `regenerate` change what is there.
/// - **Compare-and-swap.** `replace` and `regenerate` write if the stored version is the expected one, and not if it is
///   any other, smaller or greater. The replacement gets [`expected.next()`](Version::next), and so does the tombstone
///   that a `regenerate` leaves. A record that is inserted keeps the version it has, which need not be the first.
/// - **A touch moves the end only.** And that only to later: neither the data nor the version changes, so a `replace` of
///   the version that was there before the touch succeeds after it.
/// - **Tombstones are no sessions.** They are neither counted nor listed, and neither `delete` nor `delete_user` ends
///   one. A `touch` of one answers `false`, as for what is not there, and leaves its end as it is. They are loaded,
///   replaced and swept like any record.
/// - **All sessions of a user.** `list` and `delete_user` find every session of the user, compared byte by byte, and no
///   other, also one that moves to a new id meanwhile. Where records and index are read one after the other, an entry
///   may lead to a session that has just moved: then the index has to be read again.
/// - **Nothing is cut.** Versions, times and handles are kept in full. Keys, values and users are any text of any length,
///   including NUL and nothing at all; an engine whose keys are short is given a digest. Lists are as long as they are,
///   however many pages the engine makes of them.
/// - **The caller's clock.** Times are passed in. `count` and `delete_expired` go by the time they are given, whatever
///   the store's own clock says. A store that has to know the time by itself goes by [`use_clock`](Self::use_clock).
/// - **A look agrees with a load.** [`look`](Self::look) answers once for each handle, in the order asked, with the version
///   and the expiry that a `load` would give, also of a tombstone or of what has expired.
/// - **A scan misses nothing.** What is there while a [`scan`](Self::scan) lasts is on a page, whatever appears and ends
///   between two pages, and whoever resumes it by the text of a cursor. A record on it is as a `load` would give it. No
///   page is much larger than was asked for.
/// - **A report is true.** What a store tells a feed by [`push`](Self::push) has happened: it is believed without a look.
///   Reports may be late, repeated or missing.
/// - **Failures are errors.** An engine that fails is an `Err`, never `None`, `Gone` or `false`: those are answers, and
///   they end sessions. So is a record that cannot be read, by `load` and by `list`.
/// - **Immediate means never waiting.** A store that is [`IMMEDIATE`](Self::IMMEDIATE) has no future that is ever pending.
/// - **Discreet.** A store never learns a session's id. Its errors and logs contain handles at most, never data.
///
/// # Lost answers
///
/// If a connection breaks, nobody knows whether the last write took effect. Report that as an `Err`. The layer then loads
/// the session and looks for its own commit: each record carries the ids of its last eight commits, as part of
/// [`Record::to_json`], so a commit whose answer was lost counts once.
///
/// A store may resend a write by itself. The second attempt can then meet the effect of the first, and must not report
/// that as somebody else's: not `Conflict`, `Exists`, `Gone` or `false`. If it cannot tell, the answer is an `Err`, which
/// the layer resolves as above. [`Record::is_same_commit`] tells whether a stored record was written by the same commit.
///
/// # Expired records
///
/// A store never removes a record before it [expires](Record::expires_at), and then need not at once. Until it is removed
/// it is a record like any other: loaded, replaced, and touched to a later end.
///
/// A store that removes expired records by itself, with a sweep of its own or by the engine's expiry, keeps sessions for
/// five more minutes: a request that found its session alive can then still store its changes, though the session
/// expires while its handler works. Tombstones need no such grace. [`delete_expired`](Self::delete_expired) has none:
/// its caller passes the time in, and it deletes everything that expired by then: sessions of users and of nobody, and
/// tombstones.
///
/// # Cancel safety
///
/// Every method is cancel-safe: its future may be dropped at any point, as the layer does at its `store_timeout`. The call
/// has then happened wholly or not at all, and what it used, a lock or a pooled connection for instance, is fit for the
/// next call. If the engine's driver is not cancel-safe, spawn the call or discard the connection.
///
/// # Cost
///
/// Reading a session is one `load`. A commit is one more call: `create`, `replace`, `regenerate` or `delete`; each
/// conflict adds a `load` and another attempt. `touch` is called at most once for each tenth of the idle timeout. The
/// methods that take a user, and `count`, run for [`Sessions`](crate::Sessions) only, never on a request's path.
///
/// # Example
///
/// A store over a map, complete. [Writing a store](crate::guide::writing_a_store) has one on a key-value store with
/// conditional writes, where each method is several requests.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::SystemTime};
/// use wiz_session::{Error, Handle, Record, SessionStore, Version, store::{Created, Replaced}};
///
/// #[derive(Default)]
/// struct MapStore(Mutex<HashMap<Handle, Record>>);
///
/// impl SessionStore for MapStore {
///     async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
///         let mut map = self.0.lock().unwrap();
///         if map.contains_key(&handle) {
///             return Ok(Created::Exists);
///         }
///         map.insert(handle, record.clone());
///         Ok(Created::Created)
///     }
///
///     async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
///         Ok(self.0.lock().unwrap().get(&handle).cloned())
///     }
///
///     async fn replace(&self, handle: Handle, expected: Version, record: &Record) -> Result<Replaced, Error> {
///         match self.0.lock().unwrap().get_mut(&handle) {
///             None => Ok(Replaced::Gone),
///             Some(stored) if stored.version() != expected => Ok(Replaced::Conflict),
///             Some(stored) => {
///                 *stored = record.clone().with_version(expected.next());
///                 Ok(Replaced::Stored(expected.next()))
///             }
///         }
///     }
///
///     async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
///         let mut map = self.0.lock().unwrap();
///         let Some(stored) = map.get_mut(&handle).filter(|stored| !stored.is_tombstone()) else {
///             return Ok(false);
///         };
///         if stored.expires_at() < expires_at {
///             *stored = stored.clone().with_expires_at(expires_at);
///         }
///         Ok(true)
///     }
///
///     async fn delete(&self, handle: Handle) -> Result<bool, Error> {
///         let mut map = self.0.lock().unwrap();
///         let lives = map.get(&handle).is_some_and(|stored| !stored.is_tombstone());
///         if lives {
///             map.remove(&handle);
///         }
///         Ok(lives)
///     }
///
///     async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
///         let mut map = self.0.lock().unwrap();
///         let expired = |record: &Record| record.expires_at() <= now;
///         let batch: Vec<_> = map.iter().filter(|(_, r)| expired(r)).map(|(h, _)| *h).take(limit).collect();
///         batch.iter().for_each(|handle| drop(map.remove(handle)));
///         Ok(batch.len() as u64)
///     }
///
///     async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
///         let map = self.0.lock().unwrap();
///         Ok(map.iter().filter(|(_, r)| r.user() == Some(user)).map(|(h, r)| (*h, r.clone())).collect())
///     }
///
///     async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
///         let mut map = self.0.lock().unwrap();
///         let before = map.len();
///         map.retain(|handle, record| record.user() != Some(user) || Some(*handle) == except);
///         Ok((before - map.len()) as u64)
///     }
///
///     async fn count(&self, now: SystemTime) -> Result<u64, Error> {
///         let map = self.0.lock().unwrap();
///         Ok(map.values().filter(|r| !r.is_tombstone() && r.expires_at() > now).count() as u64)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # wiz_session::store::conformance::run(MapStore::default()).await;
/// # }
/// ```
pub trait SessionStore: Send + Sync + 'static {
    /// Set to `true` if no method ever awaits. The layer then polls each future once, unboxed; one that returns `Pending`
    /// is dropped and the call fails. An immediate store's answers cannot be lost, so records carry no commit ids.
    ///
    /// Defaults to `false`.
    const IMMEDIATE: bool = false;

    /// The clock of a layer that is built over this store, passed once for each such layer. For stores that look at the
    /// time by themselves, as the memory store does to make room.
    ///
    /// Defaults to nothing.
    fn use_clock(&self, clock: &Clock) {
        let _ = clock;
    }

    /// Inserts a record, with the version it has, if the handle is not in use. It is in use as long as there is a record,
    /// also a tombstone or one that has expired.
    fn create(
        &self,
        handle: Handle,
        record: &Record,
    ) -> impl Future<Output = Result<Created, Error>> + Send;

    /// The record, if there is one. It may have expired, and it may be a tombstone: the caller checks.
    ///
    /// # Errors
    /// Also if the record cannot be read ([`Error::corrupt`]): a damaged session is not a missing one.
    fn load(&self, handle: Handle) -> impl Future<Output = Result<Option<Record>, Error>> + Send;

    /// Replaces the whole record, including its user and expiry, if it still has the expected version. The expiry may be
    /// earlier than that of the stored record. The new version is [`expected.next()`](Version::next), whatever version
    /// `record` carries.
    fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> impl Future<Output = Result<Replaced, Error>> + Send;

    /// Moves a session's expiry to later, never to earlier, and changes neither data nor version. Answers whether there is
    /// such a session, whether its expiry moved or not: a [tombstone](Record::is_tombstone) is no session, keeps its expiry,
    /// and is answered by `false`. The layer goes by that when it sends the cookie of a session again: one that has moved
    /// to another id must not be sent over the newer cookie. Idempotent. Of calls at once the latest expiry counts.
    fn touch(
        &self,
        handle: Handle,
        expires_at: SystemTime,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Deletes a session. Answers whether this call ended it: a [tombstone](Record::is_tombstone) is no session, stays,
    /// and is answered by `false`.
    fn delete(&self, handle: Handle) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Moves a session to a new id: inserts `record` under `new`, with the version it has, and replaces the record under
    /// `old` by `tombstone`, whose version is [`expected.next()`](Version::next), both only if `old` still has the expected
    /// version and `new` is not in use. Of many concurrent calls for one session one succeeds. The answer's version is
    /// that of the record under `new`; if `new` is in use it is [`Replaced::Conflict`]. `record` may be of another user
    /// than the one under `old`: that is a login.
    ///
    /// Defaults to a `create` followed by a `replace`, which takes two calls, and up to six if it has to look what an
    /// earlier attempt did. A crash between the two leaves the old session unchanged, and a copy whose id no client has;
    /// another call for the same commit finishes what was begun. An engine with transactions should do it in one. If that
    /// is called again for a commit it has done, it finds `new` in use and answers [`Replaced::Conflict`].
    fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> impl Future<Output = Result<Replaced, Error>> + Send {
        regenerate::in_steps(self, old, expected, tombstone, new, record)
    }

    /// Deletes up to `limit` records that expired at `now` or before, tombstones included, and answers how many. A record
    /// that is touched meanwhile survives. As long as some are left it deletes one at least: 0 tells the caller that there
    /// are none. A store that leaves this to its engine returns 0.
    fn delete_expired(
        &self,
        now: SystemTime,
        limit: usize,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// All sessions of a user, each once, in no particular order. Some may have expired; none that lives is missing, also
    /// one that moves to a new id while this runs.
    fn list(&self, user: &str)
    -> impl Future<Output = Result<Vec<(Handle, Record)>, Error>> + Send;

    /// Deletes all sessions of a user except this one, if it is theirs, and answers how many. Also a session that moves to
    /// a new id while this runs: where one statement cannot see that, repeat until the user has no other session.
    fn delete_user(
        &self,
        user: &str,
        except: Option<Handle>,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// How many sessions have not expired at `now`. Tombstones do not count.
    fn count(&self, now: SystemTime) -> impl Future<Output = Result<u64, Error>> + Send;

    /// A page of all records, tombstones and expired ones included: from the beginning, or where the page with the cursor
    /// `after` ended. For tools that go through a whole store, to copy it for instance; the layer never calls it.
    ///
    /// A record that exists from before the first page until after the last is on one page at least; on several, if the
    /// engine cannot tell. One that appears, ends or moves meanwhile may be on a page or not. A page has about `limit`
    /// records, and may have none although others follow. Going through a million sessions must not hold up the requests
    /// of an application: read by an index, and keep nothing open between two pages. A cursor stays valid over restarts of
    /// the caller.
    ///
    /// Defaults to an error: a store that nobody copies or looks into can do without.
    ///
    /// ```
    /// use wiz_session::{Error, SessionStore};
    ///
    /// /// The number of bytes that all sessions take.
    /// async fn bytes(store: &impl SessionStore) -> Result<usize, Error> {
    ///     let (mut bytes, mut after) = (0, None);
    ///     loop {
    ///         let page = store.scan(after.as_ref(), 500).await?;
    ///         for (_handle, record) in page.sessions {
    ///             bytes += record?.to_json().len();
    ///         }
    ///         after = page.next;
    ///         if after.is_none() {
    ///             return Ok(bytes);
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # assert_eq!(bytes(&wiz_session::MemoryStore::new()).await.unwrap(), 0);
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_store`], also for a cursor that this store has not made, and where a store does not implement it.
    fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, Error>> + Send {
        let _ = (after, limit);
        ready(Err(scan::unsupported()))
    }

    /// Version and expiry of up to 1,000 sessions, in the order asked; `None` for one that is missing. It is called for the
    /// sessions that this process [watches](crate::WizSession::ended), once per
    /// [`watch_interval`](crate::WizSessionLayerBuilder::watch_interval).
    ///
    /// Defaults to a `load` for each. A database should answer in one statement.
    fn look(
        &self,
        handles: &[Handle],
    ) -> impl Future<Output = Result<Vec<Option<Status>>, Error>> + Send {
        async move {
            let mut statuses = Vec::with_capacity(handles.len());
            for handle in handles {
                statuses.push(match self.load(*handle).await {
                    Ok(record) => record.as_ref().map(Status::of),
                    // It is there, and the others are not to wait for its repair.
                    Err(error) if error.is_corrupt() => Some(Status::UNREADABLE),
                    Err(error) => return Err(error),
                });
            }
            Ok(statuses)
        }
    }

    /// Reports to the feed what other processes do to the sessions that this one watches, until it is dropped. It is called
    /// when the first session is watched, and its future lives for as long as some are.
    ///
    /// It is a matter of speed only: what is not reported is found by the next [`look`](Self::look). A store whose
    /// connection breaks opens another and then reports a [`gap`](Feed::gap).
    ///
    /// Defaults to returning at once: the store does not push.
    fn push(&self, feed: Feed) -> impl Future<Output = ()> + Send {
        drop(feed);
        ready(())
    }
}

/// The outcome of a [`create`](SessionStore::create). A [store](SessionStore#example) shows its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Created {
    /// The record is stored.
    Created,
    /// The handle is in use. Nothing was changed.
    Exists,
}

/// The outcome of a [`replace`](SessionStore::replace) or a [`regenerate`](SessionStore::regenerate). A
/// [store](SessionStore#example) shows its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replaced {
    /// The record is stored and has this version now.
    Stored(Version),
    /// There is a record, of another version. Nothing was changed.
    Conflict,
    /// There is no such record. Nothing was changed; above all, nothing was inserted.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{forward_session_store, store::MemoryStore};

    const DAMAGED: Handle = Handle::from_bytes([1; 16]);
    const UNREACHABLE: Handle = Handle::from_bytes([2; 16]);
    const MISSING: Handle = Handle::from_bytes([3; 16]);

    #[derive(Default)]
    struct Failing(MemoryStore);

    impl SessionStore for Failing {
        forward_session_store!(self => self.0, except [load, look]);

        async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
            match handle {
                DAMAGED => Err(Error::corrupt("no JSON")),
                UNREACHABLE => Err(Error::store("no connection")),
                handle => self.0.load(handle).await,
            }
        }
    }

    #[tokio::test]
    async fn a_look_passes_over_a_damaged_record_and_fails_with_the_store() {
        let store = Failing::default();
        let statuses = store.look(&[DAMAGED, MISSING]).await.unwrap();
        assert_eq!(statuses, [Some(Status::UNREADABLE), None]);
        let failed = store.look(&[MISSING, UNREACHABLE]).await.unwrap_err();
        assert!(failed.is_store() && !failed.is_corrupt());
    }
}
