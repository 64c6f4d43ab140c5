//! Writes that PostgreSQL is sent together: each session's caller gets its own answer.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use tokio::time::sleep;
use wiz_session::{
    Error, Handle, SessionStore, Version,
    store::{PostgresStore, Replaced},
};

use crate::{
    beside,
    fresh::{self, Fresh},
    schema::{handle, in_an_hour, record},
    servers,
};

const SESSIONS: usize = 20;

/// On one connection, so that their writes gather.
async fn sessions() -> (Fresh<PostgresStore>, Vec<Handle>) {
    let mut fresh = fresh::postgres().await;
    fresh.store = fresh.store.with_connections(1).expect("a number");
    let handles: Vec<Handle> = (0..SESSIONS).map(|_| handle()).collect();
    for handle in &handles {
        let new = record(None, in_an_hour());
        let created = fresh.store.create(*handle, &new).await;
        created.expect("a create");
    }
    (fresh, handles)
}

async fn write(store: &PostgresStore, handle: Handle, user: &str) -> Result<Replaced, Error> {
    let record = record(Some(user), in_an_hour());
    store.replace(handle, Version::FIRST, &record).await
}

const STORED: Replaced = Replaced::Stored(Version::new(2));

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_of_one_moment_share_a_transaction() {
    let (Fresh { store, table, .. }, handles) = sessions().await;
    let writes = handles.iter().map(|handle| write(&store, *handle, "alice"));
    for replaced in join_all(writes).await {
        assert_eq!(replaced.expect("a replace"), STORED);
    }
    let client = beside::client(&servers::postgres_url()).await;
    let transactions = format!("SELECT COUNT(DISTINCT xmin::text) FROM {table}");
    let rows = client.query_one(&transactions, &[]).await.expect("a count");
    // The first of them may have left before the others came.
    let transactions: i64 = rows.get(0);
    assert!(transactions <= 3, "{transactions}");
    for handle in handles {
        let loaded = store.load(handle).await.expect("a load").expect("it is");
        assert_eq!(
            (loaded.version(), loaded.user()),
            (Version::new(2), Some("alice"))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_that_end_earlier_by_writes_of_one_moment_are_swept_then() {
    let (Fresh { store, .. }, handles) = sessions().await;
    let end = in_an_hour() - Duration::from_secs(50 * 60);
    let sooner = record(None, end);
    let write = |handle: &Handle| store.replace(*handle, Version::FIRST, &sooner);
    for replaced in join_all(handles.iter().map(write)).await {
        assert_eq!(replaced.expect("a replace"), STORED);
    }
    let swept = store.delete_expired(end, 2 * SESSIONS).await;
    assert_eq!(swept.expect("a sweep"), SESSIONS as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_writes_to_a_session_one_is_stored() {
    for _ in 0..20 {
        let (Fresh { store, .. }, handles) = sessions().await;
        let gone = handle();
        let pairs = handles.iter().map(|handle| {
            let write = |user| write(&store, *handle, user);
            join(write("alice"), write("bob"))
        });
        let (pairs, missing) = join(join_all(pairs), write(&store, gone, "alice")).await;
        assert_eq!(missing.expect("an answer"), Replaced::Gone);
        for (handle, (alice, bob)) in handles.iter().zip(pairs) {
            let answers = [alice, bob].map(|answer| answer.expect("a replace"));
            let stored = match answers {
                [STORED, Replaced::Conflict] => "alice",
                [Replaced::Conflict, STORED] => "bob",
                _ => panic!("{answers:?}"),
            };
            let loaded = store.load(*handle).await.expect("a load").expect("it is");
            assert_eq!(loaded.user(), Some(stored));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_is_refused_fails_alone() {
    let (Fresh { store, table, .. }, handles) = sessions().await;
    let client = beside::client(&servers::postgres_url()).await;
    let rule = format!("ALTER TABLE {table} ADD CHECK (user_id <> 'mallory')");
    client.batch_execute(&rule).await.expect("a rule");
    let writes = handles.iter().enumerate().map(|(n, handle)| {
        let user = if n == 7 { "mallory" } else { "alice" };
        write(&store, *handle, user)
    });
    for (n, replaced) in join_all(writes).await.into_iter().enumerate() {
        match n {
            7 => assert!(replaced.expect_err("it is refused").is_store()),
            _ => assert_eq!(replaced.expect("a replace"), STORED),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_locked_session_holds_up_none_that_are_written_with_it() {
    const LOCKED: Duration = Duration::from_secs(2);
    let (Fresh { store, table, .. }, handles) = sessions().await;
    let client = beside::client(&servers::postgres_url()).await;
    let lock = format!(
        "BEGIN; SELECT 1 FROM {table} WHERE handle = '{}' FOR UPDATE",
        handles[7]
    );
    client.batch_execute(&lock).await.expect("a lock");
    tokio::spawn(async move {
        sleep(LOCKED).await;
        client.batch_execute("COMMIT").await.expect("a commit");
    });
    let start = Instant::now();
    let writes = handles.iter().map(async |handle| {
        let replaced = write(&store, *handle, "alice").await;
        assert_eq!(replaced.expect("a replace"), STORED);
        start.elapsed()
    });
    let mut took = join_all(writes).await;
    let locked = took.remove(7);
    assert!(locked >= LOCKED - Duration::from_millis(100), "{locked:?}");
    let slowest = took.into_iter().max().expect("there are others");
    assert!(slowest < LOCKED / 2, "{slowest:?}");
}

/// Whatever is loaded after it, by the next request, is what holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_whose_caller_went_away_is_not_done_after_a_later_load() {
    let (Fresh { store, .. }, handles) = sessions().await;
    for round in 0..100 {
        let mut after = Vec::new();
        for handle in &handles {
            let new = record(Some("alice"), in_an_hour());
            let (writer, handle) = (store.clone(), *handle);
            let task = tokio::spawn(async move {
                let loaded = writer.load(handle).await.expect("a load").expect("it is");
                drop(writer.replace(handle, loaded.version(), &new).await);
            });
            after.push((handle, task));
        }
        sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
        for (_, task) in &after {
            task.abort();
        }
        for (handle, task) in after {
            let _ = task.await;
            let first = store.load(handle).await.expect("a load").expect("it is");
            let again = store.load(handle).await.expect("a load").expect("it is");
            assert_eq!(first.version(), again.version(), "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_is_one_that_waited_for_its_row() {
    let (Fresh { store, table, .. }, handles) = sessions().await;
    let client = beside::client(&servers::postgres_url()).await;
    for (round, handle) in handles.into_iter().enumerate() {
        let lock = format!("BEGIN; SELECT 1 FROM {table} WHERE handle = '{handle}' FOR UPDATE");
        client.batch_execute(&lock).await.expect("a lock");
        let writer = store.clone();
        let task = tokio::spawn(async move { write(&writer, handle, "alice").await });
        sleep(Duration::from_millis(fastrand::u64(100..200))).await;
        task.abort();
        let _ = task.await;
        let free = async {
            sleep(Duration::from_millis(5)).await;
            client.batch_execute("COMMIT").await.expect("a commit");
        };
        let (first, ()) = join(store.load(handle), free).await;
        sleep(Duration::from_millis(50)).await;
        let versions = [first, store.load(handle).await]
            .map(|loaded| loaded.expect("a load").expect("it is").version());
        assert_eq!(versions[0], versions[1], "round {round}");
    }
}
