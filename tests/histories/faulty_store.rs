//! A store that several processes share by a network, with or without a planted fault.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use wiz_session::{
    Error, Handle, MemoryStore, Record, SessionStore, Version, forward_session_store,
    store::{Created, Replaced},
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    None,
    /// `replace` stores whatever the version is.
    NoVersionCheck,
    /// A session that moves leaves nothing under its old id.
    NoTombstone,
    /// A `replace` whose outcome is unknown is retried, on the version that is there then.
    TriesAgain,
    /// A load that fails is answered by what is known of the session, and one that is not known is gone; and so it is
    /// for that process from then on.
    BelievesItIsGone,
    /// A cache that keeps what has ended or moved as no session at all.
    CacheKeepsGone,
    /// A cache that keeps what this process has loaded for as long as the process itself does not find out better.
    CacheNeverAges,
}

/// As seen by one process.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    network: Network,
    fault: Fault,
    /// What a process with a fault has kept: `None` is what is gone.
    kept: Arc<Mutex<HashMap<Handle, Option<Record>>>>,
}

/// Sessions that several processes share, and the way to them.
#[derive(Clone, Default)]
pub(crate) struct Network {
    sessions: MemoryStore,
    /// Held while something takes more than one step that is one step of a right store.
    steps: Arc<tokio::sync::Mutex<()>>,
}

impl FaultyStore {
    pub(crate) fn new(network: Network, fault: Fault) -> Self {
        Self {
            network,
            fault,
            kept: Arc::default(),
        }
    }

    fn keep(&self, handle: Handle, loaded: Option<&Record>) {
        let ended = loaded.is_none_or(Record::is_tombstone);
        let kept = match (self.fault, loaded) {
            (Fault::CacheKeepsGone, _) if ended => None,
            (Fault::CacheNeverAges, Some(record)) if !ended => Some(record.clone()),
            _ => return,
        };
        self.kept.lock().insert(handle, kept);
    }

    fn drop_kept(&self, handle: Handle) {
        self.kept.lock().remove(&handle);
    }
}

impl Network {
    /// There and back. Of a hundred calls two fail before they are carried out and two after it.
    async fn around<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        Self::travel().await;
        let luck = fastrand::u8(..100);
        if luck < 2 {
            return Err(Error::store("the connection was lost"));
        }
        let answer = work.await;
        Self::travel().await;
        match luck {
            2 | 3 => Err(Error::store("the answer was lost")),
            _ => answer,
        }
    }

    async fn travel() {
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..2_000))).await;
    }
}

impl SessionStore for FaultyStore {
    forward_session_store!(
        self => self.network.sessions,
        except [create, load, replace, regenerate, touch, delete, list, delete_user]
    );

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let network = &self.network;
        network
            .around(network.sessions.create(handle, record))
            .await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        if let Some(kept) = self.kept.lock().get(&handle) {
            return Ok(kept.clone());
        }
        let network = &self.network;
        let loaded = network.around(network.sessions.load(handle)).await;
        match (self.fault, loaded) {
            (Fault::BelievesItIsGone, Err(_)) => {
                self.kept.lock().insert(handle, None);
                Ok(None)
            }
            (_, loaded) => {
                let loaded = loaded?;
                self.keep(handle, loaded.as_ref());
                Ok(loaded)
            }
        }
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        // Whatever comes of it, what was kept is old.
        self.drop_kept(handle);
        let network = &self.network;
        let replace = |version| network.around(network.sessions.replace(handle, version, record));
        match self.fault {
            Fault::NoVersionCheck => {
                network
                    .around(async {
                        let _step = network.steps.lock().await;
                        let stored = network.sessions.load(handle).await?;
                        let version = stored.map_or(expected, |stored| stored.version());
                        network.sessions.replace(handle, version, record).await
                    })
                    .await
            }
            Fault::TriesAgain => match replace(expected).await {
                Err(error) => match self.load(handle).await? {
                    Some(newest) => replace(newest.version()).await,
                    None => Err(error),
                },
                answer => answer,
            },
            _ => replace(expected).await,
        }
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.drop_kept(old);
        let network = &self.network;
        let sessions = &network.sessions;
        if self.fault != Fault::NoTombstone {
            let moved = sessions.regenerate(old, expected, tombstone, new, record);
            return network.around(moved).await;
        }
        network
            .around(async {
                let _step = network.steps.lock().await;
                match sessions.load(old).await? {
                    None => Ok(Replaced::Gone),
                    Some(stored) if stored.version() != expected => Ok(Replaced::Conflict),
                    Some(_) => {
                        sessions.create(new, record).await?;
                        sessions.delete(old).await?;
                        Ok(Replaced::Stored(expected.next()))
                    }
                }
            })
            .await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let network = &self.network;
        network
            .around(network.sessions.touch(handle, expires_at))
            .await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.drop_kept(handle);
        let network = &self.network;
        network.around(network.sessions.delete(handle)).await
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let network = &self.network;
        network
            .around(network.sessions.delete_user(user, except))
            .await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let network = &self.network;
        network.around(network.sessions.list(user)).await
    }
}
