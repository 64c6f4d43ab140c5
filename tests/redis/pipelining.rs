//! Concurrent commands are pipelined over one connection.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};
use wiz_session::{Handle, Record, RedisStore, SessionStore, Version};

use crate::{proxy::Proxy, servers::Redis};

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts")
}

fn store(redis: &Redis) -> RedisStore {
    RedisStore::from_client(redis::Client::open(redis.url()).expect("a valid URL"))
}

/// How often the server has read from its connections.
fn reads(redis: &Redis) -> usize {
    let info = redis.info("stats");
    let line = |line: &str| line.strip_prefix("total_reads_processed:")?.parse().ok();
    info.lines().find_map(line).expect("it counts them")
}

#[tokio::test]
async fn concurrent_commands_are_pipelined() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let before = reads(&redis);
    let loads = (0..100).map(|n| store.load(Handle::from_bytes([n; 16])));
    for loaded in join_all(loads).await {
        assert!(matches!(loaded, Ok(None)));
    }
    let read = reads(&redis) - before;
    assert!(read < 10, "100 commands were read in {read} pieces");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_value_on_its_way_holds_no_small_one_up() {
    let redis = Redis::start(&[]);
    let (proxy, writer) = (Proxy::before(&redis).await, redis.store().await);
    let (small, large) = (Handle::from_bytes([1; 16]), Handle::from_bytes([2; 16]));
    for (handle, bytes) in [(small, 10), (large, 1 << 20)] {
        let value = "x".repeat(bytes);
        let json = format!(
            r#"{{"v":1,"created_at":1,"deadline":253402300799999,"data":{{"value":"{value}"}}}}"#
        );
        let end = SystemTime::now() + Duration::from_secs(3600);
        let record = Record::from_json(&json, Version::FIRST, end).expect("a record");
        writer.create(handle, &record).await.expect("it is created");
    }
    let store = proxy.store().await;
    // It is known to be large from the first time that it is read or written here.
    assert!(matches!(store.load(large).await, Ok(Some(_))));
    assert!(matches!(store.load(small).await, Ok(Some(_))));

    proxy.stall_after(256 << 10);
    let reading = tokio::spawn({
        let store = store.clone();
        async move { store.load(large).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..10 {
        let loaded = tokio::time::timeout(Duration::from_millis(500), store.load(small)).await;
        assert!(
            matches!(loaded, Ok(Ok(Some(_)))),
            "it does not wait for the large one"
        );
    }
    assert!(!reading.is_finished());
    assert!(
        reading.await.expect("it does not panic").is_err(),
        "it never arrives"
    );
}

#[tokio::test]
async fn an_error_goes_to_the_caller_whose_command_failed() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let name = format!("wiz:s:{}", Handle::from_bytes([7; 16]));
    let mut set = redis::cmd("HSET");
    redis
        .ask::<usize>(set.arg(name).arg("version").arg(1))
        .await;
    let loads = (0..20).map(|n| store.load(Handle::from_bytes([n; 16])));
    for (n, loaded) in join_all(loads).await.into_iter().enumerate() {
        assert_eq!(loaded.is_err(), n == 7, "{n}");
    }
}

/// Begins to load, and gives up before anything left.
async fn begin(store: &RedisStore) {
    let mut load = pin!(store.load(Handle::from_bytes([1; 16])));
    poll_fn(|context| {
        assert!(load.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn a_runtime_that_ended_leaves_no_caller_waiting() {
    let redis = Redis::start(&[]);
    let store = store(&redis);
    let load = async || store.load(Handle::from_bytes([2; 16])).await;
    let ended = runtime();
    assert!(matches!(ended.block_on(load()), Ok(None)));
    ended.block_on(begin(&store));
    drop(ended);
    let answer =
        runtime().block_on(async { tokio::time::timeout(Duration::from_secs(1), load()).await });
    assert!(matches!(answer, Ok(Ok(None))), "on a new connection");
}

#[test]
fn a_stalled_runtime_delays_one_call_only() {
    let redis = Redis::start(&[]);
    let store = store(&redis);
    let load = async || store.load(Handle::from_bytes([2; 16])).await;
    let still = runtime();
    assert!(matches!(still.block_on(load()), Ok(None)));
    still.block_on(begin(&store));
    let other = runtime();
    assert!(other.block_on(load()).is_err_and(|error| error.is_store()));
    assert!(matches!(other.block_on(load()), Ok(None)));
    drop(still);
}
