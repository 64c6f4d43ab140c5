//! Statements that wait for their turn on a connection to PostgreSQL, which all requests share.

use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, future::join_all};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use wiz_session::{
    Handle, SessionStore, Version,
    store::{PostgresStore, Replaced},
};

use crate::{
    beside,
    fresh::{self, Fresh},
    proxy::{Protocol, Proxy},
    schema::{handle, in_an_hour, record},
    servers::{self, Engine, Mortal},
    trips::reroute,
};

async fn session(store: &PostgresStore) -> Handle {
    let handle = handle();
    let created = store.create(handle, &record(None, in_an_hour())).await;
    created.expect("a create");
    handle
}

async fn replace(store: &PostgresStore, handle: Handle) -> Result<Replaced, wiz_session::Error> {
    let record = record(Some("alice"), in_an_hour());
    store.replace(handle, Version::FIRST, &record).await
}

/// The batch of writes that fails is kept by a caller who does not look at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_failed_before_its_turn_fails_none_that_is_asked_later() {
    let server = Mortal::start(Engine::Postgres);
    let proxy = Proxy::start(Protocol::Postgres, server.port()).await;
    let store = PostgresStore::connect(&reroute(server.url(), proxy.port)).await;
    let store = store
        .expect("a store")
        .with_connections(1)
        .expect("a number");
    store.migrate().await.expect("a table");
    let [first, second, third] = [
        session(&store).await,
        session(&store).await,
        session(&store).await,
    ];
    proxy.swallow();
    let has_the_turn = tokio::spawn({
        let store = store.clone();
        async move { store.touch(first, in_an_hour()).await }
    });
    // It has been sent.
    sleep(Duration::from_millis(100)).await;
    let mut unseen = Box::pin(replace(&store, first));
    assert!((&mut unseen).now_or_never().is_none());
    replace(&store, second)
        .await
        .expect_err("the way is broken");
    has_the_turn.await.expect("no panic").expect_err("it is");
    let stored = replace(&store, third).await.expect("a new connection");
    assert_eq!(stored, Replaced::Stored(Version::new(2)));
    unseen.await.expect_err("it was asked with the other one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_statement_is_answered_though_the_store_is_closed() {
    let Fresh { store, table, .. } = fresh::postgres().await;
    session(&store).await;
    let client = beside::client(&servers::postgres_url()).await;
    let lock = format!("BEGIN; LOCK TABLE {table}");
    client.batch_execute(&lock).await.expect("a lock");
    let sweep = tokio::spawn({
        let store = store.clone();
        async move { store.delete_expired(in_an_hour(), 10).await }
    });
    let waits =
        format!("SELECT 1 FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted");
    while client
        .query(&waits, &[])
        .await
        .expect("the locks")
        .is_empty()
    {
        sleep(Duration::from_millis(10)).await;
    }
    let closed = timeout(Duration::from_secs(5), store.close()).await;
    closed.expect("it does not wait for long");
    client.batch_execute("COMMIT").await.expect("a commit");
    assert_eq!(sweep.await.expect("no panic").expect("an answer"), 1);
}

/// The load of another one does not wait for their turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_who_leave_a_locked_session_hold_up_no_other() {
    const CALLERS: u32 = 20;
    const ATTEMPT: Duration = Duration::from_millis(50);
    let Fresh { store, table, .. } = fresh::postgres().await;
    let (locked, other) = (session(&store).await, session(&store).await);
    let client = beside::client(&servers::postgres_url()).await;
    let lock = format!("BEGIN; SELECT 1 FROM {table} WHERE handle = '{locked}' FOR UPDATE");
    client.batch_execute(&lock).await.expect("a lock");
    let later = in_an_hour() + Duration::from_secs(60);
    for _ in 0..4 {
        let touch = || {
            let store = store.clone();
            tokio::spawn(async move { store.touch(locked, later).await })
        };
        let [leave, stay] = [(); 2].map(|()| (0..CALLERS / 2).map(|_| touch()).collect::<Vec<_>>());
        // Each has tried it once.
        sleep(ATTEMPT * (CALLERS + 4)).await;
        leave.iter().for_each(JoinHandle::abort);
        join_all(leave).await;
        let since = Instant::now();
        assert!(store.load(other).await.expect("a load").is_some());
        let took = since.elapsed();
        assert!(took < ATTEMPT * CALLERS / 4, "{took:?}");
        stay.iter().for_each(JoinHandle::abort);
    }
}
