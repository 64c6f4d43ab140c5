//! Races on the memory store: with real parallelism, many rounds. Run them often:
//! `for i in $(seq 20); do cargo test --test races || break; done`.

#[path = "../support/client.rs"]
mod client;
mod found;
mod fuzz;
mod late;
mod memory;
mod model;
#[path = "../support/races.rs"]
mod races;
mod seeds;

use wiz_session::{MemoryStore, store::conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    conformance::run(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_loses_no_race() {
    races::run(MemoryStore::new(), 10).await;
}
