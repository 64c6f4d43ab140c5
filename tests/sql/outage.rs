//! Servers that die, freeze and vanish under load: what was answered 200 is there afterwards, nothing hangs, and
//! nobody has to restart the application.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::Router;
use http::StatusCode;
use tokio::time::sleep;
use wiz_session::{
    Clock, SessionStore,
    store::{MySqlStore, PostgresStore},
};

use crate::{
    client::Client,
    proxy::{Protocol, Proxy},
    servers::{Engine, Mortal},
    shop::{self, STORE_TIMEOUT},
    trips::reroute,
};

/// A request makes two calls at the most, each of which may take as long as the layer waits.
const PATIENCE: Duration = Duration::from_millis(2 * STORE_TIMEOUT.as_millis() as u64 + 500);

async fn postgres(url: &str) -> PostgresStore {
    let store = PostgresStore::connect(url).await.expect("a connection");
    store.migrate().await.expect("a table");
    store
}

async fn mysql(url: &str) -> MySqlStore {
    let store = MySqlStore::connect(url).await.expect("a connection");
    store.migrate().await.expect("a table");
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_is_killed_under_load() {
    let server = Mortal::start(Engine::Postgres);
    let store = postgres(server.url()).await;
    nothing_is_lost_by_a_kill(store, server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_is_killed_under_load() {
    let server = Mortal::start(Engine::Mysql);
    let store = mysql(server.url()).await;
    nothing_is_lost_by_a_kill(store, server).await;
}

async fn nothing_is_lost_by_a_kill(store: impl SessionStore, mut server: Mortal) {
    let app = shop::app(store, Clock::system());
    let over = Arc::new(AtomicBool::new(false));
    let shoppers: Vec<_> = (0..12)
        .map(|_| tokio::spawn(shop_until(app.clone(), Arc::clone(&over))))
        .collect();
    sleep(Duration::from_millis(700)).await;
    server.kill();
    // Longer than a call may take, so that whatever it met is answered before the server is back.
    sleep(STORE_TIMEOUT + Duration::from_secs(1)).await;
    server.start_again();
    // The server is there: from the first request on, all is well again.
    let mut newcomer = Client::default();
    let answer = newcomer.visit(&app, "/push/1").await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "the first request after the restart"
    );
    sleep(Duration::from_millis(700)).await;
    over.store(true, Ordering::SeqCst);

    let (mut refused, mut slowest) = (0, Duration::ZERO);
    for shopper in shoppers {
        let shopped = shopper.await.expect("a shopper does not panic");
        let list = shopped.client.peek(&app, "/read").await.body;
        let kept: BTreeSet<u64> = serde_json::from_str(&list).expect("a list");
        assert!(
            shopped.confirmed.is_subset(&kept),
            "lost: {:?}",
            shopped.confirmed.difference(&kept)
        );
        refused += shopped.refused;
        slowest = slowest.max(shopped.slowest);
    }
    println!("{refused} requests refused, the slowest took {slowest:?}");
    assert!(refused > 0, "requests met the outage");
    assert!(slowest < PATIENCE, "a request took {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_restarts_while_nobody_looks() {
    let server = Mortal::start(Engine::Postgres);
    let store = postgres(server.url()).await;
    nobody_notices_a_quiet_restart(store, server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_restarts_while_nobody_looks() {
    let server = Mortal::start(Engine::Mysql);
    let store = mysql(server.url()).await;
    nobody_notices_a_quiet_restart(store, server).await;
}

/// The pool is full of connections that have died, some of them a moment ago.
async fn nobody_notices_a_quiet_restart(store: impl SessionStore, mut server: Mortal) {
    let app = shop::app(store, Clock::system());
    let mut client = Client::default();
    client.visit(&app, "/push/0").await;
    for (n, idle) in [Duration::ZERO, Duration::from_millis(1_500)]
        .into_iter()
        .enumerate()
    {
        assert_eq!(flood(&client, &app).await, BTreeSet::from([StatusCode::OK]));
        server.kill();
        server.start_again();
        sleep(idle).await;
        let answer = client.peek(&app, &format!("/push/{n}")).await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "the first request, {idle:?} after the restart"
        );
    }
}

/// Enough requests at once to open all connections of the pool.
async fn flood(client: &Client, app: &Router) -> BTreeSet<StatusCode> {
    let requests = (0..20).map(|_| {
        let (client, app) = (client.clone(), app.clone());
        tokio::spawn(async move { client.peek(&app, "/read").await.status })
    });
    let mut statuses = BTreeSet::new();
    for request in requests.collect::<Vec<_>>() {
        statuses.insert(request.await.expect("a request does not panic"));
    }
    statuses
}

struct Shopped {
    client: Client,
    confirmed: BTreeSet<u64>,
    refused: usize,
    slowest: Duration,
}

async fn shop_until(app: Router, over: Arc<AtomicBool>) -> Shopped {
    let mut client = Client::default();
    client.visit(&app, "/push/0").await;
    let mut shopped = Shopped {
        client: client.clone(),
        confirmed: BTreeSet::from([0]),
        refused: 0,
        slowest: Duration::ZERO,
    };
    for n in 1.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let start = Instant::now();
        let answer = client.peek(&app, &format!("/push/{n}")).await;
        shopped.slowest = shopped.slowest.max(start.elapsed());
        assert!(
            answer.set_cookie.is_empty(),
            "the session stays: {answer:?}"
        );
        match answer.status {
            StatusCode::OK => drop(shopped.confirmed.insert(n)),
            StatusCode::SERVICE_UNAVAILABLE => shopped.refused += 1,
            other => panic!("{other}: {answer:?}"),
        }
        sleep(Duration::from_millis(2)).await;
    }
    shopped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_is_frozen() {
    let server = Mortal::start(Engine::Postgres);
    let store = postgres(server.url()).await;
    a_frozen_server_holds_nobody(store, server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_is_frozen() {
    let server = Mortal::start(Engine::Mysql);
    let store = mysql(server.url()).await;
    a_frozen_server_holds_nobody(store, server).await;
}

async fn a_frozen_server_holds_nobody(store: impl SessionStore, server: Mortal) {
    let app = shop::app(store, Clock::system());
    let mut client = Client::default();
    client.visit(&app, "/push/1").await;
    server.freeze();
    // More of them than the pool has connections, and long enough for some of these to be given up.
    for round in 0..3 {
        let requests = (0..20).map(|_| {
            let (client, app) = (client.clone(), app.clone());
            tokio::spawn(async move {
                let start = Instant::now();
                (client.peek(&app, "/read").await.status, start.elapsed())
            })
        });
        for request in requests.collect::<Vec<_>>() {
            let (status, took) = request.await.expect("a request does not panic");
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "round {round}");
            assert!(
                took < STORE_TIMEOUT + Duration::from_millis(500),
                "a request took {took:?}"
            );
        }
    }
    let untouched = client.peek(&app, "/untouched").await;
    assert_eq!(
        untouched.status,
        StatusCode::OK,
        "what needs no session is served"
    );
    server.thaw();
    let start = Instant::now();
    let answer = client.peek(&app, "/read").await;
    println!("after the thaw: {} in {:?}", answer.status, start.elapsed());
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "[1]"),
        "thawed"
    );
    assert_eq!(client.peek(&app, "/push/2").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_way_to_postgresql_breaks() {
    let server = Mortal::start(Engine::Postgres);
    let proxy = Proxy::start(Protocol::Postgres, server.port()).await;
    let store = postgres(&reroute(server.url(), proxy.port)).await;
    lost_connections_are_replaced(store, &proxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_way_to_mysql_breaks() {
    let server = Mortal::start(Engine::Mysql);
    let proxy = Proxy::start(Protocol::Mysql, server.port()).await;
    let store = mysql(&reroute(server.url(), proxy.port)).await;
    lost_connections_are_replaced(store, &proxy).await;
}

/// The server is well, but the connections that were open lead nowhere, and no packet says so: a failover, or a
/// firewall that forgot them. Without care a pool stays stuck until TCP gives up.
async fn lost_connections_are_replaced(store: impl SessionStore, proxy: &Proxy) {
    let app = shop::app(store, Clock::system());
    let mut client = Client::default();
    client.visit(&app, "/push/1").await;
    assert_eq!(
        flood(&client, &app).await,
        BTreeSet::from([StatusCode::OK]),
        "all ten connections are open"
    );
    proxy.swallow();
    let start = Instant::now();
    while flood(&client, &app).await != BTreeSet::from([StatusCode::OK]) {
        assert!(
            start.elapsed() < Duration::from_secs(15),
            "the pool does not recover"
        );
    }
    println!("well again after {:?}", start.elapsed());
}
