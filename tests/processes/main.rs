//! Two processes of the example server on one store: what holds between requests holds between processes.
//!
//! The database servers are started by the tests, as in `tests/sql` and `tests/redis`. `cargo test` builds the example
//! with the same features; `cargo test --test processes` alone does not.

#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../support/http_browser.rs"]
mod browser;
#[allow(dead_code, reason = "the Redis store's tests use the rest")]
#[path = "../redis/servers.rs"]
mod redis_servers;
#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../support/example_server.rs"]
mod server;
#[allow(dead_code, reason = "the SQL stores' tests use the rest")]
#[path = "../sql/servers.rs"]
mod sql_servers;
#[allow(dead_code, reason = "the stores' tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{browser::Browser, server::Server};

const AT_ONCE: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let folder = support::folder();
    let file = folder.path().join("sessions.db");
    two_processes(&format!("sqlite:{}", file.display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    two_processes(&sql_servers::postgres_url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    two_processes(&sql_servers::mysql_url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    let redis = redis_servers::Redis::start(&[]);
    two_processes(&redis.url()).await;
}

async fn two_processes(store: &str) {
    // Both create the table, at the same time.
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| Server::start_on(store));
        let two = Server::start_on(store);
        (one.join().expect("the first server starts"), two)
    });
    let servers = [one, two];
    every_key_is_kept(&servers).await;
    every_item_is_kept(&servers).await;
    a_logout_holds_against_a_slow_writer(&servers).await;
    a_login_ends_the_old_id(&servers).await;
    a_session_outlives_the_processes(servers, store).await;
}

/// A visitor with a session, once as a client of each process.
async fn visitor(servers: &[Server; 2]) -> [Browser; 2] {
    let first = Browser::new(&servers[0]);
    first
        .post(
            "/api/slow_set",
            json!({ "key": "first", "value": 0, "ms": 0 }),
        )
        .await
        .expect(200);
    on_both(
        servers,
        &first.cookie().expect("the first write sends a cookie"),
    )
}

fn on_both(servers: &[Server; 2], cookie: &str) -> [Browser; 2] {
    [0, 1].map(|n| Browser::with_cookie(&servers[n], cookie))
}

async fn at_once(clients: &[Browser; 2], path: &'static str, body: impl Fn(usize) -> Value) {
    let mut requests = JoinSet::new();
    for n in 0..AT_ONCE {
        let (client, body) = (clients[n % 2].clone(), body(n));
        requests.spawn(async move { client.post(path, body).await.expect(200) });
    }
    requests.join_all().await;
}

async fn session(client: &Browser) -> Value {
    client.get("/api/session").await.expect(200).json()
}

async fn every_key_is_kept(servers: &[Server; 2]) {
    let clients = visitor(servers).await;
    at_once(
        &clients,
        "/api/slow_set",
        |n| json!({ "key": format!("k{n}"), "value": n, "ms": 5 }),
    )
    .await;
    let kept = session(&clients[0]).await;
    assert_eq!(
        kept.as_object().map(serde_json::Map::len),
        Some(AT_ONCE + 1),
        "every key is kept: {kept}"
    );
}

async fn every_item_is_kept(servers: &[Server; 2]) {
    let clients = visitor(servers).await;
    at_once(&clients, "/api/add_to_cart", |n| json!({ "product_id": n })).await;
    let kept = session(&clients[1]).await;
    let items: BTreeSet<u64> = kept["cart"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    assert_eq!(
        items,
        (0..AT_ONCE as u64).collect(),
        "every item is kept: {kept}"
    );
}

async fn a_logout_holds_against_a_slow_writer(servers: &[Server; 2]) {
    let clients = visitor(servers).await;
    let writer = clients[0].clone();
    let slow = tokio::spawn(async move {
        writer
            .post(
                "/api/slow_set",
                json!({ "key": "late", "value": 1, "ms": 500 }),
            )
            .await
    });
    // The writer has loaded its session by then, as the server says nothing of it before it answers.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cookie = clients[1].cookie().expect("it has a session");
    clients[1].post("/api/logout", json!({})).await.expect(200);
    let late = slow.await.expect("no panic").expect(200);
    assert!(
        late.set_cookie().is_none(),
        "the late answer sends no cookie"
    );
    for client in on_both(servers, &cookie) {
        assert_eq!(
            session(&client).await,
            json!({}),
            "a session that was ended stays ended"
        );
    }
}

async fn a_login_ends_the_old_id(servers: &[Server; 2]) {
    let clients = visitor(servers).await;
    let old = clients[0].cookie().expect("it has a session");
    clients[0].log_in_as_alice().await;
    let new = clients[0].cookie().expect("a login sends a cookie");
    assert_ne!(old, new);
    for client in on_both(servers, &old) {
        assert_eq!(
            session(&client).await,
            json!({}),
            "the old id is dead on both"
        );
    }
    for client in on_both(servers, &new) {
        assert_eq!(
            session(&client).await["user_email"],
            "alice@example.com",
            "the new one lives on both"
        );
    }
}

async fn a_session_outlives_the_processes(servers: [Server; 2], store: &str) {
    let [client, _] = visitor(&servers).await;
    let cookie = client.cookie().expect("it has a session");
    drop(servers);
    let server = Server::start_on(store);
    assert_eq!(
        session(&Browser::with_cookie(&server, &cookie)).await,
        json!({ "first": 0 })
    );
}
