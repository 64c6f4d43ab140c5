//! The table: made by many at once, read by people, cheap to touch.

use std::time::{Duration, SystemTime};

use sqlx::{Row, sqlite::SqliteConnectOptions};
use tokio::task::JoinSet;
use wiz_session::{
    Handle, Record, SessionStore, Version,
    store::{MySqlStore, PostgresStore, SqliteStore},
};

use crate::{
    beside, fresh,
    servers::{self, Engine, Mortal},
    support,
};

/// Of so many processes, each with a pool of its own.
const AT_ONCE: usize = 20;

/// A record as the crate writes it.
pub(crate) fn record(user: Option<&str>, expires_at: SystemTime) -> Record {
    let user = user.map_or_else(String::new, |user| format!(r#""user":"{user}","#));
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,{user}"data":{{"cart":[1,2]}}}}"#
    );
    Record::from_json(&json, Version::FIRST, expires_at).expect("a record")
}

pub(crate) fn in_an_hour() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

/// One that nobody else has.
pub(crate) fn handle() -> Handle {
    let bytes: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    Handle::from_bytes(bytes)
}

async fn all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    tasks.into_iter().collect::<JoinSet<_>>().join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_sqlite_file_is_opened_by_many_at_once() {
    for _ in 0..100 {
        let folder = support::folder();
        let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
        let open = |url: String| async move { SqliteStore::connect(&url).await?.migrate().await };
        for opened in all((0..4).map(|_| open(url.clone()))).await {
            opened.expect("it waits for the others");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_migrate_a_sqlite_file_at_once() {
    for _ in 0..5 {
        let folder = support::folder();
        let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
        let store = SqliteStore::connect(&url).await.expect("a new file");
        // They write one after the other, each to the disk: on a busy machine that takes longer than `connect` waits.
        let patience = Duration::from_secs(60);
        let migrate = |url: String| async move {
            let options = url.parse::<SqliteConnectOptions>().expect("an address");
            let options = options.busy_timeout(patience);
            let pool = SqliteStore::pool_options().acquire_timeout(patience);
            let pool = pool.connect_with(options).await.expect("a connection");
            let store = SqliteStore::from_pool(pool);
            store.migrate().await?;
            store.create(handle(), &record(None, in_an_hour())).await?;
            store.migrate().await
        };
        for answer in all((0..AT_ONCE).map(|_| migrate(url.clone()))).await {
            answer.expect("a migration");
        }
        assert_eq!(
            store.count(SystemTime::now()).await.expect("a count"),
            AT_ONCE as u64
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_migrate_postgresql_at_once() {
    for _ in 0..5 {
        let table = fresh::table();
        let migrate = |table: String| async move {
            let store = PostgresStore::connect(&servers::postgres_url()).await;
            let store = store
                .expect("a connection")
                .with_table(&table)
                .expect("a name");
            store.migrate().await?;
            store.create(handle(), &record(None, in_an_hour())).await?;
            store.migrate().await
        };
        for answer in all((0..AT_ONCE).map(|_| migrate(table.clone()))).await {
            answer.expect("a migration");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_migrate_mysql_at_once() {
    for _ in 0..5 {
        let table = fresh::table();
        let migrate = |table: String| async move {
            let pool = MySqlStore::pool_options()
                .max_connections(1)
                .connect(&servers::mysql_url())
                .await;
            let store = MySqlStore::from_pool(pool.expect("a connection"))
                .with_table(&table)
                .expect("a name");
            store.migrate().await?;
            store.create(handle(), &record(None, in_an_hour())).await?;
            store.migrate().await
        };
        for answer in all((0..AT_ONCE).map(|_| migrate(table.clone()))).await {
            answer.expect("a migration");
        }
    }
}

/// A touch and an ordinary write change no index: PostgreSQL calls that a heap-only tuple.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn touches_and_writes_are_hot_updates() {
    const SESSIONS: u64 = 500;
    const TOUCHES: u64 = 10;
    // Its own: transactions of other tests would keep it from tidying up.
    let server = Mortal::start(Engine::Postgres);
    let store = PostgresStore::connect(server.url()).await.expect("a store");
    store.migrate().await.expect("a table");
    let start = in_an_hour();
    let mut handles = Vec::new();
    for _ in 0..SESSIONS {
        let handle = handle();
        store
            .create(handle, &record(Some("alice"), start))
            .await
            .expect("a create");
        handles.push(handle);
    }
    for minute in 1..=TOUCHES {
        let expires_at = start + minute as u32 * Duration::from_secs(180);
        for (n, handle) in handles.iter().enumerate() {
            if n % 5 == 0 {
                let expected = Version::new(minute);
                let written = record(Some("alice"), expires_at);
                store
                    .replace(*handle, expected, &written)
                    .await
                    .expect("a replace");
            } else {
                assert!(store.touch(*handle, expires_at).await.expect("a touch"));
            }
        }
    }
    // A server process reports what it did when it ends.
    store.close().await;
    let (updates, hot) = updates(server.url(), "wiz_sessions", SESSIONS * TOUCHES).await;
    println!("{hot} of {updates} updates were HOT");
    assert_eq!(updates, SESSIONS * TOUCHES);
    assert!(
        hot * 100 >= updates * 90,
        "{hot} of {updates} updates were HOT"
    );
}

async fn updates(url: &str, table: &str, expected: u64) -> (u64, u64) {
    let client = beside::client(url).await;
    let select = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = $1";
    let mut counts = (0, 0);
    for _ in 0..100 {
        let row = client
            .query_one(select, &[&table])
            .await
            .expect("statistics");
        counts = (
            row.get::<_, i64>(0).cast_unsigned(),
            row.get::<_, i64>(1).cast_unsigned(),
        );
        if counts.0 >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    counts
}

/// No statement looks through all sessions, but for the one that counts them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_finds_handles_and_users_by_index() {
    let fresh = fresh::mysql().await;
    let one = handle();
    fresh
        .store
        .create(one, &record(Some("alice"), in_an_hour()))
        .await
        .expect("a create");
    for _ in 0..200 {
        fresh
            .store
            .create(handle(), &record(None, in_an_hour()))
            .await
            .expect("a create");
    }
    for (column, value) in [("handle", one.to_string()), ("user_id", "alice".to_owned())] {
        let explain = format!(
            "EXPLAIN SELECT version FROM {} WHERE {column} = ?",
            fresh.table
        );
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain.as_str()))
            .bind(value)
            .fetch_one(fresh.store.pool())
            .await
            .expect("a plan");
        let examined: String = plan.try_get_unchecked("rows").expect("a number");
        assert_eq!(examined, "1", "rows to find by {column}");
    }
}

/// With the statement of a look, word by word as in `expected/mysql.sql`.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_looks_at_sessions_by_index() {
    let fresh = fresh::mysql().await;
    for _ in 0..200 {
        let record = record(None, in_an_hour());
        let created = fresh.store.create(handle(), &record);
        created.await.expect("a create");
    }
    let expected = include_str!("../../src/store/sql/expected/mysql.sql");
    let look = expected.lines().find(|line| line.contains("JSON_TABLE"));
    let (look, _order) = look
        .and_then(|look| look.rsplit_once(" ["))
        .expect("a look");
    let (spaced, dotted) = (format!(" {} ", fresh.table), format!(" {}.", fresh.table));
    let explain = format!("EXPLAIN {look}")
        .replace(" s ", &spaced)
        .replace(" s.", &dotted);
    let asked = format!(r#"["{}","{}"]"#, handle(), handle());
    let plan = sqlx::query(sqlx::AssertSqlSafe(explain.as_str())).bind(asked);
    let plan = plan.fetch_all(fresh.store.pool()).await.expect("a plan");
    let of_the_table = plan.iter().find(|row| {
        let table: Option<String> = row.try_get_unchecked("table").expect("a name");
        table.as_deref() == Some(&fresh.table)
    });
    let of_the_table = of_the_table.expect("the table is read");
    let key: Option<String> = of_the_table.try_get_unchecked("key").expect("a name");
    assert_eq!(key.as_deref(), Some("PRIMARY"));
}

/// A person reads the table; and what is kept opens no session.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_read_well() {
    let fresh = fresh::postgres().await;
    let (handle, expires_at) = (handle(), in_an_hour());
    fresh
        .store
        .create(handle, &record(Some("앨리스"), expires_at))
        .await
        .expect("a create");
    let select = format!(
        "SELECT record::json #>> '{{data,cart,1}}' FROM {} WHERE handle = $1 AND user_id = '앨리스'",
        fresh.table
    );
    let client = beside::client(&servers::postgres_url()).await;
    let row = client.query_one(&select, &[&handle.to_string()]).await;
    assert_eq!(row.expect("a row").get::<_, String>(0), "2");
}

#[tokio::test]
async fn a_table_has_a_plain_name() {
    let fresh = fresh::sqlite().await;
    let refused = fresh
        .store
        .with_table("sessions; DROP TABLE users")
        .unwrap_err();
    assert!(
        refused.to_string().contains("is no table name"),
        "{refused}"
    );
}
