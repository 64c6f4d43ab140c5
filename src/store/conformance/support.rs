//! Records for the checks, and calls that must be answered.

use std::time::{Duration, SystemTime};

use crate::{
    change::Data,
    id::{Handle, SessionId},
    record::{Body, CommitIds, Record, Version},
    store::{Created, Replaced, SessionStore},
    time::Timestamp,
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn handle() -> Handle {
    SessionId::random().handle()
}

/// A record that lives for an hour.
pub(super) fn record(user: Option<&str>, json: &str) -> Record {
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

pub(super) fn tombstone() -> Record {
    Record::tombstone(Version::FIRST, Timestamp::from(SystemTime::now()))
}

pub(super) async fn create(store: &impl SessionStore, record: &Record) -> Handle {
    let handle = handle();
    let created = store.create(handle, record).await.expect("create answers");
    assert_eq!(
        created,
        Created::Created,
        "a handle that is not in use can be created"
    );
    handle
}

pub(super) async fn load(store: &impl SessionStore, handle: Handle) -> Option<Record> {
    store.load(handle).await.expect("load answers")
}

pub(super) async fn replace(
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

pub(super) async fn delete(store: &impl SessionStore, handle: Handle) -> bool {
    store.delete(handle).await.expect("delete answers")
}

/// Compares all there is to a record but its version.
#[track_caller]
pub(super) fn assert_same(loaded: Option<&Record>, expected: &Record, what: &str) {
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
