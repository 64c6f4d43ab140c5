//! Sweeping and counting: on one server, on a cluster, and on one node of it.

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use wiz_session::{Error, Handle, Record, RedisStore, SessionStore, Version};

use crate::servers::{self, Cluster, Redis};

const HOUR: Duration = Duration::from_secs(3600);

/// Sessions, of each ten of which some expire within the minute.
async fn fill(store: &RedisStore, tens: u128, expiring: u128) {
    let created = (0..tens * 10).map(async |n| {
        let lives = match n % 10 < expiring {
            true => Duration::from_secs(30),
            false => 2 * HOUR,
        };
        let json = r#"{"v":1,"created_at":1,"deadline":253402300799999,"data":{}}"#;
        let record = Record::from_json(json, Version::FIRST, SystemTime::now() + lives);
        let handle = Handle::from_bytes(n.to_be_bytes());
        store.create(handle, &record.expect("a record")).await
    });
    for created in join_all(created).await {
        created.expect("it is created");
    }
}

fn in_an_hour() -> SystemTime {
    SystemTime::now() + HOUR
}

/// The commands that the server has run, those of scripts too.
fn commands(redis: &Redis) -> usize {
    let info = redis.info("commandstats");
    let line = |line: &str| {
        let (_, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        figures.split_once(',')?.0.parse::<usize>().ok()
    };
    info.lines().filter_map(line).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_in_batches_looks_at_every_session_twice_at_most() {
    for (tens, expiring, batch) in [(500, 6, 10), (500, 10, 10), (500, 1, 1), (1_500, 6, 100)] {
        let redis = Redis::start(&[]);
        let store = redis.store().await;
        fill(&store, tens, expiring).await;
        let before = commands(&redis);
        let (mut swept, mut batches) = (0, 0);
        loop {
            let deleted = store.delete_expired(in_an_hour(), batch).await;
            let deleted = deleted.expect("a sweep");
            (swept, batches) = (swept + deleted, batches + 1);
            if deleted < batch as u64 {
                break;
            }
        }
        assert_eq!(u128::from(swept), tens * expiring);
        let sent = commands(&redis) - before;
        // Two looks at each, three commands to delete one, and what a batch and a page cost.
        let (sessions, swept) = (tens as usize * 10, swept as usize);
        let most = 2 * sessions + 3 * swept + 2 * batches + sessions / 50;
        assert!(
            sent <= most,
            "{sent} commands for {sessions} sessions, at most {most}"
        );
        assert_eq!(
            store.count(SystemTime::now()).await.ok(),
            Some((sessions - swept) as u64)
        );
    }
}

#[tokio::test]
async fn an_answer_below_the_limit_says_that_nothing_is_left() {
    let store = servers::store().await;
    fill(&store, 200, 6).await;
    let sweep = async |limit| {
        store
            .delete_expired(in_an_hour(), limit)
            .await
            .expect("a sweep")
    };
    // It stops half-way, and what it has passed by then expires again.
    assert_eq!(sweep(700).await, 700);
    let left = store
        .delete_expired(SystemTime::now() + 3 * HOUR, 10_000)
        .await;
    assert_eq!(left.ok(), Some(1_300));
    assert_eq!(sweep(10_000).await, 0);
}

#[tokio::test]
async fn dropped_sweeps_come_to_an_end() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    fill(&store, 300, 10).await;
    for n in 0..10_000 {
        let sweep = store.delete_expired(in_an_hour(), 10_000);
        // Dropped as often as not before it is done, at whatever await. On a busy machine no answer may come within some
        // milliseconds, and what is sent again and again holds up the next.
        let patience = Duration::from_micros(fastrand::u64(100..5_000 + 10 * n));
        let answer = tokio::time::timeout(patience, sweep).await;
        if answer.is_ok_and(|swept| swept.expect("a sweep") < 10_000) {
            assert_eq!(store.count(SystemTime::now()).await.ok(), Some(0));
            return;
        }
    }
    panic!("it never comes to its end");
}

#[tokio::test]
async fn clones_and_other_stores_sweep_at_once() {
    let redis = Redis::start(&[]);
    let (store, other) = (redis.store().await, redis.store().await);
    fill(&store, 300, 6).await;
    let sweep = async |store: RedisStore| {
        let mut swept = 0;
        loop {
            let deleted = store
                .delete_expired(in_an_hour(), 50)
                .await
                .expect("a sweep");
            swept += deleted;
            if deleted < 50 {
                return swept;
            }
        }
    };
    let swept = join_all([sweep(store.clone()), sweep(store.clone()), sweep(other)]).await;
    assert_eq!(swept.iter().sum::<u64>(), 1_800, "{swept:?}");
    assert_eq!(store.count(SystemTime::now()).await.ok(), Some(1_200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_swept_and_counted_on_all_nodes() {
    let store = servers::cluster_store().await;
    fill(&store, 200, 6).await;
    let mut swept = Vec::new();
    while swept.last().is_none_or(|deleted| *deleted == 500) {
        swept.push(
            store
                .delete_expired(in_an_hour(), 500)
                .await
                .expect("a sweep"),
        );
    }
    assert_eq!(swept, [500, 500, 200]);
    assert_eq!(store.count(SystemTime::now()).await.ok(), Some(800));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_neither_sweeps_nor_counts_for_itself() {
    let cluster = Cluster::start();
    for node in cluster.nodes() {
        for prefix in ["wiz:", "", "shop:{s}:extra:"] {
            let store = node.store().await.with_prefix(prefix);
            let refused: [Option<Error>; 2] = [
                store.count(SystemTime::now()).await.err(),
                store.delete_expired(in_an_hour(), 10).await.err(),
            ];
            if !prefix.contains('{') {
                for error in refused {
                    let said = error.expect("it is refused").to_string();
                    assert!(said.contains("`RedisStore::connect_cluster`"), "{said}");
                }
            }
        }
    }
}
