//! Servers in this process, on a store with a planted fault: each has to be found, and a store without one has not.
//!
//! The application is the example server's own. What is between it and the sessions fails now and then, before a call
//! was carried out or after it, as a network does.

use std::{
    collections::HashSet,
    future::pending,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::net::TcpListener;
use wiz_session::{
    CookieOptions, Error, Handle, Key, MemoryStore, Record, SessionStore, Version, WizSessionLayer,
    forward_session_store,
    store::{Created, Replaced},
};

use crate::{app, model::Users, run::Plan, shutdown};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
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
}

/// As seen by one process.
#[derive(Clone)]
struct Store {
    sessions: Network,
    fault: Fault,
    gone: Arc<Mutex<HashSet<Handle>>>,
}

/// Sessions that several processes share, and the way to them.
#[derive(Clone, Default)]
struct Network {
    sessions: MemoryStore,
    /// Held while something takes more than one step that is one step of a right store.
    steps: Arc<tokio::sync::Mutex<()>>,
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

impl SessionStore for Store {
    forward_session_store!(
        self => self.sessions.sessions,
        except [create, load, replace, regenerate, touch, delete, list]
    );

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let network = &self.sessions;
        network
            .around(network.sessions.create(handle, record))
            .await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        if self.gone.lock().contains(&handle) {
            return Ok(None);
        }
        let network = &self.sessions;
        let loaded = network.around(network.sessions.load(handle)).await;
        match (self.fault, &loaded) {
            (Fault::BelievesItIsGone, Err(_)) => {
                self.gone.lock().insert(handle);
                Ok(None)
            }
            _ => loaded,
        }
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let network = &self.sessions;
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
        let network = &self.sessions;
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
        let network = &self.sessions;
        network
            .around(network.sessions.touch(handle, expires_at))
            .await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let network = &self.sessions;
        network.around(network.sessions.delete(handle)).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let network = &self.sessions;
        network.around(network.sessions.list(user)).await
    }
}

/// Three of them, each with what it believes.
async fn servers(fault: Fault) -> Vec<String> {
    let network = Network::default();
    let key = Key::generate();
    let mut servers = Vec::new();
    for _ in 0..3 {
        let store = Store {
            sessions: network.clone(),
            fault,
            gone: Arc::default(),
        };
        let layer = WizSessionLayer::builder(store, key.clone())
            .cookie(CookieOptions::insecure("sid"))
            .build();
        let app = app::app(
            Users::with_demo_accounts(),
            layer.expect("it is right"),
            None,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        servers.push(format!("http://{address}"));
        tokio::spawn(shutdown::serve(listener, app, pending()));
    }
    servers
}

/// Each was found within a hundred in all runs so far.
const HISTORIES: u64 = 500;

async fn is_found(fault: Fault) {
    let plan = Plan {
        seed: fastrand::u64(..1 << 32),
        histories: HISTORIES,
        time: Duration::from_secs(120),
    };
    let report = plan.run(servers(fault).await).await;
    report.print(&format!("{fault:?}"));
    let Some(histories) = report.found_after() else {
        panic!("{fault:?} is not found");
    };
    println!("{fault:?}: found by history {histories}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_version_check_is_found() {
    is_found(Fault::NoVersionCheck).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_tombstone_is_found() {
    is_found(Fault::NoTombstone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_try_after_an_unknown_outcome_is_found() {
    is_found(Fault::TriesAgain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_believed_gone_is_found() {
    is_found(Fault::BelievesItIsGone).await;
}

/// What fails is not what is found.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_a_planted_fault_is_clean() {
    let plan = Plan::from_env(100, Duration::from_secs(5));
    let report = plan.run(servers(Fault::None).await).await;
    report.print("without a fault");
    report.assert_is_clean("without a fault");
}
