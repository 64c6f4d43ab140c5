//! Databases that are set up otherwise than by default: the store works there, or says why not.

use std::error::Error as _;

use tokio_postgres::NoTls;
use wiz_session::{
    Error, Record, SessionStore, Version,
    store::{Created, MySqlStore, PostgresStore, conformance},
};

use crate::{
    beside, races,
    schema::{handle, in_an_hour, record},
    servers::{Engine, Mortal},
};

#[track_caller]
fn refused<T>(answer: Result<T, Error>, why: &str, advice: &str) {
    let error = answer.err().expect("it is refused");
    let source = error.source().expect("why").to_string();
    assert!(source.contains(why), "{source}");
    assert!(error.to_string().contains(advice), "{error}");
}

async fn run(server: &Mortal, sql: &str) {
    let client = beside::client(server.url()).await;
    client.batch_execute(sql).await.expect(sql);
}

async fn postgresql_conforms_at(level: &str) {
    let server = Mortal::start(Engine::Postgres);
    let set = format!("ALTER ROLE postgres SET default_transaction_isolation = '{level}'");
    run(&server, &set).await;
    let store = PostgresStore::connect(server.url()).await;
    let store = store.expect("a connection");
    store.migrate().await.expect("a table");
    conformance::run(store.clone()).await;
    races::run(store, 2).await;
}

async fn mysql_conforms_at(level: &str) {
    let server = Mortal::start(Engine::Mysql);
    let connect = async || {
        MySqlStore::connect(server.url())
            .await
            .expect("a connection")
    };
    let owner = connect().await;
    owner.migrate().await.expect("a table");
    let set = format!("SET GLOBAL TRANSACTION ISOLATION LEVEL {level}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(set))
        .execute(owner.pool())
        .await
        .expect("it is set");
    let store = connect().await;
    conformance::run(store.clone()).await;
    races::run(store, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_conforms_where_transactions_are_serializable() {
    postgresql_conforms_at("serializable").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_conforms_where_reads_are_repeatable() {
    postgresql_conforms_at("repeatable read").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_conforms_where_transactions_are_serializable() {
    mysql_conforms_at("SERIALIZABLE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_conforms_where_reads_are_of_what_is_committed() {
    mysql_conforms_at("READ COMMITTED").await;
}

/// Of a database in LATIN1, which has no Korean and no emoji.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_database_cannot_write_is_refused_and_nothing_lost() {
    let server = Mortal::start(Engine::Postgres);
    run(
        &server,
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )
    .await;
    let url = format!("{}?dbname=latin", server.url());
    let store = PostgresStore::connect(&url).await.expect("a connection");
    store.migrate().await.expect("a table");
    let handle = handle();
    let french = record(Some("Zoë"), in_an_hour());
    assert_eq!(
        store.create(handle, &french).await.expect("a create"),
        Created::Created
    );
    let json = r#"{"v":1,"created_at":1,"deadline":1,"data":{"키":"🛒"}}"#;
    let korean = Record::from_json(json, Version::FIRST, in_an_hour()).expect("a record");
    let (why, advice) = ("refused a value (code 22P05)", "encoding UTF8");
    refused(
        store.replace(handle, Version::FIRST, &korean).await,
        why,
        advice,
    );
    refused(
        store.create(crate::schema::handle(), &korean).await,
        why,
        advice,
    );
    refused(store.list("앨리스").await, why, advice);
    let loaded = store
        .load(handle)
        .await
        .expect("a load")
        .expect("it is there");
    assert_eq!(loaded.to_json(), french.to_json());
    assert_eq!(store.list("Zoë").await.expect("a list").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_postgresql_is_an_error_until_there_is_room() {
    let server = Mortal::start(Engine::Postgres);
    run(&server, "CREATE ROLE few LOGIN CONNECTION LIMIT 1").await;
    let url = server.url().replace("postgres@", "few@");
    let (client, connection) = tokio_postgres::connect(&url, NoTls)
        .await
        .expect("the only one");
    let driver = tokio::spawn(connection);
    refused(
        PostgresStore::connect(&url).await,
        "too many connections",
        "take more connections",
    );
    drop(client);
    let _ = driver.await;
    PostgresStore::connect(&url).await.expect("there is room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_that_is_there_is_migrated_without_the_right_to_create() {
    let server = Mortal::start(Engine::Postgres);
    let owner = PostgresStore::connect(server.url())
        .await
        .expect("a connection");
    owner.migrate().await.expect("a table");
    run(
        &server,
        "CREATE ROLE weak LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON wiz_sessions TO weak",
    )
    .await;
    let url = server.url().replace("postgres@", "weak@");
    let weak = PostgresStore::connect(&url).await.expect("a connection");
    weak.migrate().await.expect("the table is there");
    weak.create(handle(), &record(None, in_an_hour()))
        .await
        .expect("a create");
    let other = weak.with_table("other").expect("a name");
    refused(
        other.migrate().await,
        "denied",
        "CREATE if it is to `migrate()`",
    );

    let server = Mortal::start(Engine::Mysql);
    let owner = MySqlStore::connect(server.url())
        .await
        .expect("a connection");
    owner.migrate().await.expect("a table");
    for sql in [
        "CREATE USER weak",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON wiz.wiz_sessions TO weak",
    ] {
        sqlx::query(sql).execute(owner.pool()).await.expect(sql);
    }
    let url = server.url().replace("root@", "weak@");
    let weak = MySqlStore::connect(&url).await.expect("a connection");
    weak.migrate().await.expect("the table is there");
    weak.create(handle(), &record(None, in_an_hour()))
        .await
        .expect("a create");
    let other = weak.with_table("other").expect("a name");
    refused(
        other.migrate().await,
        "denied",
        "CREATE if it is to `migrate()`",
    );
}

/// Every answered write would be undone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_without_autocommit_keeps_what_is_written() {
    let server = Mortal::start(Engine::Mysql);
    let owner = MySqlStore::connect(server.url())
        .await
        .expect("a connection");
    owner.migrate().await.expect("a table");
    let off = "SET GLOBAL autocommit = 0";
    sqlx::query(off).execute(owner.pool()).await.expect(off);

    let handle = handle();
    let store = MySqlStore::connect(server.url())
        .await
        .expect("a connection");
    store
        .create(handle, &record(None, in_an_hour()))
        .await
        .expect("a create");
    store.pool().close().await;
    assert!(owner.load(handle).await.expect("a load").is_some());

    let pool = sqlx::MySqlPool::connect(server.url())
        .await
        .expect("a pool");
    let handed_in = MySqlStore::from_pool(pool);
    refused(
        handed_in.delete(handle).await,
        "autocommit",
        "turn `autocommit` on",
    );
    assert!(owner.load(handle).await.expect("a load").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_larger_than_mysql_takes_is_an_error_that_says_so() {
    let server = Mortal::start(Engine::Mysql);
    let owner = MySqlStore::connect(server.url())
        .await
        .expect("a connection");
    owner.migrate().await.expect("a table");
    let small = "SET GLOBAL max_allowed_packet = 65536";
    sqlx::query(small).execute(owner.pool()).await.expect(small);
    let store = MySqlStore::connect(server.url())
        .await
        .expect("a connection");
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":1,"data":{{"a":"{}"}}}}"#,
        "x".repeat(100_000)
    );
    let large = Record::from_json(&json, Version::FIRST, in_an_hour()).expect("a record");
    refused(
        store.create(handle(), &large).await,
        "packet",
        "max_allowed_packet",
    );
    store
        .create(handle(), &record(None, in_an_hour()))
        .await
        .expect("a small one");
}

/// Two servers, of which one may be written to, and then the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_primary_is_followed() {
    let servers = [
        Mortal::start(Engine::Postgres),
        Mortal::start(Engine::Postgres),
    ];
    for server in &servers {
        let store = PostgresStore::connect(server.url())
            .await
            .expect("a connection");
        store.migrate().await.expect("a table");
    }
    let set_read_only = async |server: &Mortal, on: bool| {
        let client = beside::client(server.url()).await;
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
        client.batch_execute(&set).await.expect("a setting");
        client
            .batch_execute("SELECT pg_reload_conf()")
            .await
            .expect("it is read");
    };
    set_read_only(&servers[0], true).await;
    let hosts = servers
        .each_ref()
        .map(|server| format!("127.0.0.1:{}", server.port()))
        .join(",");
    let url = format!("postgres://postgres@{hosts}/postgres?target_session_attrs=read-write");
    let store = PostgresStore::connect(&url).await.expect("a connection");
    // A session's handle says which connection it takes: twenty sessions take both.
    let store = store.with_connections(2).expect("a number of connections");
    let create = async || store.create(handle(), &record(None, in_an_hour())).await;
    for _ in 0..20 {
        create().await.expect("on the second one");
    }

    set_read_only(&servers[0], false).await;
    set_read_only(&servers[1], true).await;
    let start = std::time::Instant::now();
    // A connection follows by the first write after its server has read the setting, which may take a while: that write
    // is refused.
    loop {
        let before = count(&servers[0]).await;
        for _ in 0..20 {
            if let Err(error) = create().await {
                assert!(error.to_string().contains("may write"), "{error}");
            }
        }
        if count(&servers[0]).await == before + 20 {
            break;
        }
        assert!(
            start.elapsed().as_secs() < 20,
            "it stays with the former primary"
        );
    }
}

/// It takes connections, and says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_host_leaves_time_for_the_next_one() {
    let [frozen, server] = [(); 2].map(|()| Mortal::start(Engine::Postgres));
    frozen.freeze();
    let hosts = [&frozen, &server].map(|server| format!("127.0.0.1:{}", server.port()));
    let url = format!("postgres://postgres@{}/postgres", hosts.join(","));
    let store = PostgresStore::connect(&url).await.expect("a connection");
    store.migrate().await.expect("a table");
    frozen.thaw();
}

async fn count(server: &Mortal) -> u64 {
    let store = PostgresStore::connect(server.url())
        .await
        .expect("a connection");
    store
        .count(std::time::SystemTime::now())
        .await
        .expect("a count")
}
