//! Two processes of the example server under load for as long as it takes, with the feed, the cache and bearer tokens
//! on, while the database is killed, frozen and slow and connections break. Their memory has to stay flat, and once all
//! clients have left, nothing may be left over: no descriptor, no watch, no cache entry, no session that had ended.
//!
//! A plain `cargo test` sends 20,000 requests on each store. The long form, ten million, is `scripts/check soak`: see
//! `CONTRIBUTING.md`. What is no session is out of scope: no account is created, as the example keeps these for ever.

#[path = "../support/beside.rs"]
mod beside;
mod connection;
mod database;
mod faults;
mod left_over;
mod memory;
mod plan;
mod plot;
mod process;
#[allow(dead_code, reason = "the recorded histories use the rest")]
#[path = "../support/proxy.rs"]
mod proxy;
mod reckoning;
#[allow(dead_code, reason = "the Redis store's tests use the rest")]
#[path = "../redis/servers.rs"]
mod redis_servers;
mod request;
#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../support/example_server.rs"]
mod server;
mod site;
#[allow(dead_code, reason = "the SQL stores' tests use the rest")]
#[path = "../sql/servers.rs"]
mod sql_servers;
#[allow(dead_code, reason = "the stores' tests use the rest")]
#[path = "../support/mod.rs"]
mod support;
mod traffic;
mod visitor;
mod watcher;

use std::{sync::Arc, time::Instant};

use crate::{database::Database, plan::Plan, site::Site, traffic::Traffic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_postgres() {
    nothing_is_left_over("postgres", Database::postgres()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_redis() {
    nothing_is_left_over("redis", Database::redis()).await;
}

async fn nothing_is_left_over(store: &str, database: Database) {
    let plan = Plan::from_env();
    println!(
        "{store}: WIZ_SOAK={} WIZ_SOAK_SEED={}",
        plan.requests, plan.seed
    );
    let site = Site::open(database).await;
    let before = site.figures();
    let traffic = Arc::new(Traffic::new(&plan, site.ports()));
    let began = Instant::now();
    let memory = memory::sampled(&plan, site.pids(), &traffic);
    let faults = faults::between(&plan, site, &traffic);
    visitor::all_come_and_go(&plan, &traffic).await;
    let memory = memory.await.expect("no panic");
    let (site, faults) = faults.await.expect("no panic");
    println!("{store}: {}, in {:.0?}", traffic.summary(), began.elapsed());
    println!("{store}: {faults}");
    memory.print(store);
    let left = left_over::after(&site, &before, &traffic, &plan).await;
    println!("{store}: {left}");
    memory.assert_is_flat(store);
}
