//! Expired sessions leave; those that are in use stay, and nobody waits.

use std::time::{Duration, Instant, SystemTime};

use wiz_session::{SessionStore, store::PostgresStore};

use crate::{
    beside,
    fresh::{self, Fresh, on_each_engine},
    schema::{handle, in_an_hour, record},
    servers,
};

on_each_engine!(
    only_what_has_expired_is_swept,
    sessions_in_use_do_not_hide_expired_ones
);

async fn only_what_has_expired_is_swept<S: SessionStore>(fresh: Fresh<S>) {
    let (store, now) = (fresh.store, SystemTime::now());
    let (expired, live, touched) = (handle(), handle(), handle());
    store
        .create(expired, &record(None, now))
        .await
        .expect("a create");
    store
        .create(live, &record(None, now + Duration::from_millis(1)))
        .await
        .expect("a create");
    store
        .create(touched, &record(None, now))
        .await
        .expect("a create");
    store.touch(touched, in_an_hour()).await.expect("a touch");
    assert_eq!(store.delete_expired(now, 10).await.expect("a sweep"), 1);
    assert!(store.load(expired).await.expect("a load").is_none());
    assert!(store.load(live).await.expect("a load").is_some());
    assert!(store.load(touched).await.expect("a load").is_some());
    assert_eq!(
        store
            .delete_expired(in_an_hour(), 10)
            .await
            .expect("a sweep"),
        2,
        "in the end they go too"
    );
}

/// Touched ones are first in the index, and more of them than fit a batch.
async fn sessions_in_use_do_not_hide_expired_ones<S: SessionStore>(fresh: Fresh<S>) {
    let (store, now) = (fresh.store, SystemTime::now());
    for _ in 0..95 {
        let handle = handle();
        store
            .create(handle, &record(None, now - Duration::from_secs(60)))
            .await
            .expect("a create");
        store.touch(handle, in_an_hour()).await.expect("a touch");
    }
    for _ in 0..25 {
        store
            .create(handle(), &record(None, now))
            .await
            .expect("a create");
    }
    let mut deleted = Vec::new();
    for _ in 0..4 {
        deleted.push(store.delete_expired(now, 10).await.expect("a sweep"));
    }
    assert_eq!(deleted, [10, 10, 5, 0]);
    assert_eq!(store.count(now).await.expect("a count"), 95);
}

macro_rules! count_expired {
    ($($engine:ident)*) => {$(
        mod $engine {
            use super::*;

            /// All that a sweep deletes, and nothing else.
            #[tokio::test]
            async fn what_a_sweep_will_delete_is_counted() {
                let (fresh, now) = (fresh::$engine().await, SystemTime::now());
                let store = &fresh.store;
                let touched = handle();
                for handle in [handle(), handle(), touched] {
                    store.create(handle, &record(None, now)).await.expect("a create");
                }
                store.create(handle(), &record(None, in_an_hour())).await.expect("a create");
                store.touch(touched, in_an_hour()).await.expect("a touch");
                assert_eq!(store.count_expired(now).await.expect("a count"), 2);
                assert_eq!(store.delete_expired(now, 10).await.expect("a sweep"), 2);
                assert_eq!(store.count_expired(now).await.expect("a count"), 0);
            }
        }
    )*};
}

mod counting {
    use super::*;

    count_expired!(sqlite postgres mysql);
}

/// A row that somebody has locked is left for the next sweep, and nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_skips_what_is_locked() {
    let fresh = fresh::postgres().await;
    let (locked, free) = (handle(), handle());
    for handle in [locked, free] {
        fresh
            .store
            .create(handle, &record(None, SystemTime::now()))
            .await
            .expect("a create");
    }
    let mut client = beside::client(&servers::postgres_url()).await;
    let other = client.transaction().await.expect("a transaction");
    let lock = format!("SELECT 1 FROM {} WHERE handle = $1 FOR UPDATE", fresh.table);
    let locked = other.execute(&lock, &[&locked.to_string()]).await;
    assert_eq!(locked.expect("a lock"), 1);
    one_of_two_is_swept(&fresh.store, || async {
        other.commit().await.expect("a commit");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_skips_what_is_locked() {
    let fresh = fresh::mysql().await;
    let (locked, free) = (handle(), handle());
    for handle in [locked, free] {
        fresh
            .store
            .create(handle, &record(None, SystemTime::now()))
            .await
            .expect("a create");
    }
    let mut other = fresh.store.pool().begin().await.expect("a transaction");
    let lock = format!("SELECT 1 FROM {} WHERE handle = ? FOR UPDATE", fresh.table);
    sqlx::query(sqlx::AssertSqlSafe(lock.as_str()))
        .bind(locked.to_string())
        .execute(&mut *other)
        .await
        .expect("a lock");
    one_of_two_is_swept(&fresh.store, || async {
        other.commit().await.expect("a commit");
    })
    .await;
}

async fn one_of_two_is_swept(store: &impl SessionStore, unlock: impl AsyncFnOnce()) {
    let sweep = || async {
        store
            .delete_expired(SystemTime::now(), 10)
            .await
            .expect("a sweep")
    };
    let start = Instant::now();
    assert_eq!(sweep().await, 1, "the free one");
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "nobody waits for the lock"
    );
    unlock().await;
    assert_eq!(sweep().await, 1, "the other one");
}

/// `WIZ_TEST_ROWS=1000000` for the figure in the notes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_rows_are_swept_while_others_read_and_write() {
    let rows: u64 =
        std::env::var("WIZ_TEST_ROWS").map_or(50_000, |rows| rows.parse().expect("a number"));
    let fresh = fresh::postgres().await;
    let fill = format!(
        "INSERT INTO {} SELECT md5(n::text), 1, CASE WHEN n % 3 = 0 THEN 'user' || n END, n, n, FALSE, $1 \
         FROM generate_series(1, $2) AS n",
        fresh.table
    );
    let json = record(None, in_an_hour()).to_json();
    let client = beside::client(&servers::postgres_url()).await;
    let count = i32::try_from(rows).expect("it is no more");
    client.execute(&fill, &[&json, &count]).await.expect("rows");

    let (store, busy) = (fresh.store.clone(), handle());
    store
        .create(busy, &record(None, in_an_hour()))
        .await
        .expect("a create");
    let slowest = tokio::spawn(serve_until_swept(store.clone(), busy));
    let (start, mut longest) = (Instant::now(), Duration::ZERO);
    let mut deleted = 0;
    while deleted < rows {
        let batch = Instant::now();
        let swept = store
            .delete_expired(SystemTime::now(), 1_000)
            .await
            .expect("a sweep");
        assert!(swept > 0, "{deleted} of {rows}");
        longest = longest.max(batch.elapsed());
        deleted += swept;
    }
    let took = start.elapsed();
    store.delete(busy).await.expect("a delete");
    let (served, slowest) = slowest.await.expect("the server goes on");
    println!(
        "{rows} rows in {took:?}, the longest batch {longest:?}; meanwhile {served} round trips, the slowest {slowest:?}"
    );
    assert!(
        longest < Duration::from_secs(1),
        "a statement held its locks for {longest:?}"
    );
    assert!(
        slowest < Duration::from_secs(1),
        "somebody waited for {slowest:?}"
    );
}

/// Reads, touches and writes one session until it is gone. How often, and how long that took at the most.
async fn serve_until_swept(store: PostgresStore, handle: wiz_session::Handle) -> (u64, Duration) {
    let (mut served, mut slowest) = (0, Duration::ZERO);
    loop {
        let start = Instant::now();
        let Some(loaded) = store.load(handle).await.expect("a load") else {
            return (served, slowest);
        };
        store.touch(handle, in_an_hour()).await.expect("a touch");
        store
            .replace(handle, loaded.version(), &loaded)
            .await
            .expect("a replace");
        slowest = slowest.max(start.elapsed());
        served += 3;
    }
}
