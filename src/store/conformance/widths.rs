//! Nothing is cut: versions, times, handles, texts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    parallel::in_parallel,
    rule,
    samples::{HOUR, SECOND, full_record, handle, record, tombstone},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
    time::Timestamp,
};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    in_parallel(store, VERSIONS, |store, version| async move {
        a_version_is_kept(&store, version).await;
    })
    .await;
    let ends: Vec<_> = ends(store.now()).collect();
    in_parallel(store, ends, |store, end| async move {
        an_end_is_kept(&store, end).await;
    })
    .await;
    every_byte_of_a_handle_counts(store).await;
    in_parallel(store, texts(), |store, (user, json)| async move {
        if json.len() <= store.settings().max_bytes {
            a_text_is_kept(&store, user, &json).await;
        }
    })
    .await;
    all_of_a_record_is_kept(store).await;
    the_largest_session_is_kept(store).await;
}

/// Versions that do not fit what a store may keep them in.
const VERSIONS: [u64; 12] = [
    127,
    255,
    (1 << 15) - 1,
    (1 << 16) - 1,
    (1 << 24) + 1,
    (1 << 31) - 1,
    (1 << 32) - 1,
    (1 << 32) + 1,
    // A float skips every other number from here on.
    (1 << 53) + 1,
    (1 << 61) + 1,
    (1 << 62) + 1,
    // The last that has a next one which can be read.
    i64::MAX as u64 - 2,
];

async fn a_version_is_kept(store: &Subject<impl SessionStore>, number: u64) {
    let now = store.now();
    let (version, what) = (Version::new(number), format!("version {number}"));
    let first = record(now, None, r#"{"n":1}"#).with_version(version);
    let (old, new) = (handle(), handle());
    store.create(old, &first).await;
    store.keeps(rule::NOTHING_IS_CUT, old, &first, &what).await;
    let second = record(now, None, r#"{"n":2}"#);
    let answer = store.replace(old, version, &second).await;
    rule::NOTHING_IS_CUT.equal(answer, Replaced::Stored(version.next()), &what);
    let second = second.with_version(version.next());
    store.keeps(rule::NOTHING_IS_CUT, old, &second, &what).await;
    // The tombstone needs a version too.
    if number < VERSIONS[VERSIONS.len() - 1] {
        let answer = store
            .regenerate(old, version.next(), &tombstone(now), new, &first)
            .await;
        rule::NOTHING_IS_CUT.equal(answer, Replaced::Stored(version), &what);
        store.keeps(rule::NOTHING_IS_CUT, new, &first, &what).await;
    }
}

/// Ends that do not fit what a store may keep them in, from a second on.
fn ends(now: SystemTime) -> impl Iterator<Item = SystemTime> {
    let day = 24 * HOUR;
    let fractions = [1, 10, 99, 499, 500, 999].map(Duration::from_millis);
    let soon = fractions.map(|fraction| now + HOUR + fraction);
    let seconds = [
        i32::MAX.cast_unsigned().into(),
        u32::MAX.into(),
        // In milliseconds, microseconds, nanoseconds.
        i64::MAX as u64 / 1_000_000_000,
        u64::MAX / 1_000_000_000,
        // The year 9999.
        Timestamp::LATEST / 1_000 - 1,
    ];
    let late = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds) + 3 * SECOND);
    soon.into_iter()
        .chain([now + 31 * day, now + 400 * day])
        .chain(late)
        .map(|end| Timestamp::from(end).into())
}

async fn an_end_is_kept(store: &Subject<impl SessionStore>, end: SystemTime) {
    let now = store.now();
    let later = end.duration_since(now).unwrap_or_default();
    let stored = record(now, Some("alice"), "{}").with_expires_at(end);
    let short = stored.clone().with_expires_at(now + SECOND);
    let keeps = async |handle, version: u64, method: &str| {
        let stored = stored.clone().with_version(Version::new(version));
        let what = format!("{method} with an end {later:?} from now");
        store
            .keeps(rule::NOTHING_IS_CUT, handle, &stored, &what)
            .await;
    };
    let [created, touched, replaced, old, new] = [(); 5].map(|()| handle());
    store.create(created, &stored).await;
    keeps(created, 1, "create").await;
    for handle in [touched, replaced, old] {
        store.create(handle, &short).await;
    }
    store.touch(touched, end).await;
    keeps(touched, 1, "touch").await;
    store.replace(replaced, Version::FIRST, &stored).await;
    keeps(replaced, 2, "replace").await;
    store
        .regenerate(old, Version::FIRST, &tombstone(now), new, &stored)
        .await;
    keeps(new, 1, "regenerate").await;
    for handle in [created, touched, replaced, new] {
        store.delete(handle).await;
    }
}

async fn every_byte_of_a_handle_counts(store: &Subject<impl SessionStore>) {
    let (now, what) = (store.now(), "a handle that differs in one byte");
    let present = record(now, Some("alice"), "{}");
    let first = store.insert(&present).await;
    for place in 0..16 {
        let mut bytes = *first.as_bytes();
        bytes[place] ^= 0x20;
        let other = Handle::from_bytes(bytes);
        store.keeps_nothing(rule::NOTHING_IS_CUT, other, what).await;
        rule::NOTHING_IS_CUT.equal(store.touch(other, now + HOUR).await, false, what);
        rule::NOTHING_IS_CUT.equal(store.delete(other).await, false, what);
        let answer = store.replace(other, Version::FIRST, &present).await;
        rule::NOTHING_IS_CUT.equal(answer, Replaced::Gone, what);
        store
            .keeps(rule::NOTHING_IS_CUT, first, &present, what)
            .await;
    }
    let special = [0, b' ', b'\'', b'%', b'/', 0x7f, 0x80, 0xff];
    for byte in special {
        let ends_in = |end: u8| {
            let mut bytes = [byte; 16];
            bytes[4..12].copy_from_slice(&first.as_bytes()[..8]);
            bytes[12..].fill(end);
            Handle::from_bytes(bytes)
        };
        let (handle, what) = (ends_in(byte), "a handle of special bytes");
        let created = store.create(handle, &present).await;
        rule::NOTHING_IS_CUT.equal(created, Created::Created, what);
        store
            .keeps(rule::NOTHING_IS_CUT, handle, &present, what)
            .await;
        for end in special.into_iter().filter(|end| *end != byte) {
            let other = ends_in(end);
            store.keeps_nothing(rule::NOTHING_IS_CUT, other, what).await;
        }
    }
}

const TEXTS: [&str; 5] = [
    "{}",
    r#"{"":"","null":null,"digits":1.000,"large":18446744073709551616,"exponent":1e400}"#,
    r#"{"nul\u0000key":"nul\u0000value","tab\t":"\u001f","quote\"":"\\'%_$1?:x"}"#,
    r#"{"장바구니":"사과","🛒":"🍏🏳️‍🌈","é":"e\u0301","\ud83d\ude00":"\ud83d\ude00"}"#,
    r#"{"b":1,"a":{"z":1,"y":2},"a ":3,"A":4}"#,
];

/// Texts, and users.
fn texts() -> Vec<(Option<&'static str>, String)> {
    let mut texts = Vec::new();
    for json in TEXTS {
        for user in [None, Some(""), Some("'; drop table -- \u{0}\u{1f6d2} ")] {
            texts.push((user, json.to_owned()));
        }
    }
    // Longer than what some engines keep in one column, or under one key.
    let (deep, long) = ("[".repeat(300), "k".repeat(35_000));
    texts.push((None, format!(r#"{{"deep":{deep}1{}}}"#, "]".repeat(300))));
    texts.push((None, format!(r#"{{"{long}a":1,"{long}b":2}}"#)));
    texts
}

async fn a_text_is_kept(store: &Subject<impl SessionStore>, user: Option<&str>, json: &str) {
    let now = store.now();
    let (stored, old) = (record(now, user, json), handle());
    let keeps = async |handle, record: &Record, what| {
        store
            .keeps(rule::NOTHING_IS_CUT, handle, record, what)
            .await;
    };
    store.create(old, &stored).await;
    keeps(old, &stored, "create with a text").await;
    store.replace(old, Version::FIRST, &stored).await;
    let replaced = stored.clone().with_version(Version::new(2));
    keeps(old, &replaced, "replace with a text").await;
    let (new, stone) = (handle(), tombstone(now));
    store
        .regenerate(old, Version::new(2), &stone, new, &stored)
        .await;
    keeps(new, &stored, "regenerate with a text").await;
    store.delete(new).await;
}

/// Also the ids of its last commits, and what else the store does not know.
async fn all_of_a_record_is_kept(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let full = full_record(now, "alice", r#"{"n":1}"#);
    let what = "a record with all that it can have";
    let handle = handle();
    store.create(handle, &full).await;
    store.keeps(rule::NOTHING_IS_CUT, handle, &full, what).await;
    let next = full_record(now, "alice", r#"{"n":2}"#);
    store.replace(handle, Version::FIRST, &next).await;
    let next = next.with_version(Version::new(2));
    store.keeps(rule::NOTHING_IS_CUT, handle, &next, what).await;
}

async fn the_largest_session_is_kept(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let bytes = store.settings().max_bytes.saturating_sub(64);
    let large = |letter: &str| {
        let json = format!(r#"{{"large":"{}"}}"#, letter.repeat(bytes / letter.len()));
        record(now, Some("alice"), &json)
    };
    let (first, second): (Record, Record) = (large("x"), large("사"));
    let (handle, what) = (handle(), "a session of `max_bytes`");
    store.create(handle, &first).await;
    store
        .keeps(rule::NOTHING_IS_CUT, handle, &first, what)
        .await;
    store.replace(handle, Version::FIRST, &second).await;
    let second = second.with_version(Version::new(2));
    store
        .keeps(rule::NOTHING_IS_CUT, handle, &second, what)
        .await;
    store.delete(handle).await;
}
