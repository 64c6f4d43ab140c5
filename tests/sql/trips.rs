//! What a request costs, counted on the way to the server.

use std::time::Duration;

use axum::Router;
use wiz_session::{
    Clock, SessionStore,
    store::{MySqlStore, PostgresStore},
};

use crate::{
    client::Client,
    fresh,
    proxy::{Protocol, Proxy},
    servers, shop,
};

/// The port in an address, and the address by way of another.
pub(crate) fn reroute(url: &str, proxy: u16) -> String {
    let port = port(url).to_string();
    url.replacen(&format!(":{port}/"), &format!(":{proxy}/"), 1)
}

pub(crate) fn port(url: &str) -> u16 {
    let port = url
        .rsplit_once(':')
        .and_then(|(_, rest)| rest.split('/').next());
    port.and_then(|port| port.parse().ok())
        .expect("a port in the address")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_is_asked_no_more_than_promised() {
    let url = servers::postgres_url();
    let proxy = Proxy::start(Protocol::Postgres, port(&url)).await;
    let store = PostgresStore::connect(&reroute(&url, proxy.port)).await;
    let store = store
        .expect("a connection")
        .with_table(&fresh::table())
        .expect("a name");
    store.migrate().await.expect("a table");
    every_request_costs_what_it_should(store, &proxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_is_asked_no_more_than_promised() {
    let url = servers::mysql_url();
    let proxy = Proxy::start(Protocol::Mysql, port(&url)).await;
    let pool = MySqlStore::pool_options()
        .max_connections(1)
        .connect(&reroute(&url, proxy.port))
        .await;
    let store = MySqlStore::from_pool(pool.expect("a connection"))
        .with_table(&fresh::table())
        .expect("a name");
    store.migrate().await.expect("a table");
    every_request_costs_what_it_should(store, &proxy).await;
}

/// With one connection: what a second one says when it is opened would count too.
async fn every_request_costs_what_it_should(store: impl SessionStore, proxy: &Proxy) {
    let clock = Clock::manual();
    let app = shop::app(store, clock.clone());
    let mut client = Client::default();
    let forged = Client {
        cookie: Some(format!("sid={}", "x".repeat(75))),
    };
    let cost = async |client: &mut Client, app: &Router, path: &str| {
        proxy.statements();
        let answer = client.visit(app, path).await;
        assert!(answer.status.is_success(), "{answer:?}");
        proxy.statements()
    };

    let mut costs = Vec::new();
    for path in [
        "/untouched",
        "/read",
        "/push/1",
        "/read",
        "/push/2",
        "/regenerate",
        "/log_in/alice",
        "/push/3",
    ] {
        costs.push((path, cost(&mut client, &app, path).await));
    }
    costs.push(("forged", cost(&mut forged.clone(), &app, "/read").await));
    clock.advance(Duration::from_secs(4 * 60));
    costs.push(("touched", cost(&mut client, &app, "/read").await));
    costs.push(("touched lately", cost(&mut client, &app, "/read").await));
    costs.push(("clear", cost(&mut client, &app, "/clear").await));
    println!("{costs:?}");
    assert_eq!(
        costs,
        [
            ("/untouched", 0),
            ("/read", 0),
            ("/push/1", 1),
            ("/read", 1),
            ("/push/2", 2),
            ("/regenerate", 2),
            ("/log_in/alice", 2),
            ("/push/3", 2),
            ("forged", 0),
            ("touched", 2),
            ("touched lately", 1),
            ("clear", 2),
        ]
    );
}
