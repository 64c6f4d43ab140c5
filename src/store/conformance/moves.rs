//! What `regenerate` does and answers without concurrent calls.

use super::{
    rule,
    samples::{HOUR, MINUTE, full_record, handle, kept, record, tombstone, user},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Replaced, SessionStore},
};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    it_moves_a_session(store).await;
    it_logs_in(store).await;
    of_another_version_it_changes_nothing(store).await;
    to_a_handle_in_use_it_changes_nothing(store).await;
    of_what_is_gone_it_stores_nothing(store).await;
    again_it_changes_nothing(store).await;
}

async fn it_moves_a_session(store: &Subject<impl SessionStore>) {
    let now = store.now();
    for (end, version) in [(now + HOUR, 2), (now + 3 * HOUR, 1), (now - MINUTE, 40)] {
        let before = record(now, Some("alice"), r#"{"n":1}"#)
            .with_version(Version::new(7))
            .with_expires_at(end);
        let (old, new) = (store.insert(&before).await, handle());
        let stone = tombstone(now);
        let moved = record(now, Some("alice"), r#"{"n":2}"#).with_version(Version::new(version));
        let answer = store
            .regenerate(old, Version::new(7), &stone, new, &moved)
            .await;
        let what = "regenerate answers the version that the record has";
        rule::COMPARE_AND_SWAP.equal(answer, Replaced::Stored(moved.version()), what);
        let what = "the record under the new handle of a regenerate";
        store.keeps(rule::ATOMIC, new, &moved, what).await;
        let what = "the tombstone under the old handle of a regenerate";
        let stone = stone.with_version(Version::new(8));
        store.keeps(rule::ATOMIC, old, &stone, what).await;
    }
}

async fn it_logs_in(store: &Subject<impl SessionStore>) {
    let (now, alice, bob) = (store.now(), user(), user());
    for (from, to) in [
        (None, Some(&*alice)),
        (Some(&*alice), Some(&*bob)),
        (Some(&*bob), None),
    ] {
        let (old, new) = (store.insert(&record(now, from, "{}")).await, handle());
        let moved = record(now, to, "{}");
        store
            .regenerate(old, Version::FIRST, &tombstone(now), new, &moved)
            .await;
        for user in [&alice, &bob] {
            let listed = store.list(user).await;
            let listed: Vec<_> = listed.iter().map(|(handle, _)| *handle).collect();
            let expected: Vec<Handle> = (to == Some(user)).then_some(new).into_iter().collect();
            let what = "list after regenerate gave a session to another user";
            rule::ALL_OF_A_USER.equal(listed, expected, what);
        }
        store.delete(new).await;
    }
}

async fn of_another_version_it_changes_nothing(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let present = record(now, None, r#"{"n":1}"#).with_version(Version::new(3));
    let old = store.insert(&present).await;
    for other in [0, 1, 2, 4, (1 << 8) + 3, (1 << 32) + 3, (1 << 53) + 3] {
        let (new, version) = (handle(), Version::new(other));
        let moved = record(now, None, r#"{"n":2}"#);
        let answer = store
            .regenerate(old, version, &tombstone(now), new, &moved)
            .await;
        let what = format!("regenerate of version {other} where version 3 is stored");
        rule::COMPARE_AND_SWAP.equal(answer, Replaced::Conflict, &what);
        store
            .keeps_nothing(rule::COMPARE_AND_SWAP, new, &what)
            .await;
        store
            .keeps(rule::COMPARE_AND_SWAP, old, &present, &what)
            .await;
    }
}

async fn to_a_handle_in_use_it_changes_nothing(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let present = record(now, Some("alice"), r#"{"n":1}"#);
    let old = store.insert(&present).await;
    for other in [record(now, Some("bob"), r#"{"n":3}"#), tombstone(now)] {
        let taken = handle();
        store.create(taken, &other).await;
        let moved = record(now, Some("alice"), r#"{"n":2}"#);
        let answer = store
            .regenerate(old, Version::FIRST, &tombstone(now), taken, &moved)
            .await;
        let what = "regenerate to a handle in use";
        rule::INSERT_OR_UPDATE.equal(answer, Replaced::Conflict, what);
        store
            .keeps(rule::INSERT_OR_UPDATE, taken, &other, what)
            .await;
        store
            .keeps(rule::INSERT_OR_UPDATE, old, &present, what)
            .await;
    }
}

async fn of_what_is_gone_it_stores_nothing(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let deleted = store.insert(&record(now, Some("alice"), "{}")).await;
    store.delete(deleted).await;
    for old in [deleted, handle()] {
        let (new, moved) = (handle(), record(now, Some("alice"), "{}"));
        let answer = store
            .regenerate(old, Version::FIRST, &tombstone(now), new, &moved)
            .await;
        let what = "regenerate of what is not there";
        rule::INSERT_OR_UPDATE.equal(answer, Replaced::Gone, what);
        store.keeps_nothing(rule::INSERT_OR_UPDATE, new, what).await;
        store.keeps_nothing(rule::INSERT_OR_UPDATE, old, what).await;
    }
}

/// As a layer does whose answer was lost. It may be told that it is done, or that there is a conflict.
async fn again_it_changes_nothing(store: &Subject<impl SessionStore>) {
    let now = store.now();
    for moved in [
        record(now, Some("alice"), r#"{"n":2}"#),
        full_record(now, "alice", r#"{"n":2}"#),
    ] {
        let old = store.insert(&record(now, Some("alice"), "{}")).await;
        let (new, stone) = (handle(), tombstone(now));
        let regenerate = async || {
            store
                .regenerate(old, Version::FIRST, &stone, new, &moved)
                .await
        };
        let first = regenerate().await;
        rule::COMPARE_AND_SWAP.equal(first, Replaced::Stored(Version::FIRST), "regenerate");
        let again = regenerate().await;
        let what = "regenerate once more, with the same arguments";
        rule::ATOMIC.holds(again != Replaced::Gone, format_args!("{what}: {again:?}"));
        store.keeps(rule::ATOMIC, new, &moved, what).await;
        let left = store.load(old).await;
        let is_left = left.as_ref().is_some_and(Record::is_tombstone);
        rule::ATOMIC.holds(
            is_left,
            format_args!("{what}: {:?}", left.as_ref().map(kept)),
        );
    }
}
