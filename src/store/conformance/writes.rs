//! What `create`, `replace`, `touch` and `delete` do and answer without concurrent calls.

use super::{
    rule,
    samples::{HOUR, MINUTE, SECOND, handle, kept, record, tombstone, user},
    subject::Subject,
};
use crate::{
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    create_only_inserts(store).await;
    replace_compares_and_swaps(store).await;
    replace_compares_the_whole_version(store).await;
    replace_never_inserts(store).await;
    touch_only_moves_the_end_to_later(store).await;
    touch_never_inserts(store).await;
    touch_leaves_a_tombstone_as_it_is(store).await;
    delete_ends_a_session_once(store).await;
    a_tombstone_stays(store).await;
}

async fn create_only_inserts(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let other = record(now, Some("bob"), r#"{"n":2}"#).with_version(Version::new(5));
    let expired = record(now, None, r#"{"n":1}"#).with_expires_at(now - MINUTE);
    for first in [
        record(now, None, r#"{"n":1}"#),
        expired,
        tombstone(now),
        tombstone(now).with_expires_at(now - MINUTE),
    ] {
        let handle = handle();
        store.create(handle, &first).await;
        let again = store.create(handle, &other).await;
        // A tombstone that has expired may be gone at any time.
        if again == Created::Created && first.is_tombstone() && first.expires_at() < now {
            continue;
        }
        let what = "create of a handle in use, by a live or an expired record or a tombstone";
        rule::INSERT_OR_UPDATE.equal(again, Created::Exists, what);
        store
            .keeps(rule::INSERT_OR_UPDATE, handle, &first, what)
            .await;
    }
}

async fn replace_compares_and_swaps(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let handle = store.insert(&record(now, None, r#"{"n":1}"#)).await;
    // The version that it carries does not matter.
    let second = record(now, Some("alice"), r#"{"n":2}"#).with_version(Version::new(77));
    let expired = second.clone().with_expires_at(now - MINUTE);
    let steps = [
        (&second, "replace"),
        // Some engines count only rows that changed.
        (&second, "replace by an identical record"),
        (
            &second.clone().with_expires_at(now + 2 * HOUR),
            "replace by one that ends later",
        ),
        (&expired, "replace by one that ends sooner"),
        (&second, "replace of one that has expired"),
        (&record(now, None, r#"{"n":3}"#), "replace without the user"),
    ];
    let mut version = Version::FIRST;
    for (replacement, what) in steps {
        let answer = store.replace(handle, version, replacement).await;
        rule::COMPARE_AND_SWAP.equal(answer, Replaced::Stored(version.next()), what);
        let stored = replacement.clone().with_version(version.next());
        store.keeps(rule::VISIBLE, handle, &stored, what).await;

        let late = record(now, None, r#"{"n":"late"}"#);
        let answer = store.replace(handle, version, &late).await;
        let what = "replace of a version that was there before";
        rule::COMPARE_AND_SWAP.equal(answer, Replaced::Conflict, what);
        store
            .keeps(rule::COMPARE_AND_SWAP, handle, &stored, what)
            .await;
        version = version.next();
    }
}

async fn replace_compares_the_whole_version(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let present = record(now, None, r#"{"n":1}"#).with_version(Version::new(3));
    let handle = store.insert(&present).await;
    let wrapped = [8, 16, 31, 32, 53, 62].map(|bits| (1 << bits) + 3);
    for other in [0, 1, 2, 4, 5].into_iter().chain(wrapped) {
        let version = Version::new(other);
        let late = record(now, None, "{}").with_version(version);
        let answer = store.replace(handle, version, &late).await;
        let what = format!("replace of version {other} where version 3 is stored");
        rule::COMPARE_AND_SWAP.equal(answer, Replaced::Conflict, &what);
        store
            .keeps(rule::COMPARE_AND_SWAP, handle, &present, &what)
            .await;
    }
}

async fn replace_never_inserts(store: &Subject<impl SessionStore>) {
    let (now, never) = (store.now(), handle());
    let deleted = store.insert(&record(now, Some("alice"), "{}")).await;
    store.delete(deleted).await;
    for (handle, what) in [
        (never, "replace of what was never there"),
        (deleted, "replace of what was deleted"),
    ] {
        for version in [Version::new(0), Version::FIRST, Version::new(2)] {
            let late = record(now, Some("alice"), "{}").with_version(version);
            let answer = store.replace(handle, version, &late).await;
            rule::INSERT_OR_UPDATE.equal(answer, Replaced::Gone, what);
            store
                .keeps_nothing(rule::INSERT_OR_UPDATE, handle, what)
                .await;
        }
    }
}

async fn touch_only_moves_the_end_to_later(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let first = record(now, Some("alice"), r#"{"n":1}"#).with_version(Version::new(9));
    let handle = store.insert(&first).await;
    let (end, later) = (first.expires_at(), first.expires_at() + HOUR);
    let tick = std::time::Duration::from_millis(1);
    for (to, expected) in [
        (end + tick, end + tick),
        (later, later),
        (end, later),
        (later, later),
        (now - HOUR, later),
    ] {
        let touched = store.touch(handle, to).await;
        rule::ONLY_THE_END.equal(touched, true, "touch of what is there");
        let expected = first.clone().with_expires_at(expected);
        let what = "touch to a later end, or to one that is none";
        store
            .keeps(rule::ONLY_THE_END, handle, &expected, what)
            .await;
    }

    let expired = first.with_expires_at(now - MINUTE);
    let handle = store.insert(&expired).await;
    let touched = store.touch(handle, later).await;
    let what = "touch of a session that expired a minute ago";
    rule::EXPIRED.equal(touched, true, what);
    let expected = expired.with_expires_at(later);
    store.keeps(rule::EXPIRED, handle, &expected, what).await;
}

async fn touch_never_inserts(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let deleted = store.insert(&record(now, Some("alice"), "{}")).await;
    store.delete(deleted).await;
    for handle in [handle(), deleted] {
        let touched = store.touch(handle, now + HOUR).await;
        rule::INSERT_OR_UPDATE.equal(touched, false, "touch of what is not there");
        let what = "touch of what is not there";
        store
            .keeps_nothing(rule::INSERT_OR_UPDATE, handle, what)
            .await;
    }
}

/// However it came to be one. Else a session that was moved by a login has its former cookie sent again.
async fn touch_leaves_a_tombstone_as_it_is(store: &Subject<impl SessionStore>) {
    let (now, stone) = (store.now(), tombstone(store.now()));
    let end = stone.expires_at();
    let session = record(now, Some("alice"), "{}");
    let [moved, replaced] = [store.insert(&session).await, store.insert(&session).await];
    store
        .regenerate(moved, Version::FIRST, &stone, handle(), &session)
        .await;
    store.replace(replaced, Version::FIRST, &stone).await;
    let created = store.insert(&stone).await;
    for handle in [moved, replaced, created] {
        // Whether there is one is not checked here.
        let stone = store.load(handle).await;
        let Some(stone) = stone.filter(Record::is_tombstone) else {
            continue;
        };
        for to in [end + HOUR, end, end - SECOND] {
            let what = "touch of what has moved";
            rule::TOMBSTONES.equal(store.touch(handle, to).await, false, what);
            store.keeps(rule::TOMBSTONES, handle, &stone, what).await;
        }
    }
}

async fn delete_ends_a_session_once(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let expired = record(now, None, "{}").with_expires_at(now - MINUTE);
    for session in [
        record(now, None, "{}"),
        record(now, Some("alice"), "{}"),
        expired,
    ] {
        let other = store.insert(&session).await;
        let handle = store.insert(&session).await;
        let deleted = store.delete(handle).await;
        rule::ATOMIC.equal(deleted, true, "delete of what is there");
        store
            .keeps_nothing(rule::VISIBLE, handle, "load after delete")
            .await;
        let deleted = store.delete(handle).await;
        rule::ATOMIC.equal(deleted, false, "delete of what was deleted");
        let what = "delete of another session";
        store.keeps(rule::ATOMIC, other, &session, what).await;
    }
}

async fn a_tombstone_stays(store: &Subject<impl SessionStore>) {
    let (now, user) = (store.now(), user());
    let session = record(now, Some(&user), "{}");
    let handle = store.insert(&session).await;
    let stone = tombstone(now);
    store.replace(handle, Version::FIRST, &stone).await;
    let deleted = store.delete(handle).await;
    rule::TOMBSTONES.equal(deleted, false, "delete of a tombstone");
    let listed = store.list(&user).await;
    let listed: Vec<_> = listed.iter().map(|(_, record)| kept(record)).collect();
    rule::TOMBSTONES.equal(listed, vec![], "list where a tombstone was a session");
    let ended = store.delete_user(&user, None).await;
    let what = "delete_user where a tombstone was a session";
    rule::TOMBSTONES.equal(ended, 0, what);
    let stone = stone.with_version(Version::new(2));
    store
        .keeps(rule::TOMBSTONES, handle, &stone, "a tombstone")
        .await;
}
