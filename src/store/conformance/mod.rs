//! The suite that every session store passes: the crate's own, and yours.
//!
//! ```
//! # #[tokio::main] async fn main() {
//! use wiz_session::{MemoryStore, store::conformance};
//!
//! conformance::run(MemoryStore::new()).await;
//! # }
//! ```
//!
//! In a test of your own crate, with the feature `conformance` among the dev-dependencies:
//!
//! ```
//! # use wiz_session::{MemoryStore as MyStore, store::conformance};
//! # mod tokio { pub use ::tokio::*; }
//! #[tokio::test(flavor = "multi_thread")]
//! async fn conforms() {
//!     conformance::run(MyStore::new()).await;
//! }
//! ```
//!
//! Run it on a runtime with several threads, against the real engine, and some ten times: the races are only
//! as good as the parallelism.

mod methods;
mod races;
mod scan;
mod support;
mod users;

use std::sync::Arc;

use super::SessionStore;

/// Runs all checks, one after the other. The store must be empty, and nobody else may use it meanwhile.
///
/// # Panics
/// If the store breaks a rule. The message says which.
pub async fn run(store: impl SessionStore) {
    let store = Arc::new(store);
    methods::check(&*store).await;
    users::check(&*store).await;
    scan::check(&*store).await;
    races::check(&store).await;
}
