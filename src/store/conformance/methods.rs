//! What each method does and answers when nobody else is there.

// Over 250 lines: a list of checks, one for each rule of a method.

use std::time::{Duration, SystemTime};

use super::support::{HOUR, assert_same, create, delete, handle, load, record, replace, tombstone};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
};

pub(super) async fn check(store: &impl SessionStore) {
    create_only_inserts(store).await;
    a_record_comes_back_as_it_was(store).await;
    replace_compares_and_swaps(store).await;
    replace_never_inserts(store).await;
    touch_only_moves_the_end_to_later(store).await;
    delete_ends_a_session_once(store).await;
    delete_leaves_a_tombstone(store).await;
    regenerate_moves_a_session(store).await;
    regenerate_that_fails_changes_nothing(store).await;
    only_live_sessions_count(store).await;
    only_expired_sessions_are_swept(store).await;
}

async fn create_only_inserts(store: &impl SessionStore) {
    let first = record(None, r#"{"n":1}"#);
    let handle = create(store, &first).await;
    let again = store
        .create(handle, &record(None, r#"{"n":2}"#))
        .await
        .expect("create answers");
    assert_eq!(again, Created::Exists, "create of a handle in use");
    assert_same(
        load(store, handle).await.as_ref(),
        &first,
        "create of a handle in use",
    );
}

async fn a_record_comes_back_as_it_was(store: &impl SessionStore) {
    let (big, deep) = (
        "x".repeat(1 << 20),
        format!("{}1{}", "[".repeat(300), "]".repeat(300)),
    );
    let texts = [
        "{}".to_owned(),
        r#"{"":"","null":null,"digits":1.000,"large":18446744073709551616,"exponent":1e400}"#
            .to_owned(),
        r#"{"nul\u0000key":"nul\u0000value","tab\t":"\u001f","quote\"":"\\'%_$1?:x"}"#.to_owned(),
        r#"{"장바구니":"사과","🛒":"🍏🏳️‍🌈","é":"e\u0301","\ud83d\ude00":"\ud83d\ude00"}"#.to_owned(),
        r#"{"b":1,"a":{"z":1,"y":2},"a ":3}"#.to_owned(),
        format!(r#"{{"deep":{deep}}}"#),
        format!(r#"{{"big":"{big}"}}"#),
    ];
    for json in &texts {
        for user in [
            None,
            Some("alice"),
            Some("'; drop table -- \u{0}\u{1f6d2} "),
        ] {
            let stored = record(user, json);
            let handle = create(store, &stored).await;
            let loaded = load(store, handle).await;
            assert_same(loaded.as_ref(), &stored, "create");
            assert_eq!(
                loaded.map(|record| record.version()),
                Some(Version::FIRST),
                "create keeps the version"
            );
        }
    }
    assert!(
        load(store, handle()).await.is_none(),
        "a handle that nobody created"
    );
}

async fn replace_compares_and_swaps(store: &impl SessionStore) {
    let handle = create(store, &record(None, r#"{"n":1}"#)).await;
    let second = record(Some("alice"), r#"{"n":2}"#);
    let stored = replace(store, handle, Version::FIRST, &second).await;
    assert_eq!(
        stored,
        Replaced::Stored(Version::FIRST.next()),
        "replace of the version that is there"
    );
    let loaded = load(store, handle).await;
    assert_same(loaded.as_ref(), &second, "replace stores data and user");
    assert_eq!(
        loaded.map(|record| record.version()),
        Some(Version::FIRST.next()),
        "replace raises the version"
    );

    let late = replace(store, handle, Version::FIRST, &record(None, r#"{"n":3}"#)).await;
    assert_eq!(
        late,
        Replaced::Conflict,
        "replace of a version that was there"
    );
    assert_same(load(store, handle).await.as_ref(), &second, "a conflict");

    // An identical record is stored too: some engines count only rows that changed.
    let same = replace(store, handle, Version::FIRST.next(), &second).await;
    assert_eq!(
        same,
        Replaced::Stored(Version::FIRST.next().next()),
        "replace by an identical record"
    );

    let sooner = second
        .clone()
        .with_expires_at(second.expires_at() - HOUR / 2);
    replace(store, handle, Version::FIRST.next().next(), &sooner).await;
    assert_same(
        load(store, handle).await.as_ref(),
        &sooner,
        "replace stores the expiry, also an earlier one",
    );
}

async fn replace_never_inserts(store: &impl SessionStore) {
    let never = handle();
    let gone = replace(store, never, Version::FIRST, &record(None, "{}")).await;
    assert_eq!(gone, Replaced::Gone, "replace of what was never there");
    assert!(
        load(store, never).await.is_none(),
        "replace must not insert"
    );

    let deleted = create(store, &record(None, "{}")).await;
    delete(store, deleted).await;
    let gone = replace(store, deleted, Version::FIRST, &record(None, "{}")).await;
    assert_eq!(gone, Replaced::Gone, "replace of what was deleted");
    assert!(
        load(store, deleted).await.is_none(),
        "replace must not bring an ended session back"
    );
}

async fn touch_only_moves_the_end_to_later(store: &impl SessionStore) {
    let first = record(Some("alice"), r#"{"n":1}"#);
    let handle = create(store, &first).await;
    let later = first.expires_at() + HOUR;
    for (expires_at, expected) in [(later, later), (first.expires_at(), later), (later, later)] {
        assert!(
            store
                .touch(handle, expires_at)
                .await
                .expect("touch answers"),
            "touch of what is there"
        );
        let loaded = load(store, handle).await;
        assert_same(
            loaded.as_ref(),
            &first.clone().with_expires_at(expected),
            "touch",
        );
        assert_eq!(
            loaded.map(|record| record.version()),
            Some(Version::FIRST),
            "touch keeps the version"
        );
    }
    delete(store, handle).await;
    assert!(
        !store.touch(handle, later).await.expect("touch answers"),
        "touch of what was deleted"
    );
    assert!(load(store, handle).await.is_none(), "touch must not insert");
}

async fn delete_ends_a_session_once(store: &impl SessionStore) {
    let handle = create(store, &record(None, "{}")).await;
    assert!(delete(store, handle).await, "delete of what is there");
    assert!(!delete(store, handle).await, "delete of what was deleted");
    assert!(load(store, handle).await.is_none(), "delete");
}

async fn delete_leaves_a_tombstone(store: &impl SessionStore) {
    let handle = create(store, &record(None, "{}")).await;
    let stone = tombstone();
    replace(store, handle, Version::FIRST, &stone).await;
    assert!(!delete(store, handle).await, "a tombstone is no session");
    assert_same(
        load(store, handle).await.as_ref(),
        &stone,
        "delete of a tombstone",
    );
}

async fn regenerate_moves_a_session(store: &impl SessionStore) {
    let (old, new) = (
        create(store, &record(Some("alice"), r#"{"n":1}"#)).await,
        handle(),
    );
    let (stone, moved) = (
        tombstone(),
        record(Some("alice"), r#"{"n":2}"#).with_version(Version::new(2)),
    );
    let answer = regenerate(store, old, Version::FIRST, &stone, new, &moved).await;
    assert_eq!(answer, Replaced::Stored(Version::new(2)), "regenerate");
    assert_same(
        load(store, old).await.as_ref(),
        &stone,
        "what regenerate leaves behind",
    );
    let loaded = load(store, new).await;
    assert_same(loaded.as_ref(), &moved, "what regenerate stores");
    assert_eq!(
        loaded.map(|record| record.version()),
        Some(Version::new(2)),
        "regenerate keeps the version"
    );
}

async fn regenerate_that_fails_changes_nothing(store: &impl SessionStore) {
    let present = record(None, r#"{"n":1}"#);
    let (old, new) = (create(store, &present).await, handle());
    let moved = record(None, r#"{"n":2}"#);

    let stale = regenerate(store, old, Version::new(7), &tombstone(), new, &moved).await;
    assert_eq!(stale, Replaced::Conflict, "regenerate of another version");
    assert!(
        load(store, new).await.is_none(),
        "a regenerate that meets a conflict stores nothing"
    );
    assert_same(
        load(store, old).await.as_ref(),
        &present,
        "a regenerate that meets a conflict",
    );

    let other = record(None, r#"{"n":3}"#);
    let taken = create(store, &other).await;
    let exists = regenerate(store, old, Version::FIRST, &tombstone(), taken, &moved).await;
    assert_eq!(exists, Replaced::Conflict, "regenerate to a handle in use");
    assert_same(
        load(store, taken).await.as_ref(),
        &other,
        "regenerate to a handle in use",
    );
    assert_same(
        load(store, old).await.as_ref(),
        &present,
        "regenerate to a handle in use",
    );

    delete(store, old).await;
    let gone = regenerate(store, old, Version::FIRST, &tombstone(), new, &moved).await;
    assert_eq!(gone, Replaced::Gone, "regenerate of what was deleted");
    assert!(
        load(store, new).await.is_none(),
        "a regenerate that comes too late stores nothing"
    );
    assert!(
        load(store, old).await.is_none(),
        "a regenerate that comes too late leaves no tombstone"
    );
}

async fn regenerate(
    store: &impl SessionStore,
    old: Handle,
    expected: Version,
    tombstone: &Record,
    new: Handle,
    record: &Record,
) -> Replaced {
    store
        .regenerate(old, expected, tombstone, new, record)
        .await
        .expect("regenerate answers")
}

async fn only_live_sessions_count(store: &impl SessionStore) {
    let now = SystemTime::now();
    let count = async || store.count(now).await.expect("count answers");
    let before = count().await;
    let lives = create(store, &record(None, "{}")).await;
    create(store, &record(Some("alice"), "{}")).await;
    create(store, &record(None, "{}").with_expires_at(now)).await;
    create(store, &tombstone()).await;
    assert_eq!(
        count().await - before,
        2,
        "sessions that live, neither expired ones nor tombstones"
    );
    delete(store, lives).await;
    assert_eq!(count().await - before, 1, "after a delete");
}

async fn only_expired_sessions_are_swept(store: &impl SessionStore) {
    let now = SystemTime::now();
    let ends = |at: SystemTime| record(Some("alice"), "{}").with_expires_at(at);
    let mut expired = Vec::new();
    for age in 0..25 {
        expired.push(create(store, &ends(now - Duration::from_secs(age))).await);
    }
    let lives = create(store, &ends(now + Duration::from_secs(60))).await;
    let touched = create(store, &ends(now + Duration::from_millis(1))).await;
    store
        .touch(touched, now + HOUR)
        .await
        .expect("touch answers");

    let later = now + Duration::from_secs(30);
    for round in 0.. {
        let deleted = store
            .delete_expired(later, 10)
            .await
            .expect("delete_expired answers");
        assert!(deleted <= 10, "a sweep deletes no more than its limit");
        if deleted == 0 {
            break;
        }
        assert!(round < 100, "sweeps come to an end");
    }
    for handle in expired {
        assert!(
            load(store, handle).await.is_none(),
            "an expired record is swept"
        );
    }
    assert!(
        load(store, lives).await.is_some(),
        "a session that lives survives a sweep"
    );
    assert!(
        load(store, touched).await.is_some(),
        "a session that was touched survives a sweep"
    );
}
