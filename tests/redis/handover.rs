//! Who answers a read while another server takes a primary's place.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use redis::cmd;
use wiz_session::{Handle, Record, RedisStore, SessionStore, Version, store::Replaced};

use crate::{
    proxy::Proxy,
    servers::{self, Redis},
    support::{free_port, wait_for},
};

const SESSION: Handle = Handle::from_bytes([7; 16]);

fn record(n: u32) -> Record {
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,"user":"alice","data":{{"n":{n}}}}}"#
    );
    let end = SystemTime::now() + Duration::from_secs(60);
    Record::from_json(&json, Version::FIRST, end).expect("a record")
}

async fn with_session(redis: &Redis) {
    let store = redis.store().await;
    store.create(SESSION, &record(1)).await.expect("it is new");
}

async fn version(store: &RedisStore) -> Option<u64> {
    let loaded = store.load(SESSION).await.expect("an answer");
    loaded.map(|record| record.version().get())
}

#[tokio::test]
async fn a_primary_that_became_a_replica_answers_no_read() {
    let (old, new) = (Redis::start(&[]), Redis::start(&[]));
    let proxy = Proxy::before(&old).await;
    let store = proxy.store().await;
    for redis in [&old, &new] {
        with_session(redis).await;
    }
    let (store_there, newer) = (new.store().await, record(2));
    let replaced = store_there.replace(SESSION, Version::FIRST, &newer).await;
    assert_eq!(replaced.ok(), Some(Replaced::Stored(Version::new(2))));
    assert_eq!(version(&store).await, Some(1));
    // Of a primary that is not there, so it keeps what it has.
    let mut demote = cmd("REPLICAOF");
    old.ask::<String>(demote.arg("127.0.0.1").arg(free_port()))
        .await;
    for error in [
        store.load(SESSION).await.expect_err("a replica"),
        store.list("nobody").await.expect_err("a replica"),
    ] {
        assert!(error.is_store(), "{error}");
        assert!(
            error.to_string().contains("connect to the primary"),
            "{error}"
        );
    }
    proxy.lead_to(&new);
    assert_eq!(version(&store).await, Some(2));
}

/// Until it is known which of the two is the primary: what a failover of a cluster, and `FAILOVER`, do to writes.
#[tokio::test]
async fn a_primary_that_hands_over_its_place_holds_reads_back() {
    let redis = Redis::start(&[]);
    with_session(&redis).await;
    let store = redis.store().await;
    let pause = async || {
        let mut pause = cmd("CLIENT");
        redis
            .ask::<()>(pause.arg("PAUSE").arg(60_000).arg("WRITE"))
            .await;
    };
    pause().await;
    let loaded = held_back(&redis, store.load(SESSION)).await;
    assert!(loaded.expect("an answer").is_some());
    pause().await;
    let listed = held_back(&redis, store.list("alice")).await;
    assert_eq!(listed.expect("an answer").len(), 1);
}

async fn held_back<T>(redis: &Redis, read: impl Future<Output = T>) -> T {
    let mut read = std::pin::pin!(read);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut read);
    assert!(early.await.is_err(), "it was answered in the pause");
    redis.ask::<()>(cmd("CLIENT").arg("UNPAUSE")).await;
    read.await
}

#[tokio::test]
async fn a_primary_that_cannot_save_answers_reads() {
    let folder = servers::data();
    let path = folder
        .path()
        .to_str()
        .expect("a name of the machine's")
        .to_owned();
    let redis = Redis::start(&["--save", "3600 1", "--dir", &path]);
    with_session(&redis).await;
    let store = redis.store().await;
    drop(folder);
    redis.ask::<()>(&cmd("BGSAVE")).await;
    wait_for("a save that fails", || {
        let info = redis.info("persistence");
        info.contains("rdb_last_bgsave_status:err").then_some(())
    });
    let refused = store.replace(SESSION, Version::FIRST, &record(2)).await;
    let refused = refused.expect_err("it takes no write").to_string();
    assert!(refused.contains("make room on its disk"), "{refused}");
    assert_eq!(version(&store).await, Some(1));
    let nowhere = store.load(Handle::from_bytes([8; 16])).await;
    assert!(nowhere.expect("an answer").is_none());
}
