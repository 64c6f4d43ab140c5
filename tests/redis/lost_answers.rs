//! Connections that break after the server did what it was told and before it could say so, or lead elsewhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::{Duration, SystemTime},
};

use redis::cmd;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::{Mutex, OwnedMutexGuard},
};
use wiz_session::{
    Handle, Key, Record, RedisStore, SessionStore, Version,
    store::{Created, Replaced},
};

use crate::servers::Redis;

/// Stands between the store and the server.
struct Proxy {
    port: u16,
    /// Where new connections lead.
    server: Arc<AtomicU16>,
    swallows: Arc<AtomicBool>,
    /// Held while nobody may connect.
    door: Arc<Mutex<()>>,
}

impl Proxy {
    async fn before(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Self {
            port: listener.local_addr().expect("its address").port(),
            server: Arc::new(redis.port().into()),
            swallows: Arc::default(),
            door: Arc::default(),
        };
        let (server, door) = (proxy.server.clone(), proxy.door.clone());
        let swallows = proxy.swallows.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                drop(door.lock().await);
                let server = TcpStream::connect(("127.0.0.1", server.load(Ordering::SeqCst))).await;
                let server = server.expect("the server is there");
                tokio::spawn(Self::connect(client, server, swallows.clone()));
            }
        });
        proxy
    }

    async fn connect(client: TcpStream, server: TcpStream, swallows: Arc<AtomicBool>) {
        let (mut questions, mut to_client) = client.into_split();
        let (mut answers, mut to_server) = server.into_split();
        let forward = async { drop(copy(&mut questions, &mut to_server).await) };
        let answer = async {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = answers.read(&mut buffer).await {
                let swallow = swallows.swap(false, Ordering::SeqCst);
                if swallow || to_client.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! { () = forward => {}, () = answer => {} }
    }

    /// Instead of the next answer the connection ends.
    fn swallow_one(&self) {
        self.swallows.store(true, Ordering::SeqCst);
    }

    fn has_swallowed(&self) -> bool {
        !self.swallows.load(Ordering::SeqCst)
    }

    /// And nobody gets another connection until this is dropped.
    async fn shut(&self) -> OwnedMutexGuard<()> {
        self.swallow_one();
        self.door.clone().lock_owned().await
    }

    async fn store(&self) -> RedisStore {
        let store = RedisStore::connect(&format!("redis://127.0.0.1:{}/", self.port)).await;
        store.expect("the server is there")
    }
}

fn record(json: &str) -> Record {
    let end = SystemTime::now() + Duration::from_secs(60);
    let record = Record::from_json(json, Version::FIRST, end);
    record.expect("a record of the first format")
}

fn data(n: u32) -> Record {
    record(&format!(
        r#"{{"v":1,"created_at":1700000000000,"deadline":1700043200000,"user":"alice","data":{{"n":{n}}}}}"#
    ))
}

/// What a write replaces without a look at the user's index.
fn anonymous(n: u32) -> Record {
    record(&format!(
        r#"{{"v":1,"created_at":1700000000000,"deadline":1700043200000,"data":{{"n":{n}}}}}"#
    ))
}

fn tombstone() -> Record {
    record(r#"{"v":1,"created_at":1000,"deadline":31000,"tombstone":true,"data":{}}"#)
}

fn handle() -> Handle {
    let key = Key::generate();
    Handle::from_bytes(*key.signing().first_chunk().expect("it is longer"))
}

/// Makes the server know all scripts, for one that it does not know is asked for twice and does nothing at first.
async fn send_scripts(store: &RedisStore) {
    let (old, new, later) = (handle(), handle(), SystemTime::now());
    let made = async {
        store.create(old, &data(1)).await?;
        store.replace(old, Version::FIRST, &data(1)).await?;
        store.touch(old, later).await?;
        let version = Version::new(2);
        let (stone, moved) = (tombstone(), data(1));
        store.regenerate(old, version, &stone, new, &moved).await?;
        store.delete(new).await
    };
    made.await.expect("the server is there");
}

#[tokio::test]
async fn nothing_is_done_twice() {
    for data in [data, anonymous] {
        nothing_of_this_is_done_twice(data).await;
    }
}

async fn nothing_of_this_is_done_twice(data: fn(u32) -> Record) {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(&redis).await;
    let store = proxy.store().await;
    send_scripts(&store).await;
    let (session, next) = (handle(), handle());

    proxy.swallow_one();
    let created = store.create(session, &data(1)).await;
    assert_eq!(created.ok(), Some(Created::Created));
    assert!(proxy.has_swallowed());
    let again = store.create(session, &data(1)).await;
    assert_eq!(again.ok(), Some(Created::Exists), "by another call");

    for n in 1..20 {
        let (version, next) = (Version::new(n), Version::new(n + 1));
        proxy.swallow_one();
        let replaced = store.replace(session, version, &data(2)).await;
        assert_eq!(replaced.ok(), Some(Replaced::Stored(next)), "replace");
    }
    proxy.swallow_one();
    let late = store.replace(session, Version::new(7), &data(3)).await;
    assert_eq!(late.ok(), Some(Replaced::Conflict));

    proxy.swallow_one();
    let end = SystemTime::now() + Duration::from_secs(120);
    assert_eq!(store.touch(session, end).await.ok(), Some(true));
    let kept = store.load(session).await.ok().flatten().expect("it lives");
    assert_eq!(
        (kept.version(), kept.to_json()),
        (Version::new(20), data(2).to_json())
    );

    let (version, stone, moved) = (Version::new(20), tombstone(), data(4));
    proxy.swallow_one();
    let moved = store
        .regenerate(session, version, &stone, next, &moved)
        .await;
    assert_eq!(moved.ok(), Some(Replaced::Stored(Version::FIRST)));

    proxy.swallow_one();
    let ended = store.delete(next).await;
    assert_eq!(ended.ok(), Some(false), "nothing tells who ended it");
    assert!(matches!(store.load(next).await, Ok(None)), "it has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_recognised_under_later_ones() {
    for data in [data, anonymous] {
        one_is_recognised_under_later_ones(data).await;
    }
}

async fn one_is_recognised_under_later_ones(data: fn(u32) -> Record) {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(&redis).await;
    let (store, other) = (proxy.store().await, redis.store().await);
    send_scripts(&store).await;
    let session = handle();
    let created = store.create(session, &data(1)).await;
    created.expect("the server is there");

    let shut = proxy.shut().await;
    let write = tokio::spawn(async move {
        let data = data(3);
        store.replace(session, Version::FIRST, &data).await
    });
    while !proxy.has_swallowed() {
        tokio::task::yield_now().await;
    }
    for n in 2..9 {
        let later = other.replace(session, Version::new(n), &data(4)).await;
        assert_eq!(later.ok(), Some(Replaced::Stored(Version::new(n + 1))));
    }
    drop(shut);
    let written = write.await.expect("it does not panic");
    assert_eq!(
        written.ok(),
        Some(Replaced::Stored(Version::new(2))),
        "else it would be done again, on top of itself"
    );
}

#[tokio::test]
async fn a_primary_that_became_a_replica_is_left() {
    let (old, new) = (Redis::start(&[]), Redis::start(&[]));
    let proxy = Proxy::before(&old).await;
    let store = proxy.store().await;
    send_scripts(&store).await;
    let mut demote = cmd("REPLICAOF");
    demote.arg("127.0.0.1").arg(new.port());
    old.ask::<String>(&demote).await;
    proxy.server.store(new.port(), Ordering::SeqCst);
    let created = store.create(handle(), &data(1)).await;
    assert_eq!(created.ok(), Some(Created::Created));
}
