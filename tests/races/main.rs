//! Races on the memory store: with real parallelism, many rounds. Run them often:
//! `for i in $(seq 20); do cargo test --test races || break; done`.

#[path = "../support/client.rs"]
mod client;
mod device;
mod feeds;
mod found;
mod fuzz;
mod late;
mod memory;
mod model;
#[path = "../support/races.rs"]
mod races;
mod seeds;
#[allow(dead_code, reason = "the layer's tests use the rest")]
#[path = "../it/support/yielding.rs"]
mod yielding;

use wiz_session::{MemoryStore, store::conformance, test_util::TestStore};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    conformance::run(MemoryStore::new()).await;
}

/// A millisecond each way, as a database in the next rack: where libraries that are right at no distance lose most.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_far_away_loses_no_race() {
    let store = yielding::Yielding::far(MemoryStore::new(), std::time::Duration::from_millis(1));
    races::run(store, 1).await;
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
