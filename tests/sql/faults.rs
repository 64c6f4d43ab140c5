//! A clear error each, that quotes nothing of a session; and nothing is lost.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Executor, mysql::MySqlConnectOptions, sqlite::SqliteConnectOptions};
use tokio_postgres::Config;
use wiz_session::{
    Error, Record, SessionStore, Version,
    store::{Created, MySqlStore, PostgresStore, SqliteStore},
};

use crate::{
    beside,
    fresh::{self, Fresh},
    schema::{handle, in_an_hour},
    servers::{self, Engine, Mortal},
    support::{self, small_disk::SmallDisk},
};

const SECRET: &str = "s3cret";

/// Of about so many bytes, with a secret in it.
fn record(bytes: usize) -> Record {
    let text = SECRET.repeat(bytes / SECRET.len() + 1);
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,"user":"{SECRET}","data":{{"text":"{text}"}}}}"#
    );
    Record::from_json(&json, Version::FIRST, in_an_hour()).expect("a record")
}

/// What the engine said, for the log.
#[track_caller]
fn said(error: &Error, wanted: &str) {
    assert!(error.is_store(), "{error:?}");
    let source = error.source().expect("the engine's error").to_string();
    assert!(source.contains(wanted), "{source}");
    for text in [error.to_string(), format!("{error:?}"), source] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

async fn every_write_fails(store: impl SessionStore, wanted: &str) {
    let (handle, record) = (handle(), record(10));
    said(
        &store.create(handle, &record).await.expect_err("a create"),
        wanted,
    );
    said(
        &store
            .replace(handle, Version::FIRST, &record)
            .await
            .expect_err("a replace"),
        wanted,
    );
    said(
        &store
            .touch(handle, in_an_hour())
            .await
            .expect_err("a touch"),
        wanted,
    );
    said(&store.delete(handle).await.expect_err("a delete"), wanted);
    said(
        &store
            .regenerate(
                handle,
                Version::FIRST,
                &record,
                crate::schema::handle(),
                &record,
            )
            .await
            .expect_err("a regenerate"),
        wanted,
    );
    said(
        &store
            .delete_user(SECRET, None)
            .await
            .expect_err("a delete_user"),
        wanted,
    );
    said(
        &store
            .delete_expired(in_an_hour(), 10)
            .await
            .expect_err("a sweep"),
        wanted,
    );
}

async fn every_read_fails(store: impl SessionStore, wanted: &str) {
    said(&store.load(handle()).await.expect_err("a load"), wanted);
    said(&store.list(SECRET).await.expect_err("a list"), wanted);
    said(
        &store.count(in_an_hour()).await.expect_err("a count"),
        wanted,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_missing_table() {
    const NAME: &str = "nothing_there";
    let sqlite = fresh::sqlite().await;
    let store = sqlite.store.clone().with_table(NAME).expect("a name");
    every_read_fails(store.clone(), "no such table: nothing_there").await;
    every_write_fails(store, "no such table: nothing_there").await;
    let store = fresh::postgres()
        .await
        .store
        .with_table(NAME)
        .expect("a name");
    every_read_fails(store.clone(), r#"relation "nothing_there" does not exist"#).await;
    every_write_fails(store, r#"relation "nothing_there" does not exist"#).await;
    let store = fresh::mysql().await.store.with_table(NAME).expect("a name");
    every_read_fails(store.clone(), "nothing_there' doesn't exist").await;
    every_write_fails(store, "nothing_there' doesn't exist").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_password() {
    let server = Mortal::start(Engine::Postgres);
    let client = beside::client(server.url()).await;
    client
        .batch_execute("CREATE ROLE wiz_password LOGIN PASSWORD 'right'")
        .await
        .expect("a role");
    let url = server
        .url()
        .replacen("postgres@", &format!("wiz_password:{SECRET}@"), 1);
    let refused = PostgresStore::connect(&url).await;
    said(
        &refused.expect_err("it is refused"),
        "password authentication failed",
    );

    let server = Mortal::start(Engine::Mysql);
    let pool = sqlx::MySqlPool::connect(server.url())
        .await
        .expect("a connection");
    pool.execute("CREATE USER wiz_password IDENTIFIED BY 'right'")
        .await
        .expect("a user");
    let url = server
        .url()
        .replacen("root@", &format!("wiz_password:{SECRET}@"), 1);
    let refused = MySqlStore::connect(&url).await;
    said(&refused.expect_err("it is refused"), "Access denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_at_home() {
    let port = support::free_port();
    let start = Instant::now();
    let refused =
        PostgresStore::connect(&format!("postgres://app:{SECRET}@127.0.0.1:{port}/app")).await;
    said(&refused.expect_err("nobody answers"), "refused");
    let refused = MySqlStore::connect(&format!("mysql://app:{SECRET}@127.0.0.1:{port}/app")).await;
    said(&refused.expect_err("nobody answers"), "timed out");
    assert!(
        start.elapsed() < Duration::from_secs(7),
        "three seconds each"
    );
    let refused = PostgresStore::connect(SECRET)
        .await
        .expect_err("no address");
    assert!(
        refused.is_store() && !format!("{refused:?}").contains(SECRET),
        "{refused:?}"
    );
    let refused = SqliteStore::connect("sqlite:/no/such/folder/sessions.db").await;
    said(&refused.expect_err("no folder"), "unable to open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_read_only() {
    let folder = support::folder();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    let store = SqliteStore::connect(&url).await.expect("a file");
    store.migrate().await.expect("a table");
    let options: SqliteConnectOptions = url.parse().expect("an address");
    let pool = SqliteStore::pool_options()
        .connect_with(options.read_only(true))
        .await
        .expect("the file");
    every_write_fails(SqliteStore::from_pool(pool), "readonly database").await;

    let fresh = fresh::postgres().await;
    let mut config: Config = servers::postgres_url().parse().expect("an address");
    config.options("-c default_transaction_read_only=on");
    let store = PostgresStore::from_config(config)
        .with_table(&fresh.table)
        .expect("a name");
    every_write_fails(store, "in a read-only transaction").await;

    let fresh = fresh::mysql().await;
    let options: MySqlConnectOptions = servers::mysql_url().parse().expect("an address");
    let settings = MySqlStore::pool_options().after_connect(|connection, _| {
        Box::pin(async move {
            connection
                .execute("SET SESSION TRANSACTION READ ONLY")
                .await
                .map(drop)
        })
    });
    let pool = settings.connect_with(options).await.expect("a connection");
    let store = MySqlStore::from_pool(pool)
        .with_table(&fresh.table)
        .expect("a name");
    every_write_fails(store, "READ ONLY transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_pool() {
    let settings = MySqlStore::pool_options()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(200));
    let pool = settings
        .connect(&servers::mysql_url())
        .await
        .expect("a connection");
    let store = MySqlStore::from_pool(pool.clone())
        .with_table(&fresh::table())
        .expect("a name");
    store.migrate().await.expect("a table");
    let taken = pool.acquire().await.expect("the only connection");
    every_read_fails(store.clone(), "pool timed out").await;
    every_write_fails(store.clone(), "pool timed out").await;
    drop(taken);
    assert!(store.load(handle()).await.expect("a load").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_row() {
    let fresh = fresh::sqlite().await;
    let damages = [
        "record = 'hunter2'",
        "record = '{}'",
        "version = -1",
        "expires_at = -1",
    ];
    for damage in damages {
        let handle = handle();
        fresh
            .store
            .create(handle, &record(10))
            .await
            .expect("a create");
        let damage = format!(
            "UPDATE {} SET {damage} WHERE handle = '{handle}'",
            fresh.table
        );
        fresh
            .store
            .pool()
            .execute(AssertSqlSafe(damage.as_str()))
            .await
            .expect("damage");
        match fresh.store.load(handle).await {
            Err(error) => assert!(
                error.is_store() && !format!("{error:?}").contains("hunter2"),
                "{error:?}"
            ),
            Ok(loaded) => assert!(
                loaded.is_some_and(|record| record.expires_at() < in_an_hour()),
                "{damage}"
            ),
        }
    }
}

/// An engine that refuses a value may quote it, or the whole row. Only its code is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_value_that_is_refused() {
    let Fresh { store, table, .. } = fresh::postgres().await;
    let check = format!("ALTER TABLE {table} ADD CHECK (version > 5)");
    let client = beside::client(&servers::postgres_url()).await;
    client.batch_execute(&check).await.expect("a constraint");
    let refused = store
        .create(handle(), &record(10))
        .await
        .expect_err("a create");
    said(&refused, "refused a value (code 23514)");

    let mysql = fresh::mysql().await;
    let narrow = format!(
        "ALTER TABLE {} MODIFY record LONGTEXT CHARACTER SET latin1",
        mysql.table
    );
    mysql
        .store
        .pool()
        .execute(AssertSqlSafe(narrow))
        .await
        .expect("a narrower column");
    let json = format!(r#"{{"v":1,"created_at":1,"deadline":1,"data":{{"text":"🛒{SECRET}"}}}}"#);
    let wide = Record::from_json(&json, Version::FIRST, in_an_hour()).expect("a record");
    let refused = mysql
        .store
        .create(handle(), &wide)
        .await
        .expect_err("a create");
    said(&refused, "refused a value");
}

async fn a_full_disk_loses_nothing(store: impl SessionStore, bytes: usize, wanted: &str) {
    let mut kept = Vec::new();
    let error = loop {
        let handle = handle();
        match store.create(handle, &record(bytes)).await {
            Ok(Created::Created) => kept.push(handle),
            Ok(other) => unreachable!("{other:?}: a handle of 128 random bits"),
            Err(error) => break error,
        }
        assert!(kept.len() < 10_000, "the disk is not small");
    };
    println!(
        "full after {} sessions: {}",
        kept.len(),
        error.source().expect("the engine's error")
    );
    said(&error, wanted);
    for handle in &kept {
        assert!(
            store.load(*handle).await.expect("a load").is_some(),
            "what was stored is there"
        );
    }
    assert!(store.load(handle()).await.expect("a load").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_under_sqlite() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let url = format!("sqlite:{}", disk.0.path().join("sessions.db").display());
    let store = SqliteStore::connect(&url).await.expect("a file");
    store.migrate().await.expect("a table");
    a_full_disk_loses_nothing(store.clone(), 20_000, "full").await;
    store.pool().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_under_postgresql() {
    let server = Mortal::start(Engine::Postgres);
    let Some(disk) = SmallDisk::mount("4m") else {
        return;
    };
    let client = beside::client(server.url()).await;
    let folder = disk.0.path().join("tables");
    std::fs::create_dir(&folder).expect("a folder");
    servers::own(&folder);
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", folder.display());
    client.batch_execute(&space).await.expect("a tablespace");
    client
        .batch_execute("ALTER ROLE postgres SET default_tablespace = small")
        .await
        .expect("a setting");
    let store = PostgresStore::connect(server.url())
        .await
        .expect("a connection");
    store.migrate().await.expect("a table");
    // Text that repeats would be compressed to nothing.
    client
        .batch_execute("ALTER TABLE wiz_sessions ALTER record SET STORAGE EXTERNAL")
        .await
        .expect("a setting");
    a_full_disk_loses_nothing(store, 20_000, "No space left on device").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_under_mysql() {
    let server = Mortal::start(Engine::Mysql);
    let pool = sqlx::MySqlPool::connect(server.url())
        .await
        .expect("a connection");
    pool.execute("CREATE DATABASE small")
        .await
        .expect("a database");
    let Some(disk) = SmallDisk::mount("4m") else {
        return;
    };
    // Where the server keeps the files of that database.
    let folder = server.data().join("small");
    std::fs::remove_dir_all(&folder).expect("an empty database");
    std::os::unix::fs::symlink(disk.0.path(), &folder).expect("a link");
    let store = MySqlStore::connect(&server.url().replacen("/wiz", "/small", 1))
        .await
        .expect("a connection");
    store.migrate().await.expect("a table");
    // Small enough for the row itself: MariaDB 10.11 ends itself when it has to take back a larger one on a full disk.
    a_full_disk_loses_nothing(store, 3_000, "is full").await;
}
