//! How long a sweep takes, and how long a small read then takes beside it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::task::JoinSet;
use wiz_session::{RedisStore, SessionStore};

use super::{handle, record, runtime, server, store};
use crate::{stats::percentile, table::Table};

/// Live and expired sessions.
const FILLED: [(usize, usize); 3] = [(0, 25_000), (0, 100_000), (200_000, 100_000)];
const BATCH: usize = 1_000;
const HOUR: Duration = Duration::from_secs(3600);

pub fn measure() {
    let mut table = Table::new([
        "live",
        "expired",
        "sweep, s",
        "read alone, µs: median",
        "p99",
        "beside it: median",
        "p99",
    ]);
    for (live, expired) in FILLED {
        eprintln!("redis: sweep {expired} beside {live}");
        table.row(runtime().block_on(one(live, expired)));
    }
    table.print("Sweeping Redis");
    println!(
        "\nIn batches of {BATCH}, by `delete_expired`. The reads are one after the other, over a connection of their own."
    );
}

async fn one(live: usize, expired: usize) -> Vec<String> {
    let server = server();
    let sweeping = store(&server).await;
    fill(&sweeping, 0, live, HOUR).await;
    fill(&sweeping, live, expired, Duration::from_secs(1)).await;
    let reading = store(&server).await;
    reading
        .create(handle(99_999_999), &record(300, HOUR))
        .await
        .expect("it is created");
    let alone = reads(&reading, Arc::new(AtomicBool::new(false)), 3_000).await;

    let is_over = Arc::new(AtomicBool::new(false));
    let beside = tokio::spawn(reads(reading, Arc::clone(&is_over), usize::MAX));
    let (start, until) = (Instant::now(), SystemTime::now() + Duration::from_secs(60));
    let mut swept = 0;
    loop {
        let batch = sweeping
            .delete_expired(until, BATCH)
            .await
            .expect("it sweeps");
        swept += batch;
        if batch < BATCH as u64 {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(swept, expired as u64);
    is_over.store(true, Relaxed);
    let beside = beside.await.expect("the reads go on");
    let figures = [alone, beside].into_iter().flat_map(|mut micros| {
        [50, 99].map(|percent| format!("{:.0}", percentile(&mut micros, percent)))
    });
    let counts = [
        live.to_string(),
        expired.to_string(),
        format!("{seconds:.2}"),
    ];
    counts.into_iter().chain(figures).collect()
}

/// How many microseconds each took.
async fn reads(
    store: impl std::borrow::Borrow<RedisStore> + Send,
    is_over: Arc<AtomicBool>,
    most: usize,
) -> Vec<f64> {
    let mut micros = Vec::new();
    while micros.len() < most && !is_over.load(Relaxed) {
        let start = Instant::now();
        let loaded = store.borrow().load(handle(99_999_999)).await;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        assert!(loaded.is_ok_and(|record| record.is_some()));
    }
    micros
}

async fn fill(store: &RedisStore, first: usize, count: usize, lives: Duration) {
    let next = Arc::new(AtomicUsize::new(first));
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (store, next, record) = (store.clone(), Arc::clone(&next), record(100, lives));
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= first + count {
                    break;
                }
                store
                    .create(handle(n), &record)
                    .await
                    .expect("it is created");
            }
        });
    }
    tasks.join_all().await;
}
