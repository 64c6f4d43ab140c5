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
/// # Contract
///
/// A store decides nothing: whether a session has expired, when to touch it and who may see it is up to the caller. What
/// the crate promises to its users rests on these rules, which the [conformance suite](crate::store) checks:
///
/// - **Atomic and visible.** Each method takes effect wholly or not at all. Once its future has resolved, every process
///   that uses the same store sees the effect.
/// - **Insert or update, never both.** [`create`](Self::create) only inserts and [`replace`](Self::replace) only updates:
///   a `replace` that inserted would bring ended sessions back to life. Only `create` and `regenerate` make a record
///   appear under a handle, and only `replace` and `regenerate` change what is there.
/// - **Failures are errors.** An engine that fails is an `Err`, never `None`, `Gone` or `false`: those are answers, and
///   they end sessions.
/// - **Any text.** Keys and values may contain any character, including NUL. A record is as large as the layer's
///   `max_bytes`, and a few hundred bytes more.
/// - **The application's clock.** A store reads no clock where two could disagree: times are passed in, or come from
///   [`use_clock`](Self::use_clock).
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
/// A store never removes a record before it [expires](Record::expires_at), and then need not at once. One that removes
/// expired records by itself, with a sweep of its own or by the engine's expiry, keeps them for five more minutes: a
/// request that found its session alive can then still store its changes, though the session expires while its handler
/// works. [`delete_expired`](Self::delete_expired) has no such grace: its caller passes the time in.
///
/// # Cancel safety
///
/// Every method is cancel-safe: its future may be dropped at any point, as the layer does at its `store_timeout`. The call
/// has then happened wholly or not at all, and what it used, a pooled connection for instance, is fit for the next call.
/// If the engine's driver is not cancel-safe, spawn the call or discard the connection.
///
/// # Cost
///
/// Reading a session is one `load`. A commit is one more call: `create`, `replace`, `regenerate` or `delete`; each
/// conflict adds a `load` and another attempt. `touch` is called at most once for each tenth of the idle timeout. The
/// methods that take a user, and `count`, run for [`Sessions`](crate::Sessions) only, never on a request's path.
///
/// # Example
///
/// A store over a map, complete:
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
///         let Some(stored) = map.get_mut(&handle) else { return Ok(false) };
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

    /// Inserts a record, with the version it has, if the handle is not in use. A tombstone and an expired record are in
    /// use too.
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

    /// Replaces the whole record, including its user and expiry, if it still has the expected version. The new version is
    /// [`expected.next()`](Version::next), whatever version `record` carries.
    fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> impl Future<Output = Result<Replaced, Error>> + Send;

    /// Moves the expiry to later, never to earlier, and changes neither data nor version. Answers whether there is such a
    /// record. Idempotent.
    fn touch(
        &self,
        handle: Handle,
        expires_at: SystemTime,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Deletes a session. Answers whether this call ended it: a [tombstone](Record::is_tombstone) is no session, stays,
    /// and is answered by `false`.
    fn delete(&self, handle: Handle) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Moves a session to a new id: inserts `record` under `new`, with the version it has, and replaces the record under
    /// `old` by `tombstone`, both only if `old` still has the expected version and `new` is not in use. Of many concurrent
    /// calls for one session one succeeds. The answer's version is that of the record under `new`.
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
    /// that is touched meanwhile survives. A store whose engine expires records by itself returns 0.
    fn delete_expired(
        &self,
        now: SystemTime,
        limit: usize,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// All sessions of a user, in no particular order. Some may have expired; none that lives is missing.
    fn list(&self, user: &str)
    -> impl Future<Output = Result<Vec<(Handle, Record)>, Error>> + Send;

    /// Deletes all sessions of a user except this one, and answers how many. Also a session that moves to a new id while
    /// this runs: where one statement cannot see that, repeat until the user has no other session.
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
