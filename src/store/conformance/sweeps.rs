//! Expired records, and whose clock says so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    parallel::in_parallel,
    rule,
    samples::{HOUR, MINUTE, SECOND, kept, record, tombstone, user},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Replaced, SessionStore},
    time::Timestamp,
};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    what_just_expired_is_kept(store).await;
    only_live_sessions_count(store).await;
    what_becomes_a_tombstone_with_others_does_not_count(store).await;
    the_time_that_is_passed_counts(store).await;
    all_that_expired_is_swept(store).await;
    what_lives_survives(store).await;
    a_sweep_goes_by_the_time_that_is_passed(store).await;
    a_sweep_keeps_to_its_limit(store).await;
}

const TICK: Duration = Duration::from_millis(1);

/// For five minutes, for requests that found it alive.
async fn what_just_expired_is_kept(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let ages = [TICK, 50 * TICK, SECOND, MINUTE, 4 * MINUTE];
    let ends = ages.map(|age| now - age).into_iter();
    for end in ends.chain([now, now + 50 * TICK, now + SECOND]) {
        let (user, what) = (user(), "a session that expired less than five minutes ago");
        let stored = record(now, Some(&user), r#"{"n":1}"#).with_expires_at(end);
        let handle = super::samples::handle();
        store.create(handle, &stored).await;
        store.keeps(rule::EXPIRED, handle, &stored, what).await;
        let next = record(now, Some(&user), r#"{"n":2}"#).with_expires_at(end);
        let answer = store.replace(handle, Version::FIRST, &next).await;
        rule::EXPIRED.equal(answer, Replaced::Stored(Version::new(2)), what);
        let next = next.with_version(Version::new(2));
        store.keeps(rule::EXPIRED, handle, &next, what).await;
        rule::EXPIRED.equal(store.touch(handle, now + HOUR).await, true, what);
        let next = next.with_expires_at(now + HOUR);
        store.keeps(rule::EXPIRED, handle, &next, what).await;
        let listed = store.list(&user).await;
        let listed: Vec<_> = listed.iter().map(|(_, record)| kept(record)).collect();
        rule::ALL_OF_A_USER.equal(listed, vec![kept(&next)], "list after touch");
    }
}

async fn only_live_sessions_count(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let counts = async |expected: u64, what| {
        let count = store.count(now).await;
        rule::TOMBSTONES.equal(count, expected, what);
    };
    let before = store.count(now).await;
    let lives = store.insert(&record(now, None, "{}")).await;
    store.insert(&record(now, Some("alice"), "{}")).await;
    let ends_now = record(now, None, "{}").with_expires_at(now);
    store.create(super::samples::handle(), &ends_now).await;
    let what = "count of an anonymous session and one of a user, beside one that ends now";
    counts(before + 2, what).await;
    store
        .create(super::samples::handle(), &tombstone(now))
        .await;
    counts(before + 2, "count with a tombstone").await;
    store.replace(lives, Version::FIRST, &tombstone(now)).await;
    counts(before + 1, "count after a session became a tombstone").await;
}

/// A store may write together what it is asked at once.
async fn what_becomes_a_tombstone_with_others_does_not_count(store: &Subject<impl SessionStore>) {
    const SESSIONS: u64 = 20;
    let now = store.now();
    let before = store.count(now).await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(store.insert(&record(now, Some("alice"), "{}")).await);
    }
    in_parallel(store, sessions, |store, session| async move {
        let tombstone = tombstone(store.now());
        store.replace(session, Version::FIRST, &tombstone).await;
    })
    .await;
    let left = store.count(now).await;
    let what = "count after sessions became tombstones at once";
    rule::TOMBSTONES.equal(left, before, what);
}

/// Whatever the store's own clock says.
async fn the_time_that_is_passed_counts(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let late = UNIX_EPOCH + Duration::from_millis(Timestamp::LATEST);
    let ends = [
        now - 2 * MINUTE,
        now - MINUTE,
        now + HOUR,
        now + 3 * HOUR,
        late,
    ];
    let times = [
        now - 3 * MINUTE,
        now - 90 * SECOND,
        now,
        now + HOUR - TICK,
        now + HOUR,
        now + 2 * HOUR,
        now + 4 * HOUR,
        late - TICK,
        late,
    ];
    let mut before = Vec::new();
    for at in times {
        before.push(store.count(at).await);
    }
    for end in ends {
        let ends = record(now, Some("alice"), "{}").with_expires_at(end);
        store.create(super::samples::handle(), &ends).await;
    }
    for (at, before) in times.into_iter().zip(before) {
        let live = ends.iter().filter(|end| **end > at).count() as u64;
        let what = "count at a time that is not the store's";
        rule::CALLERS_CLOCK.equal(store.count(at).await, before + live, what);
    }
}

/// Sweeps until nothing is left, and answers how many went.
async fn sweep(store: &Subject<impl SessionStore>, at: SystemTime, limit: usize) -> u64 {
    let mut swept = 0;
    loop {
        let batch = store.delete_expired(at, limit).await;
        let what = "a sweep deletes no more than its limit";
        rule::EXPIRED.holds(batch <= limit as u64, what);
        rule::EXPIRED.holds(swept < 1_000_000, "sweeps come to an end");
        swept += batch;
        if batch == 0 {
            return swept;
        }
    }
}

async fn insert_all(store: &Subject<impl SessionStore>, records: &[Record]) -> Vec<Handle> {
    let mut handles = Vec::new();
    for record in records {
        handles.push(super::samples::handle());
        store.create(handles[handles.len() - 1], record).await;
    }
    handles
}

/// Sessions with and without a user, and tombstones.
async fn all_that_expired_is_swept(store: &Subject<impl SessionStore>) {
    if store.settings().engine_expires {
        return;
    }
    let (now, user) = (store.now(), user());
    let at = now + 10 * HOUR;
    sweep(store, at, 1_000).await;
    let moved = record(now, Some(&user), "{}").with_expires_at(at);
    let long = moved.clone().with_expires_at(at + HOUR);
    // Its tombstone ends before it would have.
    let (old, new) = (store.insert(&long).await, super::samples::handle());
    store
        .regenerate(old, Version::FIRST, &tombstone(now), new, &moved)
        .await;
    let sooner = store.insert(&long).await;
    let shortened = moved.clone().with_expires_at(now + HOUR);
    store.replace(sooner, Version::FIRST, &shortened).await;
    let later = store.insert(&shortened).await;
    store.touch(later, at - TICK).await;
    let expired = insert_all(
        store,
        &[
            record(now, None, "{}"),
            record(now, Some(&user), "{}"),
            tombstone(now),
            tombstone(now).with_expires_at(at - TICK),
            moved.clone(),
            record(now, None, "{}").with_expires_at(now - MINUTE),
        ],
    )
    .await;
    let swept = sweep(store, at, 1_000).await;
    for handle in expired.into_iter().chain([old, new, sooner, later]) {
        let what = "a sweep takes sessions with and without a user, and tombstones";
        store.keeps_nothing(rule::EXPIRED, handle, what).await;
    }
    rule::EXPIRED.equal(swept, 10, "delete_expired answers how many it deleted");
    let listed = store.list(&user).await.len();
    rule::ALL_OF_A_USER.equal(listed, 0, "list after a sweep");
}

async fn what_lives_survives(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let live = record(now, Some("alice"), "{}");
    let shortened = live.clone().with_expires_at(now + MINUTE);
    let survives = store.insert(&live).await;
    let touched = store.insert(&shortened).await;
    store.touch(touched, live.expires_at()).await;
    let replaced = store.insert(&shortened).await;
    store.replace(replaced, Version::FIRST, &live).await;
    for at in [now + MINUTE, live.expires_at() - TICK] {
        sweep(store, at, 1_000).await;
        for (handle, version) in [(survives, 1), (touched, 1), (replaced, 2)] {
            let live = live.clone().with_version(Version::new(version));
            let what = "a session that lives survives a sweep";
            store.keeps(rule::EXPIRED, handle, &live, what).await;
        }
    }
}

async fn a_sweep_goes_by_the_time_that_is_passed(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let expired = record(now, None, "{}").with_expires_at(now - MINUTE);
    let early = insert_all(store, std::slice::from_ref(&expired)).await[0];
    sweep(store, now - 2 * MINUTE, 1_000).await;
    let what = "a sweep at a time before the session expired";
    store
        .keeps(rule::CALLERS_CLOCK, early, &expired, what)
        .await;
}

async fn a_sweep_keeps_to_its_limit(store: &Subject<impl SessionStore>) {
    if store.settings().engine_expires {
        return;
    }
    let (now, at) = (store.now(), store.now() - MINUTE);
    sweep(store, at, 1_000).await;
    let expired = vec![record(now, Some("alice"), "{}").with_expires_at(at); 25];
    insert_all(store, &expired).await;
    let batch = store.delete_expired(at, 10).await;
    rule::EXPIRED.holds(
        (1..=10).contains(&batch),
        format_args!("delete_expired with a limit of 10, where 25 expired, answered {batch}"),
    );
    let swept = batch + sweep(store, at, 10).await;
    rule::EXPIRED.equal(swept, 25, "delete_expired answers how many it deleted");
}
