//! Rows that another transaction has locked: their own session waits for them, and no other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::join_all};
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;
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

/// For how long a row is locked.
const LOCKED: Duration = Duration::from_secs(3);

/// With one connection, so that all sessions share it.
async fn narrow() -> Fresh<PostgresStore> {
    let mut fresh = fresh::postgres().await;
    fresh.store = fresh.store.with_connections(1).expect("a number");
    fresh
}

async fn stored(store: &PostgresStore, user: Option<&str>) -> Handle {
    let handle = handle();
    store
        .create(handle, &record(user, in_an_hour()))
        .await
        .expect("a create");
    handle
}

/// Locks the row until the client commits or goes.
async fn lock(table: &str, handle: Handle) -> Client {
    let client = beside::client(&servers::postgres_url()).await;
    let lock = format!("BEGIN; SELECT 1 FROM {table} WHERE handle = '{handle}' FOR UPDATE");
    client.batch_execute(&lock).await.expect("a lock");
    client
}

/// How long sessions of others took at the most, while this was waited for.
async fn meanwhile<T>(store: &PostgresStore, waits: impl Future<Output = T>) -> (T, Duration) {
    let over = Arc::new(AtomicBool::new(false));
    let others = tokio::spawn(others(store.clone(), Arc::clone(&over)));
    let answer = waits.await;
    over.store(true, Ordering::SeqCst);
    (answer, others.await.expect("others go on"))
}

async fn others(store: PostgresStore, over: Arc<AtomicBool>) -> Duration {
    let handles = join_all((0..10).map(|_| stored(&store, None))).await;
    let (mut version, mut slowest) = (Version::FIRST, Duration::ZERO);
    while !over.load(Ordering::SeqCst) {
        for handle in &handles {
            let start = Instant::now();
            let loaded = store.load(*handle).await.expect("a load");
            let replaced = store
                .replace(*handle, version, &loaded.expect("the session"))
                .await;
            assert!(matches!(replaced, Ok(Replaced::Stored(_))), "{replaced:?}");
            slowest = slowest.max(start.elapsed());
        }
        version = version.next();
    }
    slowest
}

async fn unlock_later(client: Client) {
    sleep(LOCKED).await;
    client.batch_execute("COMMIT").await.expect("a commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_locked_session_gets_its_answer_and_others_go_on() {
    let Fresh { store, table, .. } = narrow().await;
    let (one, two) = (stored(&store, None).await, stored(&store, None).await);
    let clients = join_all([one, two].map(|handle| lock(&table, handle))).await;
    for client in clients {
        tokio::spawn(unlock_later(client));
    }
    let start = Instant::now();
    let waits = async {
        let new = record(None, in_an_hour());
        let replaced = store.replace(one, Version::FIRST, &new);
        let deleted = store.delete(two);
        futures_util::future::join(replaced, deleted).await
    };
    let ((replaced, deleted), slowest) = meanwhile(&store, waits).await;
    assert_eq!(
        replaced.expect("a replace"),
        Replaced::Stored(Version::new(2))
    );
    assert!(deleted.expect("a delete"));
    let took = start.elapsed();
    println!("the locked ones took {took:?}, the slowest of the others {slowest:?}");
    assert!(took >= LOCKED - Duration::from_millis(100), "{took:?}");
    assert!(took < LOCKED + Duration::from_secs(1), "{took:?}");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_with_a_locked_session_is_logged_out_once_it_is_free() {
    let Fresh { store, table, .. } = narrow().await;
    let one = stored(&store, Some("alice")).await;
    stored(&store, Some("alice")).await;
    let client = lock(&table, one).await;
    tokio::spawn(unlock_later(client));
    let (deleted, slowest) = meanwhile(&store, store.delete_user("alice", None)).await;
    assert_eq!(deleted.expect("a delete"), 2);
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_stays_locked_is_an_error_and_unchanged() {
    let Fresh { store, table, .. } = narrow().await;
    let one = stored(&store, Some("alice")).await;
    let client = lock(&table, one).await;
    let (new, later) = (record(None, in_an_hour()), in_an_hour() + LOCKED);
    let writes = async {
        tokio::join!(
            store
                .replace(one, Version::FIRST, &new)
                .map(|answer| answer.map(drop)),
            store.touch(one, later).map(|answer| answer.map(drop)),
            store.delete(one).map(|answer| answer.map(drop)),
            store
                .delete_user("alice", None)
                .map(|answer| answer.map(drop)),
            store
                .regenerate(one, Version::FIRST, &new, handle(), &new)
                .map(|answer| answer.map(drop)),
        )
    };
    let ((a, b, c, d, e), slowest) = meanwhile(&store, writes).await;
    let refused = |answer: Result<(), Error>| {
        let error = answer.expect_err("it is locked");
        assert!(error.to_string().contains("row locked"), "{error}");
    };
    [a, b, c, d, e].into_iter().for_each(refused);
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    client.batch_execute("COMMIT").await.expect("a commit");
    let loaded = store.load(one).await.expect("a load").expect("it is there");
    assert_eq!(
        (loaded.version(), loaded.user()),
        (Version::FIRST, Some("alice"))
    );
}

/// Somebody alters the table: the server answers nobody, but is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_locked_table_is_waited_for_without_connections_piling_up() {
    let Fresh { store, table, .. } = narrow().await;
    let one = stored(&store, None).await;
    let client = beside::client(&servers::postgres_url()).await;
    let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    client.batch_execute(&lock).await.expect("a lock");
    let patience = Duration::from_secs(1);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let loaded = timeout(patience, store.load(one)).await;
        assert!(loaded.is_err(), "the table is locked: {loaded:?}");
    }
    let waiting = format!(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
    );
    let waiting = client.query_one(&waiting, &[]).await.expect("a count");
    let waiting: i64 = waiting.get(0);
    println!("{waiting} connections wait");
    assert!(waiting <= 3, "{waiting} connections pile up");
    client.batch_execute("COMMIT").await.expect("a commit");
    assert!(store.load(one).await.expect("a load").is_some());
}
