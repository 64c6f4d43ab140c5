// Over 250 lines: the methods of the store contract.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use parking_lot::RwLock;

use super::{
    codec::{Base, Codec, Glance, Read},
    cookies::Cookies,
    head::{Former, Moved},
    ids::Ids,
    map::Map,
};
use crate::{
    error::Error,
    expiry::Expiry,
    forward_session_store,
    id::Handle,
    record::{Record, Version},
    store::{Blob, Blobs, Created, Cursor, Page, Paged, Replaced, SessionStore, in_steps},
    time::{Clock, Timestamp},
};

/// Keeps sessions in Flask-Session's own records, so that a Flask application with Flask-Session 0.8 and this one share each
/// session: the login, the values, the logout.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use wiz_session::{Key, WizSession, WizSessionLayer, flask::FlaskSessionStore};
/// # #[cfg(feature = "redis")]
/// use wiz_session::RedisStore;
///
/// async fn whoami(session: WizSession) -> String {
///     session.user().unwrap_or("nobody".to_owned()) // who logged in here, or at Flask
/// }
///
/// # #[cfg(feature = "redis")]
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let key = Key::generate();
/// let redis = RedisStore::connect("redis://127.0.0.1/").await?; // Flask's SESSION_REDIS
/// let store = FlaskSessionStore::builder(&key).redis(redis)?;
/// let app: Router = Router::new()
///     .route("/whoami", get(whoami))
///     .layer(store.bridge())
///     .layer(WizSessionLayer::new(store, key));
/// # Ok(()) }
/// ```
///
/// With `SESSION_TYPE = "sqlalchemy"` the store is made by `sqlite`, `postgres` or `mysql` of the
/// [builder](super::FlaskSessionStoreBuilder), over the table that Flask-Session has created. The application's own cookie
/// goes on beside Flask's; the [bridge](Self::bridge) keeps the two in step, and a layer over this store needs it.
///
/// # What is shared
///
/// All values, under the same keys. Flask's keys for the user are written from [`user`](crate::WizSession::user), and read
/// into it, by the store alone: a value that some handler sets under such a key, or under `_permanent`, stays here. What
/// this side has to remember is under the key `_wiz`, which Flask keeps and must not change.
///
/// A value that this side does not change keeps the bytes that Flask wrote. JSON has no form for some of what msgpack has:
///
/// | Python | here |
/// |---|---|
/// | `(1, 2)` | `[1,2]`, as in Flask itself |
/// | `b"\x00\x01"` | `{" b":"AAE="}` |
/// | a `datetime` with a zone | `{" ext":[-1,"Z3SFgA=="]}` |
/// | `nan`, `inf`, `-inf` | `{" f":"NaN"}`, `{" f":"Infinity"}`, `{" f":"-Infinity"}` |
/// | `{1: "a"}` | `{"1":"a"}` |
/// | a key of the session itself that is no text | not seen |
///
/// What msgpack has no form for is shown to Flask as a float, if it is a number of more than 64 bits, or as the text of it;
/// here it keeps every digit, until Flask writes another value in its place.
///
/// # What cannot be kept
///
/// Flask reads a session before its handler and writes all of it after, whatever has been written meanwhile. Unless
/// `SESSION_REFRESH_EACH_REQUEST` is false, it writes also what it has only read.
///
/// - A change that is made **here** while a handler of Flask's is at work is lost if Flask writes after it. A change that
///   is made **there** meanwhile is not: this side compares before it writes, and replays what it changed.
/// - A session that ends here while a handler of Flask's is at work is revived if Flask writes after that. So is one whose
///   id changed at a login, under its old id and with what it held before the login.
/// - Of two commits of this side's the version rises. After a write of Flask's that lost one it is an earlier one again.
/// - Flask's write is no message: who waits for [`changed`](crate::WizSession::changed) is told at the next look.
///
/// Without Flask's writes the whole contract of a [`SessionStore`] holds, and the conformance suite passes, no check
/// excepted.
///
/// # Lifetimes
///
/// A record is kept for the [lifetime](super::FlaskSessionStoreBuilder::lifetime) from each write, as by Flask-Session. From
/// the first time that a session is seen here the timeouts of the layer hold for it; a use at Flask counts as one. When they
/// have passed, the session is over here, and the next request that comes here with it ends it at Flask too. Give both sides
/// the same lifetime, or `idle_timeout` logs out who is idle for half an hour.
///
/// # Cost
///
/// A load is one command or statement, a commit or a touch two, a new id five. What concerns many sessions, such as
/// [`list`](SessionStore::list), goes through all of them, as Flask-Session has no index: use it with care. So does
/// [revoking](crate::Sessions::revoke) a session that began at Flask and that this process has not seen.
#[derive(Clone)]
pub struct FlaskSessionStore {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) codec: Codec,
    pub(super) ids: Ids,
    /// `SESSION_KEY_PREFIX`.
    pub(super) prefix: Box<str>,
    pub(super) cookies: Cookies,
    /// Of looks at all records one goes on at a time.
    pub(super) scans: tokio::sync::Mutex<()>,
    pub(super) clock: RwLock<Clock>,
    /// Of the layer, once a request has come through it.
    pub(super) expiry: OnceLock<Expiry>,
}

/// How many records one page has.
const PAGE: usize = 100;

impl FlaskSessionStore {
    pub(super) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(super) fn ids(&self) -> &Ids {
        &self.inner.ids
    }

    pub(super) fn cookies(&self) -> &Cookies {
        &self.inner.cookies
    }

    pub(super) fn use_expiry(&self, expiry: &Expiry) {
        self.inner.expiry.get_or_init(|| expiry.clone());
    }

    /// The session with this handle, if it came from this id a moment ago.
    pub(super) async fn has_left(&self, id: &str, handle: Handle) -> Result<bool, Error> {
        let now = self.now();
        let read = self.read(handle).await?;
        Ok(read.is_some_and(|read| {
            let is_live = !read.record.is_tombstone() && read.record.expires() > now;
            is_live && read.former.is_some_and(|former| former.is(id, now))
        }))
    }

    /// Removes what has expired here and not at Flask.
    pub(super) async fn end_expired(&self, handle: Handle) -> Result<(), Error> {
        if let Some(read) = self.read(handle).await?
            && read.record.expires() <= self.now()
        {
            let key = self.key(handle);
            // If it is not as it was, it may be alive again.
            self.inner.blobs.remove(&key, &read.bytes).await?;
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.read().timestamp()
    }

    fn key(&self, handle: Handle) -> String {
        [&*self.inner.prefix, &self.ids().of(handle)].concat()
    }

    fn handle(&self, key: &str) -> Handle {
        let id = key.strip_prefix(&*self.inner.prefix);
        self.ids().handle(id.unwrap_or(key))
    }

    fn decode(&self, blob: Blob) -> Result<Read, Error> {
        let default = Expiry::default();
        let expiry = self.inner.expiry.get().unwrap_or(&default);
        self.inner.codec.read(blob, self.now(), expiry)
    }

    async fn read(&self, handle: Handle) -> Result<Option<Read>, Error> {
        let blob = self.inner.blobs.get(&self.key(handle)).await?;
        blob.map(|blob| self.decode(blob)).transpose()
    }

    async fn insert(
        &self,
        handle: Handle,
        record: &Record,
        base: Base<'_>,
    ) -> Result<Created, Error> {
        let end = self.inner.codec.end(record, engine_time());
        let bytes = self.inner.codec.write(record, record.version(), end, base);
        match self
            .inner
            .blobs
            .insert(&self.key(handle), &bytes, end)
            .await?
        {
            true => Ok(Created::Created),
            false => Ok(Created::Exists),
        }
    }

    /// Whether the record was still as it had been read.
    async fn swap(
        &self,
        handle: Handle,
        read: &Read,
        record: &Record,
        version: Version,
        moved: Option<&Moved>,
    ) -> Result<bool, Error> {
        let end = self.inner.codec.end(record, engine_time());
        let base = Base {
            map: Some(&read.map),
            former: read.former.as_ref(),
            moved: read.moved.as_ref().or(moved),
        };
        let bytes = self.inner.codec.write(record, version, end, base);
        self.inner
            .blobs
            .swap(&self.key(handle), &read.bytes, &bytes, end)
            .await
    }

    async fn put(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
        moved: Option<&Moved>,
    ) -> Result<Replaced, Error> {
        let next = expected.next();
        while let Some(read) = self.read(handle).await? {
            if read.record.version() != expected {
                return Ok(Replaced::Conflict);
            }
            if self.swap(handle, &read, record, next, moved).await? {
                return Ok(Replaced::Stored(next));
            }
        }
        Ok(Replaced::Gone)
    }

    /// The key of a session that began at Flask and was not seen by this process.
    async fn find(&self, handle: Handle) -> Result<Option<String>, Error> {
        let _one = self.inner.scans.lock().await;
        let mut after = None;
        loop {
            let page = self
                .inner
                .blobs
                .keys(&self.inner.prefix, after.as_deref(), PAGE * 10);
            let page = page.await?;
            let mut keys = page.items.into_iter();
            if let Some(key) = keys.find(|key| self.handle(key) == handle) {
                return Ok(Some(key));
            }
            after = page.next;
            if after.is_none() {
                return Ok(None);
            }
        }
    }

    async fn page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Paged<(String, Blob)>, Error> {
        self.inner
            .blobs
            .page(&self.inner.prefix, after, limit)
            .await
    }

    /// Goes through all records.
    async fn each(&self, mut visit: impl FnMut(String, Blob) + Send) -> Result<(), Error> {
        let _one = self.inner.scans.lock().await;
        let mut after = None;
        loop {
            let page = self.page(after.as_deref(), PAGE).await?;
            for (key, blob) in page.items {
                visit(key, blob);
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Where the sessions of a user are, as one look at all records shows it. One that moved while the look lasted may have
    /// been missed under its new id: then its old one says where it went.
    async fn look_for(&self, user: &str) -> Result<Found, Error> {
        let mut found = Found::default();
        self.each(|key, blob| match self.inner.codec.glance(&blob) {
            Ok(Glance { moved, .. }) if moved.is_some() => {
                let own = moved.filter(|moved| moved.user.as_deref() == Some(user));
                found.handles.extend(own.map(|moved| moved.to));
            }
            Ok(glance) if glance.user.as_deref() == Some(user) => {
                found.handles.push(self.note(&key));
            }
            Ok(_) => {}
            Err(error) => found.unread = Some(error),
        })
        .await?;
        Ok(found)
    }

    /// From now on its handle leads to it.
    fn note(&self, key: &str) -> Handle {
        let id = key.strip_prefix(&*self.inner.prefix);
        self.ids().note(id.unwrap_or(key))
    }

    /// Ends a session if it is this user's.
    async fn end(&self, handle: Handle, user: &str) -> Result<End, Error> {
        while let Some(read) = self.read(handle).await? {
            if read.has_gone_with(user) {
                return Ok(read
                    .moved
                    .map_or(End::NotTheirs, |moved| End::Moved(moved.to)));
            }
            if read.record.is_tombstone() || read.record.user() != Some(user) {
                return Ok(End::NotTheirs);
            }
            let key = self.key(handle);
            if self.inner.blobs.remove(&key, &read.bytes).await? {
                return Ok(End::Ended);
            }
        }
        Ok(End::NotTheirs)
    }
}

/// The sessions of a user.
#[derive(Default)]
struct Found {
    handles: Vec<Handle>,
    /// Why there may be more.
    unread: Option<Error>,
}

/// What became of a session that was to end.
enum End {
    Ended,
    /// It has another id now.
    Moved(Handle),
    NotTheirs,
}

impl Read {
    /// Whether it is the tombstone of a session that was this user's.
    fn has_gone_with(&self, user: &str) -> bool {
        let moved = self.moved.as_ref().filter(|_| self.record.is_tombstone());
        moved.is_some_and(|moved| moved.user.as_deref() == Some(user))
    }
}

/// The engine ends records by its own clock, not by one that a test moves.
fn engine_time() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

impl SessionStore for FlaskSessionStore {
    fn use_clock(&self, clock: &Clock) {
        *self.inner.clock.write() = clock.clone();
    }

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.insert(handle, record, Base::default()).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        Ok(self.read(handle).await?.map(|read| read.record))
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.put(handle, expected, record, None).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        while let Some(read) = self.read(handle).await? {
            if read.record.is_tombstone() {
                return Ok(false);
            }
            if read.record.expires_at() >= expires_at {
                return Ok(true);
            }
            let touched = read.record.clone().with_expires_at(expires_at);
            if self
                .swap(handle, &read, &touched, touched.version(), None)
                .await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        if self.inner.blobs.get(&self.key(handle)).await?.is_none() {
            match self.find(handle).await? {
                Some(key) => drop(self.note(&key)),
                None => return Ok(false),
            }
        }
        let key = self.key(handle);
        while let Some(blob) = self.inner.blobs.get(&key).await? {
            let bytes = blob.bytes.clone();
            // What cannot be read can be ended.
            if self
                .decode(blob)
                .is_ok_and(|read| read.record.is_tombstone())
            {
                return Ok(false);
            }
            if self.inner.blobs.remove(&key, &bytes).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let Some(read) = self.read(old).await? else {
            return Ok(Replaced::Gone);
        };
        if read.record.version() != expected {
            // It may be ours: the steps tell.
            return in_steps(self, old, expected, tombstone, new, record).await;
        }
        let former = Former::new(&self.ids().of(old), self.now());
        // Of another user nothing is kept, whatever it is.
        let is_anothers = read.record.user().is_some() && read.record.user() != record.user();
        let moving = Moving {
            store: self.clone(),
            map: (!is_anothers).then_some(read.map),
            former,
            moved: Moved {
                to: new,
                user: record.user().map(Into::into),
            },
        };
        in_steps(&moving, old, expected, tombstone, new, record).await
    }

    /// Goes through all records. Engines end them by themselves, later.
    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        let (now, mut deleted, mut after) = (Timestamp::from(now), 0, None);
        loop {
            let page = self.page(after.as_deref(), PAGE).await?;
            for (key, blob) in page.items {
                if deleted == limit as u64 {
                    return Ok(deleted);
                }
                let bytes = blob.bytes.clone();
                // What cannot be read is left to the engine.
                let is_expired = self
                    .decode(blob)
                    .is_ok_and(|read| read.record.expires() <= now);
                if is_expired && self.inner.blobs.remove(&key, &bytes).await? {
                    deleted += 1;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(deleted);
            }
        }
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let Found {
            mut handles,
            unread,
        } = self.look_for(user).await?;
        if let Some(error) = unread {
            return Err(error);
        }
        let (mut seen, mut listed) = (HashSet::new(), Vec::new());
        while let Some(handle) = handles.pop() {
            if !seen.insert(handle) {
                continue;
            }
            match self.read(handle).await? {
                Some(read) if read.has_gone_with(user) => {
                    handles.extend(read.moved.map(|moved| moved.to));
                }
                Some(Read { record, .. })
                    if !record.is_tombstone() && record.user() == Some(user) =>
                {
                    listed.push((handle, record));
                }
                _ => {}
            }
        }
        Ok(listed)
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let Found {
            mut handles,
            unread,
        } = self.look_for(user).await?;
        let mut deleted = 0;
        while let Some(handle) = handles.pop() {
            if Some(handle) == except {
                continue;
            }
            match self.end(handle, user).await? {
                End::Ended => deleted += 1,
                End::Moved(to) => handles.push(to),
                End::NotTheirs => {}
            }
        }
        // All that could be found has ended.
        unread.map_or(Ok(deleted), Err)
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        let (now, mut live) = (Timestamp::from(now), HashSet::new());
        self.each(|key, blob| {
            let lives = |read: &Read| !read.record.is_tombstone() && read.record.expires() > now;
            if self.decode(blob).as_ref().is_ok_and(lives) {
                live.insert(key);
            }
        })
        .await?;
        Ok(live.len() as u64)
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        let page = self.page(after.map(Cursor::as_str), limit).await?;
        let session = |(key, blob): (String, _)| {
            let read = self.decode(blob);
            (self.handle(&key), read.map(|read| read.record))
        };
        Ok(Page {
            sessions: page.items.into_iter().map(session).collect(),
            next: page.next.map(Cursor::new),
        })
    }
}

/// The store while a session moves: the new record is made on the old one.
struct Moving {
    store: FlaskSessionStore,
    map: Option<Map>,
    former: Former,
    moved: Moved,
}

impl SessionStore for Moving {
    forward_session_store!(self => self.store, except [create, replace]);

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let base = Base {
            map: self.map.as_ref(),
            former: Some(&self.former),
            moved: None,
        };
        self.store.insert(handle, record, base).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let moved = Some(&self.moved);
        self.store.put(handle, expected, record, moved).await
    }
}

impl fmt::Debug for FlaskSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskSessionStore")
            .field("prefix", &self.inner.prefix)
            .finish_non_exhaustive()
    }
}
