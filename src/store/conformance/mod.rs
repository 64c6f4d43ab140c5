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
//! # use wiz_session::{MemoryStore as MyStore, store::conformance::Conformance};
//! # mod tokio { pub use ::tokio::*; }
//! #[tokio::test(flavor = "multi_thread")]
//! async fn conforms() {
//!     Conformance::new().max_bytes(300 * 1024).run(MyStore::new()).await;
//! }
//! ```
//!
//! # What it finds
//!
//! - Each method's answers and effects without concurrent calls.
//! - What is cut: versions, times, handles, users, texts, long lists.
//! - Whose clock decides.
//! - Whether `look` and `scan` agree with `load`, and whether what `push` reports has happened.
//! - Every two methods that meet. One call is paused wherever its future waits, the other runs to its end, and then the
//!   first goes on; what comes of it has to be what one after the other would give. This needs no luck.
//! - Futures that are dropped, wherever they wait: half of their work, a lock that stays.
//! - Races between threads, of what a store does in several steps without waiting in between. These do need luck, so
//!   there are many rounds.
//!
//! A failure names the rule that is broken, as it is called in the documentation of [`SessionStore`].
//!
//! Run it on a runtime with several threads, against the real engine, and some ten times: the races are as good as the
//! parallelism.

mod damage;
mod drive;
mod drops;
mod looks;
mod meetings;
mod model;
mod moves;
mod parallel;
mod pushes;
mod races;
mod rule;
mod samples;
mod scan;
mod scenes;
mod settings;
mod storm;
mod subject;
mod sweeps;
mod users;
mod widths;
mod writes;

pub use self::settings::Conformance;
use self::subject::Subject;
use super::SessionStore;

/// Runs the suite with its default settings. See [`Conformance::run`].
///
/// # Panics
/// If the store breaks a rule.
pub async fn run(store: impl SessionStore) {
    Conformance::new().run(store).await;
}

impl Conformance {
    /// Runs all checks, one after the other. The store must be empty, and not be used by anything else meanwhile. Call
    /// it on a Tokio runtime that has a timer.
    ///
    /// # Panics
    /// If the store breaks a rule. The message says which, what was observed, and where the rule is written.
    pub async fn run(self, store: impl SessionStore) {
        self.run_shared([store]).await;
    }

    /// Runs all checks on several stores over the same engine, which take turns: what one has written the next one has to
    /// see at once, as in several processes of an application. It finds what a store remembers and should look up.
    ///
    /// ```
    /// # use wiz_session::{MemoryStore, store::conformance::Conformance};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store = MemoryStore::new();
    /// Conformance::new().run_shared([store.clone(), store]).await;
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the stores break a rule, or there is none.
    pub async fn run_shared(self, stores: impl IntoIterator<Item = impl SessionStore>) {
        let stores: Vec<_> = stores.into_iter().collect();
        assert!(!stores.is_empty(), "the suite needs a store");
        let store = &Subject::new(stores, self);
        writes::check(store).await;
        store.tidy().await;
        widths::check(store).await;
        store.tidy().await;
        moves::check(store).await;
        store.tidy().await;
        users::check(store).await;
        store.tidy().await;
        sweeps::check(store).await;
        store.tidy().await;
        looks::check(store).await;
        store.tidy().await;
        scan::check(store).await;
        store.tidy().await;
        damage::check(store).await;
        store.tidy().await;
        pushes::check(store).await;
        store.tidy().await;
        meetings::check(store).await;
        store.tidy().await;
        drops::check(store).await;
        store.tidy().await;
        races::check(store).await;
        store.tidy().await;
        storm::check(store).await;
    }
}
