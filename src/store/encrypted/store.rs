use std::{collections::HashMap, fmt, slice, sync::Arc};

use ::cookie::Key;

use super::{
    key::StoreKey,
    seal::{open, seal},
};
use crate::{
    error::Error,
    forward_session_store,
    id::Handle,
    record::{Record, Version},
    store::{Created, Cursor, Page, Replaced, SessionStore},
};

/// Encrypts sessions before another store keeps them: a dump of its database shows neither data nor users.
///
/// ```
/// use wiz_session::{Key, MemoryStore, WizSessionLayer, store::EncryptedStore};
///
/// # fn f(cookie_key: Key, store_key: Key, store_key_of_last_year: Key) {
/// let store = EncryptedStore::new(MemoryStore::new(), store_key)
///     .previous_keys([store_key_of_last_year]);
/// let layer = WizSessionLayer::new(store, cookie_key);
/// # }
/// ```
///
/// # What is encrypted
///
/// The data, the user, the label, the aliases: all of a session but its times, its version, the random ids of its last
/// commits, and its handle, which is a hash: of its id, or of an [alias](crate::WizSession::alias), so that a dump confirms
/// an alias that can be guessed. The cipher is XChaCha20-Poly1305 with a random nonce; the handle is
/// authenticated with it, so a record that is copied under another handle is not read. The store's index of users holds an
/// HMAC-SHA256 of the user: so [`list`](SessionStore::list) costs what it did, and a reader of the database sees that two
/// sessions are one user's, and not whose.
///
/// It does not hide how large a session is. Write access to the database is still enough to delete a session, to put an
/// older version of it back, or to keep it from idling out before its absolute end.
///
/// # Keys
///
/// Use another key than the cookie's. A record says which key has encrypted it. One of an unknown key, or one that was
/// altered, is [an error](Error::is_store) and never an empty session.
///
/// A change of keys takes two deployments, so that no process meets a record that it cannot read: the first gives all of
/// them the new key as [`next_key`](Self::next_key), the second makes it the key and the old one a
/// [previous](Self::previous_keys) one. A session is encrypted anew when it is changed next; the old key can go when the
/// absolute timeout has passed, or `remember_limit` where sessions are [remembered](crate::WizSession::remember).
///
/// # Cost
///
/// A few microseconds and no store call. With several keys [`list`](SessionStore::list) and
/// [`delete_user`](SessionStore::delete_user) are called for each of them, twice, and again if sessions come or go meanwhile. A record grows by a third and some 150 bytes.
#[derive(Clone)]
pub struct EncryptedStore<S> {
    store: S,
    keys: Arc<Keys>,
}

#[derive(Debug, Clone)]
struct Keys {
    current: Arc<StoreKey>,
    /// These decrypt too.
    others: Vec<Arc<StoreKey>>,
    is_plain_accepted: bool,
}

/// How often a user's sessions are listed or deleted anew, because one was encrypted with another key meanwhile.
const ROUNDS: u32 = 20;

impl<S: SessionStore> EncryptedStore<S> {
    /// Keeps sessions in this store, encrypted.
    #[allow(clippy::needless_pass_by_value, reason = "as for the layer")]
    pub fn new(store: S, key: Key) -> Self {
        let keys = Keys {
            current: Arc::new(StoreKey::new(&key)),
            others: Vec::new(),
            is_plain_accepted: false,
        };
        Self {
            store,
            keys: Arc::new(keys),
        }
    }

    /// Keys with which sessions were encrypted in the past. Defaults to none.
    #[must_use]
    pub fn previous_keys(self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.with(|settings| {
            let keys = keys.into_iter().map(|key| Arc::new(StoreKey::new(&key)));
            settings.others.splice(0..0, keys);
        })
    }

    /// The key with which sessions will be encrypted after the next deployment. It decrypts already. Defaults to none.
    #[allow(clippy::needless_pass_by_value, reason = "as for the layer")]
    #[must_use]
    pub fn next_key(self, key: Key) -> Self {
        self.with(|settings| settings.others.push(Arc::new(StoreKey::new(&key))))
    }

    /// Also reads sessions that are not encrypted: for the time in which a store with sessions in it comes to be encrypted.
    /// They are encrypted when they are changed next. As long as this is set, write access to the database is enough to
    /// forge a session. Defaults to `false`.
    #[must_use]
    pub fn accept_unencrypted(self, accept: bool) -> Self {
        self.with(|settings| settings.is_plain_accepted = accept)
    }

    fn with(mut self, change: impl FnOnce(&mut Keys)) -> Self {
        change(Arc::make_mut(&mut self.keys));
        self
    }

    fn seal(&self, handle: Handle, record: &Record) -> Record {
        seal(record, handle, &self.keys.current)
    }

    fn open(&self, handle: Handle, record: Record) -> Result<Record, Error> {
        let keys = self.keys.all().map(|key| &**key);
        open(record, handle, keys, self.keys.is_plain_accepted)
    }

    /// The user's sessions under each of these names.
    async fn list_once(
        &self,
        user: &str,
        names: &[String],
    ) -> Result<HashMap<Handle, Record>, Error> {
        let mut found = HashMap::new();
        for name in names {
            for (handle, record) in self.store.list(name).await? {
                found.insert(handle, self.open(handle, record)?);
            }
        }
        found.retain(|_, record| record.user() == Some(user));
        Ok(found)
    }

    /// The names of a user in the index of the store. One alone, unless keys change.
    fn names(&self, user: &str) -> Vec<String> {
        let plain = self.keys.is_plain_accepted.then(|| user.to_owned());
        let hashed = self.keys.all().map(|key| key.hash_of(user));
        plain.into_iter().chain(hashed).collect()
    }
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &Arc<StoreKey>> {
        let current = slice::from_ref(&self.current);
        current.iter().chain(&self.others)
    }
}

impl<S: SessionStore> SessionStore for EncryptedStore<S> {
    const IMMEDIATE: bool = S::IMMEDIATE;

    forward_session_store!(self => self.store, except [
        create, load, replace, regenerate, list, delete_user, scan
    ]);

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.store.create(handle, &self.seal(handle, record)).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let record = self.store.load(handle).await?;
        record.map(|record| self.open(handle, record)).transpose()
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let record = self.seal(handle, record);
        self.store.replace(handle, expected, &record).await
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let (tombstone, record) = (self.seal(old, tombstone), self.seal(new, record));
        self.store
            .regenerate(old, expected, &tombstone, new, &record)
            .await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let names = self.names(user);
        // A session that goes from one name to another between two calls is missed or, under another id, found twice.
        // Two rounds that find the same have seen none.
        let mut before: Option<HashMap<Handle, Record>> = None;
        for _ in 0..ROUNDS {
            let found = self.list_once(user, &names).await?;
            let is_same = |before: HashMap<_, _>| {
                before.len() == found.len()
                    && found.keys().all(|handle| before.contains_key(handle))
            };
            if names.len() == 1 || before.is_some_and(is_same) {
                return Ok(found.into_iter().collect());
            }
            before = Some(found);
        }
        Err(Error::conflict())
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let names = self.names(user);
        let mut deleted = 0;
        for round in 0..ROUNDS {
            let before = deleted;
            for name in &names {
                deleted += self.store.delete_user(name, except).await?;
            }
            // A session that goes from one name to another is missed by the first round at the most.
            if names.len() == 1 || (round > 0 && deleted == before) {
                return Ok(deleted);
            }
        }
        Err(Error::conflict())
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        let mut page = self.store.scan(after, limit).await?;
        for (handle, record) in &mut page.sessions {
            if let Ok(sealed) = record {
                *record = self.open(*handle, sealed.clone());
            }
        }
        Ok(page)
    }
}

impl<S: fmt::Debug> fmt::Debug for EncryptedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedStore")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
