//! Where sessions are kept: the [`SessionStore`] contract and the stores that come with the crate. Which one for what,
//! and how to write one: the [guide](crate::guide::stores).

mod client;
mod erased;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod regenerate;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod sql;

#[cfg(feature = "conformance")]
pub mod conformance;

use std::{sync::Arc, time::SystemTime};

pub(crate) use self::client::StoreClient;
use self::erased::{Answer, ErasedStore};
pub use self::memory::{MemoryStore, MemoryStoreBuilder};
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
#[cfg(feature = "mysql")]
pub use self::sql::MySqlStore;
#[cfg(feature = "postgres")]
pub use self::sql::PostgresStore;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use self::sql::SqlStore;
#[cfg(feature = "sqlite")]
pub use self::sql::SqliteStore;
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    time::Clock,
};

/// Keeps the records of sessions.
///
/// # For those who implement it
///
/// A store is a map from [`Handle`] to [`Record`] with a compare-and-swap. It decides nothing: when a session has
/// expired, when it is touched and who may see it is the caller's business. What the crate promises to users
/// rests on these rules, which [`conformance`](crate::store) checks:
///
/// - Every verb is atomic and, once its future answered, seen by every other process that uses the same store.
/// - [`create`](Self::create) only inserts, [`replace`](Self::replace) only replaces. Neither does the other's work:
///   a `replace` that inserted would bring ended sessions back to life.
/// - No verb but `create` makes a record appear, none but `replace` changes its data.
/// - An engine that fails is an `Err`, never `None`, `Gone` or `false`: those are answers that end sessions. So is a
///   write that may have taken effect, because its answer was lost: the layer then loads the session and finds its own
///   commit in it, or not.
/// - Keys and values are any text, also with NUL characters; a record may be as large as a layer's `max_bytes`.
/// - A future may be dropped at any point. What it was doing then has happened wholly or not at all.
///
/// A store may forget a record once it [expired](Record::expires_at), and never before. Times are those of the
/// application's clock, passed in as they are needed: a store reads no clock of its own where two could disagree.
///
/// Errors and logs hold handles at most: a store never learns a session's id, and its data is nobody else's business.
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
    /// Whether the future of every verb is ready when it is first polled. It spares each call a box; a future that
    /// keeps the caller waiting all the same is dropped, and the call has failed. Defaults to `false`.
    const IMMEDIATE: bool = false;

    /// The clock of a layer that is built over this store, told once for each such layer. For stores that look at the
    /// time by themselves, as the memory store does to make room; others have nothing to do.
    fn use_clock(&self, clock: &Clock) {
        let _ = clock;
    }

    /// Inserts a record, with the version it has, under a handle that is not in use.
    fn create(
        &self,
        handle: Handle,
        record: &Record,
    ) -> impl Future<Output = Result<Created, Error>> + Send;

    /// The record, if there is one. It may have expired, and it may be a tombstone: the caller looks.
    ///
    /// # Errors
    /// Also if the record cannot be read ([`Error::corrupt`]): a damaged session is not a missing one.
    fn load(&self, handle: Handle) -> impl Future<Output = Result<Option<Record>, Error>> + Send;

    /// Replaces the record if it still has the expected version, with all there is to it: data, user, expiry. The new
    /// version is [`expected.next()`](Version::next), whatever version `record` carries.
    fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> impl Future<Output = Result<Replaced, Error>> + Send;

    /// Moves the end of a session to later, never to earlier, and changes neither data nor version. Answers whether
    /// there is such a record.
    fn touch(
        &self,
        handle: Handle,
        expires_at: SystemTime,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Deletes a session. Answers whether this call ended it: a [tombstone](Record::is_tombstone) stays, and counts
    /// as no session.
    fn delete(&self, handle: Handle) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Moves a session to a new id: `record` appears under `new`, and `tombstone` replaces what `old` holds, if that
    /// still has the expected version. Only if it has, so that of many who try at once one succeeds.
    ///
    /// An engine with transactions does it in one; called again for a commit that it did, it finds the new handle in
    /// use and answers [`Replaced::Conflict`]. This default creates first, so that a crash between the two steps leaves
    /// the old session unchanged, and a copy whose id no client has. Called again for the same commit, it finishes what
    /// the first call began: [`Record::is_same_commit`] tells that a record is its own.
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

    /// Deletes up to `limit` records that expired at `now` or before, and answers how many. A record that is touched
    /// meanwhile survives. A store whose engine forgets by itself has nothing to do.
    fn delete_expired(
        &self,
        now: SystemTime,
        limit: usize,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// All sessions of a user, in no order. Some may have expired; none that lives is missing.
    fn list(&self, user: &str)
    -> impl Future<Output = Result<Vec<(Handle, Record)>, Error>> + Send;

    /// Deletes all sessions of a user, but for one, and answers how many. All: also a session that moves to a new id
    /// while this runs. Where one statement cannot see that, repeat until a look at the user's sessions finds none.
    fn delete_user(
        &self,
        user: &str,
        except: Option<Handle>,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// How many sessions have not expired at `now`, tombstones aside.
    fn count(&self, now: SystemTime) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// What became of a [`create`](SessionStore::create). A [store](SessionStore#example) shows their use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Created {
    /// The record is stored.
    Created,
    /// The handle is in use. Nothing was changed.
    Exists,
}

/// What became of a [`replace`](SessionStore::replace) or a [`regenerate`](SessionStore::regenerate). A
/// [store](SessionStore#example) shows their use.
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

impl<S: SessionStore> SessionStore for Arc<S> {
    const IMMEDIATE: bool = S::IMMEDIATE;

    fn use_clock(&self, clock: &Clock) {
        S::use_clock(self, clock);
    }

    fn create(
        &self,
        handle: Handle,
        record: &Record,
    ) -> impl Future<Output = Result<Created, Error>> + Send {
        S::create(self, handle, record)
    }

    fn load(&self, handle: Handle) -> impl Future<Output = Result<Option<Record>, Error>> + Send {
        S::load(self, handle)
    }

    fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> impl Future<Output = Result<Replaced, Error>> + Send {
        S::replace(self, handle, expected, record)
    }

    fn touch(
        &self,
        handle: Handle,
        expires_at: SystemTime,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        S::touch(self, handle, expires_at)
    }

    fn delete(&self, handle: Handle) -> impl Future<Output = Result<bool, Error>> + Send {
        S::delete(self, handle)
    }

    fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> impl Future<Output = Result<Replaced, Error>> + Send {
        S::regenerate(self, old, expected, tombstone, new, record)
    }

    fn delete_expired(
        &self,
        now: SystemTime,
        limit: usize,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        S::delete_expired(self, now, limit)
    }

    fn list(
        &self,
        user: &str,
    ) -> impl Future<Output = Result<Vec<(Handle, Record)>, Error>> + Send {
        S::list(self, user)
    }

    fn delete_user(
        &self,
        user: &str,
        except: Option<Handle>,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        S::delete_user(self, user, except)
    }

    fn count(&self, now: SystemTime) -> impl Future<Output = Result<u64, Error>> + Send {
        S::count(self, now)
    }
}
