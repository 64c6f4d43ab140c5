//! How long small reads take alone, and beside readers of large sessions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use wiz_session::{RedisStore, SessionStore};

use super::{handle, record, runtime, server, store};
use crate::{stats::percentile, table::Table};

const LARGE: usize = 1 << 20;
const READERS: usize = 4;
const READS: usize = 4_000;
const ROUNDS: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);

pub fn measure() {
    let mut table = Table::new([
        "pause of a large reader",
        "alone, µs: median",
        "p99",
        "beside: median",
        "p99",
        "p99 beside / alone",
        "large reads a second",
    ]);
    for pause in [0, 10, 50].map(Duration::from_millis) {
        eprintln!("redis: large sessions, pauses of {pause:?}");
        table.row(runtime().block_on(one(pause)));
    }
    table.print("Small reads from Redis beside large ones");
    println!(
        "\nOne small session at a time, {READS} reads; {READERS} readers of sessions of 1 MB, over the same store. \
         Medians of {ROUNDS} rounds."
    );
}

async fn one(pause: Duration) -> Vec<String> {
    let server = server();
    let store = store(&server).await;
    let create = async |n, bytes| {
        let created = store.create(handle(n), &record(bytes, HOUR)).await;
        created.expect("it is created");
    };
    create(0, 300).await;
    for n in 1..=READERS {
        create(n, LARGE).await;
    }
    let mut figures = [const { Vec::new() }; 6];
    for _ in 0..ROUNDS {
        let mut alone = reads(&store).await;
        let (is_over, large) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let mut tasks = JoinSet::new();
        for n in 1..=READERS {
            let (store, is_over, large) = (store.clone(), is_over.clone(), large.clone());
            tasks.spawn(async move {
                while !is_over.load(Relaxed) {
                    let record = store.load(handle(n)).await.expect("it is read");
                    assert!(record.is_some());
                    large.fetch_add(1, Relaxed);
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
            });
        }
        let start = Instant::now();
        let mut beside = reads(&store).await;
        let rate = large.load(Relaxed) as f64 / start.elapsed().as_secs_f64();
        is_over.store(true, Relaxed);
        tasks.join_all().await;
        let p = [
            percentile(&mut alone, 50),
            percentile(&mut alone, 99),
            percentile(&mut beside, 50),
            percentile(&mut beside, 99),
        ];
        for (figures, figure) in figures
            .iter_mut()
            .zip(p.into_iter().chain([p[3] / p[1], rate]))
        {
            figures.push(figure);
        }
    }
    let [.., ratio, rate] = &mut figures;
    let last = [
        format!("{:.2}", percentile(ratio, 50)),
        format!("{:.0}", percentile(rate, 50)),
    ];
    let first = figures[..4]
        .iter_mut()
        .map(|figures| format!("{:.0}", percentile(figures, 50)));
    std::iter::once(format!("{pause:?}"))
        .chain(first)
        .chain(last)
        .collect()
}

async fn reads(store: &RedisStore) -> Vec<f64> {
    let mut micros = Vec::with_capacity(READS);
    for _ in 0..READS {
        let start = Instant::now();
        let loaded = store.load(handle(0)).await;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        assert!(loaded.is_ok_and(|record| record.is_some()));
    }
    micros
}
