//! Recorded histories of the example server, judged for linearizability.
//!
//! Three processes of the example server share a store, one of them with a near cache. Clients who know the same sessions
//! send them requests at random while servers and database are killed and frozen, a replica takes the place of its
//! primary, connections break, answers are slow or lost, and disks are full. Each history, of a session and what comes of
//! it, has to have an explanation: an order of its requests, none before one that was answered when it was sent, in which
//! the model (`spec.rs`) gives the very answers that were recorded. A request that was answered 503, or not at all, may
//! have happened at any time since, or never. A read that the cache answered may be as old as the cache keeps anything.
//!
//! `planted.rs` shows that histories which are wrong are found. The long form, and how to see a failure again:
//! `CONTRIBUTING.md`.

#[path = "../support/beside.rs"]
mod beside;
mod database;
mod faults;
mod faulty_store;
mod http;
mod planted;
mod postgres_pair;
#[path = "../support/proxy.rs"]
mod proxy;
mod recorder;
mod redis_pair;
#[allow(dead_code, reason = "the Redis store's tests use the rest")]
#[path = "../redis/servers.rs"]
mod redis_servers;
mod request;
mod run;
#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../support/example_server.rs"]
mod server;
mod sessions;
mod site;
mod spec;
#[allow(dead_code, reason = "the SQL stores' tests use the rest")]
#[path = "../sql/servers.rs"]
mod sql_servers;
#[allow(dead_code, reason = "the stores' tests use the rest")]
#[path = "../support/mod.rs"]
mod support;
mod values;
mod visitors;

// The example server's application, for `planted`.
#[path = "../../examples/server/app.rs"]
mod app;
#[path = "../../examples/server/auth.rs"]
mod auth;
#[path = "../../examples/server/body.rs"]
mod body;
#[path = "../../examples/server/error.rs"]
mod error;
#[path = "../../examples/server/headers.rs"]
mod headers;
#[path = "../../examples/server/input.rs"]
mod input;
#[path = "../../examples/server/model/mod.rs"]
mod model;
#[path = "../../examples/server/page/mod.rs"]
mod page;
#[path = "../../examples/server/routes/mod.rs"]
mod routes;
#[allow(dead_code, reason = "the example stops at a signal")]
#[path = "../../examples/server/shutdown.rs"]
mod shutdown;

use std::{sync::Arc, time::Duration};

use crate::{
    database::Database, postgres_pair::PostgresPair, redis_pair::RedisPair, redis_servers::Cluster,
    run::Plan, site::Site,
};

/// The short form, which runs beside all other tests.
const HISTORIES: u64 = 100;
const TIME: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn of_the_memory_store() {
    every_history_has_an_explanation("memory", Database::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sqlite() {
    every_history_has_an_explanation("sqlite", Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_postgres() {
    every_history_has_an_explanation("postgres", Database::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_postgres_pair() {
    let pair = Box::new(PostgresPair::start());
    every_history_has_an_explanation("postgres-pair", Database::PostgresPair(pair)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_mysql() {
    every_history_has_an_explanation("mysql", Database::mysql()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_redis() {
    every_history_has_an_explanation("redis", Database::Redis(RedisPair::start())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_redis_cluster() {
    every_history_has_an_explanation("redis-cluster", Database::Cluster(Cluster::start())).await;
}

async fn every_history_has_an_explanation(store: &str, database: Database) {
    let plan = Plan::from_env(HISTORIES, TIME);
    println!("{store}: WIZ_HISTORIES_SEED={}", plan.seed);
    let site = Site::open(database).await;
    let (servers, trouble) = (site.servers(), Arc::clone(&site.trouble));
    let faults = site.break_down(plan.seed);
    let report = plan.run(servers, &trouble).await;
    let faults = faults.stop();
    report.print(store);
    println!("{store}: {faults}");
    report.assert_is_clean(store);
}
