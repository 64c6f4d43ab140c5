//! A primary that sentinels name: it dies, comes back as a replica, loses its replicas.

use std::time::{Duration, Instant, SystemTime};

use redis::cmd;
use wiz_session::{
    Handle, Record, RedisStore, SessionStore, Version,
    store::{Created, Replaced},
};

use crate::{
    servers::{self, Redis, Sentinels},
    support::{free_port, wait_for},
    watching::{self, Pushes},
};

const PASSWORD: &str = "swordfish";

fn record() -> Record {
    let json = r#"{"v":1,"created_at":1,"deadline":253402300799999,"user":"alice","data":{}}"#;
    let expires_at = SystemTime::now() + Duration::from_secs(3600);
    Record::from_json(json, Version::FIRST, expires_at).expect("a record")
}

fn handle(n: u8) -> Handle {
    Handle::from_bytes([n; 16])
}

/// A primary with a replica, and who watches them.
struct Site {
    primary: Redis,
    replica: Redis,
    sentinels: Sentinels,
}

impl Site {
    fn start() -> Self {
        let locked = ["--requirepass", PASSWORD, "--masterauth", PASSWORD];
        let settings = [&locked[..], &["--repl-diskless-sync-delay", "0"]].concat();
        let primary = Redis::start(&settings);
        let of = format!("127.0.0.1 {}", primary.port());
        let replica = Redis::start(&[&settings[..], &["--replicaof", &of]].concat());
        let sentinels = Sentinels::watch(&primary, PASSWORD);
        Self {
            primary,
            replica,
            sentinels,
        }
    }

    fn url(&self, name: &str) -> String {
        let hosts = self.sentinels.hosts();
        format!("redis+sentinel://:{PASSWORD}@{hosts}/{name}?sentinel=:{PASSWORD}")
    }

    async fn store(&self) -> RedisStore {
        let store = RedisStore::connect(&self.url(Sentinels::NAME)).await;
        store.expect("the primary is there")
    }

    async fn ask<T: redis::FromRedisValue>(server: &Redis, command: &redis::Cmd) -> T {
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/", server.port());
        servers::ask(&url, command).await
    }
}

/// Until a session is created.
async fn until_it_writes(store: &RedisStore, n: u8) -> Duration {
    let start = Instant::now();
    loop {
        match store.create(handle(n), &record()).await {
            Ok(created) => {
                assert_eq!(created, Created::Created);
                return start.elapsed();
            }
            Err(error) => {
                assert!(error.is_store(), "{error}");
                assert!(start.elapsed() < Duration::from_secs(30), "{error:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_go_on_after_a_failover() {
    let site = Site::start();
    let store = site.store().await;
    store.create(handle(1), &record()).await.expect("it is up");
    // On the replica too.
    let replicas: usize = Site::ask(&site.primary, cmd("WAIT").arg(1).arg(5_000)).await;
    assert_eq!(replicas, 1);

    site.primary.signal("KILL");
    let away = until_it_writes(&store, 2).await;
    println!("it wrote {away:?} after its primary was killed");
    let info: String = Site::ask(&site.replica, cmd("INFO").arg("replication")).await;
    assert!(info.contains("role:master"), "{info}");
    let loaded = store.load(handle(1)).await;
    assert!(
        loaded.is_ok_and(|record| record.is_some()),
        "what was replicated"
    );
    let stored = store.replace(handle(1), Version::FIRST, &record()).await;
    assert_eq!(stored.ok(), Some(Replaced::Stored(Version::new(2))));
    assert_eq!(store.list("alice").await.map(|all| all.len()).ok(), Some(2));

    // An application that starts now finds the new one, also with a sentinel that is gone.
    site.sentinels.nodes()[0].signal("KILL");
    let second = site.store().await;
    assert_eq!(second.delete_user("alice", None).await.ok(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_is_told_at_once_also_after_a_failover() {
    let site = Site::start();
    let store = site.store().await;
    watching::run(store.clone(), Pushes::EndsAndChanges).await;
    site.primary.signal("KILL");
    until_it_writes(&store, 1).await;
    watching::run(store, Pushes::EndsAndChanges).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_primary_is_left_and_is_none_when_it_thaws() {
    let site = Site::start();
    let store = site.store().await;
    store.create(handle(1), &record()).await.expect("it is up");
    site.primary.signal("STOP");
    let away = until_it_writes(&store, 2).await;
    println!("it wrote {away:?} after its primary was frozen");
    site.primary.signal("CONT");
    wait_for("the old primary to become a replica", || {
        let client = redis::Client::open(format!(
            "redis://:{PASSWORD}@127.0.0.1:{}/",
            site.primary.port()
        ));
        let mut connection = client.expect("a valid URL").get_connection().ok()?;
        let info: String = cmd("INFO").arg("replication").query(&mut connection).ok()?;
        info.contains("role:slave").then_some(())
    });
    assert!(
        store
            .load(handle(2))
            .await
            .is_ok_and(|record| record.is_some())
    );
    let second = site.store().await;
    assert!(
        second
            .load(handle(2))
            .await
            .is_ok_and(|record| record.is_some())
    );
}

#[tokio::test]
async fn a_primary_without_enough_replicas_refuses_writes_and_reads_on() {
    let site = Site::start();
    let store = site.store().await;
    store.create(handle(1), &record()).await.expect("it is up");
    let mut least = cmd("CONFIG");
    least.arg("SET").arg("min-replicas-to-write").arg(1);
    let _: String = Site::ask(&site.primary, &least).await;
    store
        .create(handle(2), &record())
        .await
        .expect("it has one");

    site.replica.signal("KILL");
    wait_for("the primary to notice", || {
        let client = redis::Client::open(format!(
            "redis://:{PASSWORD}@127.0.0.1:{}/",
            site.primary.port()
        ));
        let mut connection = client.expect("a valid URL").get_connection().ok()?;
        let info: String = cmd("INFO").arg("replication").query(&mut connection).ok()?;
        info.contains("connected_slaves:0").then_some(())
    });
    let error = store
        .create(handle(3), &record())
        .await
        .expect_err("refused");
    assert!(
        error.to_string().contains("min-replicas-to-write"),
        "{error}"
    );
    let error = store.replace(handle(1), Version::FIRST, &record()).await;
    assert!(error.is_err_and(|error| error.is_store()), "a write");
    assert!(
        store
            .load(handle(1))
            .await
            .is_ok_and(|record| record.is_some())
    );
}

#[tokio::test]
async fn a_wrong_address_of_sentinels_says_what_to_do() {
    let site = Site::start();
    let told = async |url: &str| {
        let error = RedisStore::connect(url)
            .await
            .expect_err("it cannot connect");
        assert!(error.is_store() && !format!("{error:?}").contains(PASSWORD));
        error.to_string()
    };
    assert!(
        told(&site.url("other"))
            .await
            .contains("most of the sentinels")
    );
    let nobody = format!("redis+sentinel://127.0.0.1:{}/mymaster", free_port());
    assert!(told(&nobody).await.contains("most of the sentinels"));
    assert!(
        told("redis+sentinel://localhost")
            .await
            .contains("write its address")
    );
    let hosts = site.sentinels.hosts();
    let locked = format!("redis+sentinel://{hosts}/mymaster");
    assert!(told(&locked).await.contains("password"), "the sentinels'");
    let locked = format!("redis+sentinel://{hosts}/mymaster?sentinel=:{PASSWORD}");
    assert!(told(&locked).await.contains("password"), "the primary's");
}
