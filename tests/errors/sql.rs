//! What databases refuse.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use sqlx::{Executor, MySqlPool, mysql::MySqlConnectOptions, sqlite::SqliteConnectOptions};
use tokio_postgres::{Config, config::SslMode};
use wiz_session::{
    Handle, Record, SessionStore, Version,
    store::{MySqlStore, PostgresStore, SqliteStore},
};

use crate::{
    beside,
    met::{Met, SECRET, failure},
    sql_servers::{self, Engine, Mortal},
    support,
};

const HANDLE: Handle = Handle::from_bytes([1; 16]);

fn record() -> Record {
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,"user":"{SECRET}","data":{{"text":"{}"}}}}"#,
        SECRET.repeat(10_000)
    );
    let expires_at = SystemTime::now() + Duration::from_secs(3600);
    Record::from_json(&json, Version::FIRST, expires_at).expect("a record")
}

async fn load(store: &impl SessionStore) -> Met {
    failure(store.load(HANDLE).await)
}

async fn create(store: &impl SessionStore) -> Met {
    failure(store.create(HANDLE, &record()).await)
}

/// Runs statements beside the store.
async fn run<'c, E: Executor<'c>>(on: E, sql: &'static str) {
    on.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
        .await
        .expect(sql);
}

pub(crate) async fn meet_postgres() -> Vec<Met> {
    let server = Mortal::start(Engine::Postgres);
    let connect = async |url: String| failure(PostgresStore::connect(&url).await);
    let url = |user: &str| server.url().replacen("postgres@", &format!("{user}@"), 1);
    let (client, folder) = (beside::client(server.url()).await, support::folder());
    let store = PostgresStore::from_config(server.url().parse().expect("an address"));

    let mut met = vec![
        connect(format!("postgres://app:{SECRET}@[/app")).await,
        connect(format!(
            "postgres://app:{SECRET}@127.0.0.1:{}/app",
            support::free_port()
        ))
        .await
        .because("refused"),
        connect(format!("{}?dbname=nowhere", server.url()))
            .await
            .because("nowhere"),
        connect(format!(
            "{}?sslmode=require&sslrootcert={}",
            server.url(),
            sql_servers::certify(folder.path(), "127.0.0.1")
        ))
        .await
        .because("does not support TLS"),
        load(&store).await.because("does not exist"),
    ];

    let run = async |sql: &str| client.batch_execute(sql).await.expect("it is done");
    run("CREATE ROLE wiz_password LOGIN PASSWORD 'right'; CREATE ROLE weak LOGIN").await;
    met.push(
        connect(url(&format!("wiz_password:{SECRET}")))
            .await
            .because("password authentication failed"),
    );
    met.push(connect(url("wiz_encrypted")).await.because("no encryption"));
    store.migrate().await.expect("a table");
    let weak = PostgresStore::connect(&url("weak"))
        .await
        .expect("a connection");
    met.push(load(&weak).await.because("permission denied"));

    let mut read_only: Config = server.url().parse().expect("an address");
    read_only.options("-c default_transaction_read_only=on");
    met.push(
        create(&PostgresStore::from_config(read_only))
            .await
            .because("read-only transaction"),
    );

    store.create(HANDLE, &record()).await.expect("a create");
    let locked = beside::client(server.url()).await;
    let lock = "BEGIN; SELECT 1 FROM wiz_sessions FOR UPDATE";
    locked.batch_execute(lock).await.expect("a lock");
    met.push(failure(store.delete(HANDLE).await).because("lock timeout"));
    drop(locked);

    run("CREATE ROLE few LOGIN CONNECTION LIMIT 0").await;
    met.push(connect(url("few")).await.because("too many connections"));
    run("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        .await;
    let latin = PostgresStore::connect(&format!("{}?dbname=latin", server.url())).await;
    let latin = latin.expect("a connection");
    latin.migrate().await.expect("a table");
    met.push(failure(latin.list("앨리스").await).because("code 22P05"));

    run("DELETE FROM wiz_sessions").await;
    run("ALTER TABLE wiz_sessions ADD CHECK (version > 5)").await;
    met.push(create(&store).await.because("refused a value (code 23514)"));
    run("ALTER TABLE wiz_sessions DROP COLUMN record").await;
    met.push(load(&store).await.because("column"));
    meet_tls(&server, &mut met).await;
    met
}

async fn meet_tls(server: &Mortal, met: &mut Vec<Met>) {
    let authority = server.offer_tls("localhost");
    let connect = async |host: &str, authority: &str| {
        let url = server.url().replace("127.0.0.1", host);
        let url = format!("{url}?sslmode=verify-full&sslrootcert={authority}");
        failure(PostgresStore::connect(&url).await)
    };
    met.push(
        connect("127.0.0.1", &authority)
            .await
            .because("certificate"),
    );
    met.push(connect("localhost", "/no/file").await.because("/no/file"));
    let mut config: Config = server.url().parse().expect("an address");
    config.ssl_mode(SslMode::Require).host("localhost");
    let store = PostgresStore::from_config(config);
    met.push(load(&store).await.because("no TLS"));
}

pub(crate) async fn meet_mysql() -> Vec<Met> {
    let server = Mortal::start(Engine::Mysql);
    let connect = async |url: String| failure(MySqlStore::connect(&url).await);
    let url = |user: &str| server.url().replacen("root@", &format!("{user}@"), 1);
    let pool = MySqlPool::connect(server.url())
        .await
        .expect("a connection");
    let store = MySqlStore::from_pool(pool.clone());

    let mut met = vec![
        connect(format!("mysql://app:{SECRET}@[/app")).await,
        connect(format!(
            "mysql://app:{SECRET}@127.0.0.1:{}/app",
            support::free_port()
        ))
        .await
        .because("timed out"),
        connect(server.url().replace("/wiz", "/nowhere"))
            .await
            .because("nowhere"),
        connect(format!("{}?ssl-mode=REQUIRED", server.url())).await,
        load(&store).await.because("doesn't exist"),
    ];

    run(
        &pool,
        "CREATE USER wiz_password IDENTIFIED BY 'right'; CREATE USER weak; CREATE USER weaker; \
         CREATE USER few WITH MAX_USER_CONNECTIONS 1; \
         CREATE TABLE other (n INT); GRANT SELECT ON wiz.other TO weak; GRANT ALL ON wiz.* TO few",
    )
    .await;
    met.push(
        connect(url(&format!("wiz_password:{SECRET}")))
            .await
            .because("Access denied"),
    );
    met.push(connect(url("weaker")).await.because("Access denied"));
    store.migrate().await.expect("a table");
    let weak = MySqlStore::connect(&url("weak"))
        .await
        .expect("a connection");
    met.push(load(&weak).await.because("denied"));
    let _few = MySqlStore::connect(&url("few"))
        .await
        .expect("the one that it may have");
    met.push(connect(url("few")).await.because("max_user_connections"));

    let options: MySqlConnectOptions = server.url().parse().expect("an address");
    let settings = MySqlStore::pool_options().after_connect(|connection, _| {
        Box::pin(async {
            connection
                .execute("SET SESSION TRANSACTION READ ONLY")
                .await
                .map(drop)
        })
    });
    let read_only = settings.connect_with(options).await.expect("a connection");
    met.push(
        create(&MySqlStore::from_pool(read_only))
            .await
            .because("READ ONLY"),
    );

    run(
        &pool,
        "SET GLOBAL autocommit = 0; SET GLOBAL max_allowed_packet = 65536",
    )
    .await;
    let small = MySqlStore::connect(server.url())
        .await
        .expect("a connection");
    met.push(create(&small).await.because("packet"));
    let off = MySqlPool::connect(server.url())
        .await
        .expect("a connection");
    let off = MySqlStore::from_pool(off);
    met.push(failure(off.delete(HANDLE).await).because("autocommit"));

    run(&pool, "ALTER TABLE wiz_sessions DROP COLUMN record").await;
    met.push(load(&store).await.because("column"));

    pool.close().await;
    met.push(load(&store).await.because("closed pool"));
    met
}

pub(crate) async fn meet_sqlite() -> Vec<Met> {
    let folder = support::folder();
    let file = folder.path().join("sessions.db");
    let connect = async |url: &str| failure(SqliteStore::connect(url).await);
    let no_database = folder.path().join("letter.txt");
    std::fs::write(&no_database, "Dear reader, ".repeat(1_000)).expect("a file");

    let mut met = vec![
        connect("sqlite:sessions.db?mode=none").await,
        connect("sqlite:").await.because("names no file"),
        connect("sqlite://").await.because("names no file"),
        connect("sqlite:/no/such/folder/sessions.db")
            .await
            .because("unable to open"),
        connect(&address(&no_database))
            .await
            .because("not a database"),
    ];

    let store = SqliteStore::connect(&address(&file)).await.expect("a file");
    met.push(load(&store).await.because("no such table"));
    store.migrate().await.expect("a table");

    let options: SqliteConnectOptions = address(&file).parse().expect("an address");
    let with = async |options| {
        let pool = SqliteStore::pool_options().connect_with(options).await;
        SqliteStore::from_pool(pool.expect("the file"))
    };
    let read_only = with(options.clone().read_only(true)).await;
    met.push(create(&read_only).await.because("readonly"));
    let full = with(options.clone().pragma("max_page_count", "8")).await;
    met.push(create(&full).await.because("full"));
    let impatient = with(options.busy_timeout(Duration::from_millis(10))).await;
    let mut other = store.pool().acquire().await.expect("a connection");
    run(&mut *other, "BEGIN IMMEDIATE").await;
    met.push(create(&impatient).await.because("locked"));
    run(&mut *other, "ROLLBACK").await;

    damage(&store, "version = -1", &mut met).await;
    damage(&store, "handle = 'hunter2'", &mut met).await;
    run(
        store.pool(),
        "DROP TABLE wiz_sessions; CREATE TABLE wiz_sessions (handle TEXT)",
    )
    .await;
    met.push(load(&store).await.because("no such column"));
    run(
        store.pool(),
        "DROP TABLE wiz_sessions; CREATE TABLE wiz_sessions (handle, version, expires_at, record); \
         INSERT INTO wiz_sessions VALUES ('01010101010101010101010101010101', 'hunter2', 1, '{}')",
    )
    .await;
    met.push(load(&store).await);
    met
}

fn address(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// Stores a record, spoils a column, and reads it.
async fn damage(store: &SqliteStore, change: &str, met: &mut Vec<Met>) {
    store.create(HANDLE, &record()).await.expect("a create");
    let update = format!("UPDATE wiz_sessions SET {change}");
    store
        .pool()
        .execute(sqlx::AssertSqlSafe(update))
        .await
        .expect("damage");
    met.push(failure(store.list(SECRET).await));
    run(store.pool(), "DELETE FROM wiz_sessions").await;
}
