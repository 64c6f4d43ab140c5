//! Races on the memory store: with real parallelism, many rounds. Run them often:
//! `for i in $(seq 20); do cargo test --test races || break; done`.

#[path = "../support/client.rs"]
mod client;
mod feeds;
mod found;
mod fuzz;
mod late;
mod memory;
mod model;
#[path = "../support/races.rs"]
mod races;
mod seeds;

use wiz_session::{MemoryStore, store::conformance, test_util::TestStore};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    conformance::run(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_loses_no_race() {
    races::run(MemoryStore::new(), 10).await;
}

/// Each process has a cache, and none is told what the other does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_lose_no_race() {
    races::run(TestStore::new(), 10).await;
}
