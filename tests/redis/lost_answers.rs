//! Connections that break while a command is in flight, or lead elsewhere.

use std::time::{Duration, SystemTime};

use redis::cmd;
use wiz_session::{
    Error, Handle, Key, Record, RedisStore, SessionStore, Version,
    store::{Created, Replaced},
};

use crate::{proxy::Proxy, servers::Redis};

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

/// Makes the server know all scripts: one that it does not know is sent twice, and does nothing at first.
pub(crate) async fn send_scripts(store: &RedisStore) {
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

struct Site {
    redis: Redis,
    proxy: Proxy,
    store: RedisStore,
}

impl Site {
    async fn start() -> Self {
        let redis = Redis::start(&[]);
        let proxy = Proxy::before(&redis).await;
        let store = proxy.store().await;
        send_scripts(&store).await;
        Self {
            redis,
            proxy,
            store,
        }
    }

    async fn with_session(&self, record: &Record) -> Handle {
        let session = handle();
        let created = self.store.create(session, record).await;
        assert_eq!(created.ok(), Some(Created::Created));
        session
    }

    async fn version(&self, session: Handle) -> Option<u64> {
        let loaded = self.store.load(session).await;
        let loaded = loaded.expect("the server is there");
        loaded.map(|record| record.version().get())
    }

    #[track_caller]
    fn assert_in_doubt<T: std::fmt::Debug>(&self, answer: Result<T, Error>) {
        assert!(self.proxy.has_lost_it());
        let error = answer.expect_err("nobody knows");
        assert!(error.is_store());
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let source = source.expect("it says why");
        assert!(source.contains("may have taken effect"), "{source}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_done_once_and_in_doubt() {
    for data in [data, anonymous] {
        its_write_is_done_once_and_in_doubt(data).await;
    }
}

async fn its_write_is_done_once_and_in_doubt(data: fn(u32) -> Record) {
    let site = Site::start().await;
    let (store, proxy) = (&site.store, &site.proxy);
    let (session, next) = (handle(), handle());

    proxy.lose_answer();
    site.assert_in_doubt(store.create(session, &data(1)).await);
    assert_eq!(site.version(session).await, Some(1));
    let again = store.create(session, &data(1)).await;
    assert_eq!(again.ok(), Some(Created::Exists));

    proxy.lose_answer();
    site.assert_in_doubt(store.replace(session, Version::FIRST, &data(2)).await);
    assert_eq!(site.version(session).await, Some(2));
    let again = store.replace(session, Version::FIRST, &data(2)).await;
    assert_eq!(again.ok(), Some(Replaced::Conflict));

    proxy.lose_answer();
    let late = store.replace(session, Version::FIRST, &data(3)).await;
    site.assert_in_doubt(late);
    let kept = store.load(session).await.ok().flatten().expect("it lives");
    assert_eq!(kept.to_json(), data(2).to_json());

    let (version, stone, moved) = (Version::new(2), tombstone(), data(4));
    proxy.lose_answer();
    let moved = store
        .regenerate(session, version, &stone, next, &moved)
        .await;
    site.assert_in_doubt(moved);
    assert_eq!(site.version(session).await, Some(3));
    assert_eq!(site.version(next).await, Some(1));

    proxy.lose_answer();
    site.assert_in_doubt(store.delete(next).await);
    assert_eq!(site.version(next).await, None);

    proxy.lose_answer();
    let tombstone = store.delete(session).await;
    assert_eq!(tombstone.ok(), Some(false), "a session that has moved");
}

#[tokio::test]
async fn what_can_be_repeated_is_answered_all_the_same() {
    let site = Site::start().await;
    let (store, proxy) = (&site.store, &site.proxy);
    let session = site.with_session(&data(1)).await;

    proxy.lose_answer();
    assert_eq!(site.version(session).await, Some(1));
    proxy.lose_answer();
    let end = SystemTime::now() + Duration::from_secs(120);
    assert_eq!(store.touch(session, end).await.ok(), Some(true));
    proxy.lose_answer();
    assert_eq!(store.list("alice").await.map(|all| all.len()).ok(), Some(1));
    for answers_before in [0, 1] {
        proxy.lose_answer_after(answers_before);
        let count = store.count(SystemTime::now()).await;
        assert_eq!(count.ok(), Some(1));
        assert!(proxy.has_lost_it());
    }

    // The index is read first.
    proxy.lose_answer_after(1);
    let ended = store.delete_user("alice", None).await;
    assert_eq!(ended.ok(), Some(0), "only what this call surely ended");
    assert!(proxy.has_lost_it());
    assert_eq!(site.version(session).await, None, "it has ended");
}

#[tokio::test]
async fn a_command_that_the_server_never_had_is_sent_again() {
    let site = Site::start().await;
    let (store, proxy) = (&site.store, &site.proxy);
    let (session, next) = (handle(), handle());

    proxy.lose_command();
    let created = store.create(session, &data(1)).await;
    assert_eq!(created.ok(), Some(Created::Created));
    proxy.lose_command();
    let replaced = store.replace(session, Version::FIRST, &data(2)).await;
    assert_eq!(replaced.ok(), Some(Replaced::Stored(Version::new(2))));
    proxy.lose_command();
    let (version, stone, moved) = (Version::new(2), tombstone(), data(3));
    let moved = store
        .regenerate(session, version, &stone, next, &moved)
        .await;
    assert_eq!(moved.ok(), Some(Replaced::Stored(Version::FIRST)));
    proxy.lose_command();
    assert_eq!(store.delete(next).await.ok(), Some(true));
    assert!(proxy.has_lost_it());
}

#[tokio::test]
async fn a_connection_that_broke_while_idle_costs_no_write() {
    let site = Site::start().await;
    for n in 0..5 {
        let mut kill = cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal");
        let _: usize = site.redis.ask(&kill).await;
        let session = site.with_session(&data(n)).await;
        let _: usize = site.redis.ask(&kill).await;
        let replaced = site.store.replace(session, Version::FIRST, &data(n)).await;
        assert_eq!(replaced.ok(), Some(Replaced::Stored(Version::new(2))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_stays_in_doubt_on_a_server_that_lost_its_scripts() {
    let site = Site::start().await;
    let session = site.with_session(&data(1)).await;
    let shut = site.proxy.shut().await;
    let store = site.store.clone();
    let write = tokio::spawn(async move { store.replace(session, Version::FIRST, &data(2)).await });
    while !site.proxy.has_lost_it() {
        tokio::task::yield_now().await;
    }
    let _: String = site.redis.ask(cmd("SCRIPT").arg("FLUSH")).await;
    drop(shut);
    site.assert_in_doubt(write.await.expect("it does not panic"));
    assert_eq!(site.version(session).await, Some(2));
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
    proxy.lead_to(&new);
    let created = store.create(handle(), &data(1)).await;
    assert_eq!(created.ok(), Some(Created::Created));
}
