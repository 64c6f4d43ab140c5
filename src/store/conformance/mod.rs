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

mod races;
mod users;
mod verbs;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Created, Replaced, SessionStore};
use crate::{
    change::Data,
    id::{Handle, SessionId},
    record::{Body, CommitIds, Record, Version},
    time::Timestamp,
};

/// Runs all checks, one after the other. The store must be empty, and nobody else may use it meanwhile.
///
/// # Panics
/// If the store breaks a rule. The message says which.
pub async fn run(store: impl SessionStore) {
    let store = Arc::new(store);
    verbs::check(&*store).await;
    users::check(&*store).await;
    races::check(&store).await;
}

const HOUR: Duration = Duration::from_secs(3600);

fn handle() -> Handle {
    SessionId::random().handle()
}

/// A record that lives for an hour.
fn record(user: Option<&str>, json: &str) -> Record {
    let now = Timestamp::from(SystemTime::now());
    let body = Body {
        created_at: now,
        authenticated_at: user.map(|_| now),
        deadline: now.saturating_add(12 * HOUR),
        remember: None,
        user: user.map(Into::into),
        commits: CommitIds::default(),
        tombstone: false,
        data: Data::from_json(json).expect("the suite's data is JSON"),
    };
    Record::new(Version::FIRST, now.saturating_add(HOUR), body)
}

fn tombstone() -> Record {
    Record::tombstone(Version::FIRST, Timestamp::from(SystemTime::now()), None)
}

async fn create(store: &impl SessionStore, record: &Record) -> Handle {
    let handle = handle();
    let created = store.create(handle, record).await.expect("create answers");
    assert_eq!(
        created,
        Created::Created,
        "a handle that is not in use can be created"
    );
    handle
}

async fn load(store: &impl SessionStore, handle: Handle) -> Option<Record> {
    store.load(handle).await.expect("load answers")
}

async fn replace(
    store: &impl SessionStore,
    handle: Handle,
    expected: Version,
    record: &Record,
) -> Replaced {
    store
        .replace(handle, expected, record)
        .await
        .expect("replace answers")
}

async fn delete(store: &impl SessionStore, handle: Handle) -> bool {
    store.delete(handle).await.expect("delete answers")
}

/// Compares all there is to a record but its version.
#[track_caller]
fn assert_same(loaded: Option<&Record>, expected: &Record, what: &str) {
    let loaded = loaded.unwrap_or_else(|| panic!("{what}: the record is missing"));
    assert_eq!(
        loaded.to_json(),
        expected.to_json(),
        "{what}: the record has changed"
    );
    assert_eq!(
        loaded.expires_at(),
        expected.expires_at(),
        "{what}: the expiry has changed"
    );
}
