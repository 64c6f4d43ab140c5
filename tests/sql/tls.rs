//! TLS to PostgreSQL: the server is who it says, or there is no connection.

use std::error::Error as _;

use tokio_postgres::{Config, config::SslMode};
use wiz_session::{Error, SessionStore, store::PostgresStore};

use crate::{
    beside,
    schema::handle,
    servers::{self, Engine, Mortal},
};

/// A server with a certificate for `localhost`, and the file of its authority.
async fn server() -> (Mortal, String) {
    let server = Mortal::start(Engine::Postgres);
    let authority = server.offer_tls("localhost");
    let client = beside::client(server.url()).await;
    client
        .batch_execute(
            "CREATE ROLE wiz_encrypted LOGIN; GRANT CREATE ON SCHEMA public TO wiz_encrypted",
        )
        .await
        .expect("a role");
    (server, authority)
}

/// The address with this host, user and settings.
fn address(server: &Mortal, host: &str, settings: &str) -> String {
    let url = server.url().replace("127.0.0.1", host);
    format!("{}?{settings}", url.replace("postgres@", "wiz_encrypted@"))
}

#[track_caller]
fn refused(store: Result<PostgresStore, Error>, why: &str, advice: &str) {
    let error = store.expect_err("it is refused");
    let source = error.source().expect("why").to_string();
    assert!(source.contains(why), "{source}");
    assert!(error.to_string().contains(advice), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_verified_server_is_talked_to_in_secret() {
    let (server, authority) = server().await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let settings = format!("sslmode={mode}&sslrootcert={authority}");
        let url = address(&server, "localhost", &settings);
        let store = PostgresStore::connect(&url).await.expect("a connection");
        store.migrate().await.expect("a table");
        assert!(store.load(handle()).await.expect("a load").is_none());
        let client = beside::client(server.url()).await;
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
            WHERE application_name = 'wiz-session'";
        let row = client.query_one(encrypted, &[]).await.expect("a row");
        assert!(row.get::<_, bool>(0), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_not_verified_is_refused() {
    let (server, authority) = server().await;
    let connect = async |host: &str, settings: String| {
        PostgresStore::connect(&address(&server, host, &settings)).await
    };
    let own = format!("sslmode=verify-full&sslrootcert={authority}");
    let wrong_host = connect("127.0.0.1", own.clone()).await;
    refused(wrong_host, "certificate", "host name");
    let unknown = connect("localhost", "sslmode=verify-full".to_owned()).await;
    refused(unknown, "certificate", "sslrootcert");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let other = servers::certify(elsewhere.path(), "localhost");
    let other = connect("localhost", format!("sslmode=require&sslrootcert={other}")).await;
    refused(other, "certificate", "sslrootcert");
    let no_file = connect(
        "localhost",
        "sslmode=require&sslrootcert=/no/file".to_owned(),
    )
    .await;
    refused(no_file, "/no/file", "sslrootcert");
    let in_clear = connect("localhost", "connect_timeout=2".to_owned()).await;
    refused(in_clear, "no encryption", "sslmode=verify-full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let server = Mortal::start(Engine::Postgres);
    let authority = servers::certify(server.data(), "localhost");
    let url = address(
        &server,
        "localhost",
        &format!("sslmode=verify-full&sslrootcert={authority}"),
    );
    refused(
        PostgresStore::connect(&url).await,
        "does not support TLS",
        "ssl = on",
    );
}

/// Without the feature `postgres-tls`, or by a configuration alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_configuration_that_asks_for_tls_takes_a_connector() {
    let (server, _) = server().await;
    let mut config: Config = address(&server, "localhost", "")
        .parse()
        .expect("an address");
    config.ssl_mode(SslMode::Require);
    let store = PostgresStore::from_config(config);
    let refusal = store.migrate().await.map(|()| store);
    refused(refusal, "no TLS", "postgres-tls");
}
