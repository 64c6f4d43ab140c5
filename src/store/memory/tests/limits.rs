// Over 250 lines: one list of what is counted, and where it ends.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{MINUTE, Site};
use crate::{
    id::SessionId,
    record::{Body, CommitId, CommitIds, Record, Version},
    store::{
        Created, Replaced,
        memory::{MemoryStore, capacity::cost},
    },
    time::Timestamp,
};

#[test]
fn bytes_are_bounded() {
    const LIMIT: usize = 1 << 20;
    let site = Site::of_bytes(LIMIT);
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(64 << 10));
    let mut last = None;
    for _ in 0..100 {
        let record = site.record_of(None, MINUTE, &large);
        last = Some(site.create(&record).unwrap());
        assert!(site.store.usage().1 <= LIMIT);
    }
    assert_eq!(site.len(), 15);
    assert!(site.is_there(last.unwrap()));

    let whole = format!(r#"{{"a":"{}"}}"#, "x".repeat(LIMIT));
    let refused = site.create(&site.record_of(None, MINUTE, &whole));
    assert!(refused.unwrap_err().is_store());
    assert_eq!(site.len(), 15, "what never fits pushes out nothing");
}

#[test]
fn a_record_may_take_all_there_is() {
    let record = Site::new(1).record(None, MINUTE);
    for (spare, fits) in [(0, true), (1, false)] {
        let site = Site::of_bytes(cost(&record) - spare);
        for _ in 0..3 {
            assert_eq!(site.create(&record).is_ok(), fits);
            assert_eq!(site.len(), usize::from(fits));
        }
    }
}

#[test]
fn a_tombstone_is_left_where_there_is_room_for_it() {
    let cart = Site::new(1).record(None, MINUTE);
    let stone = Record::tombstone(Version::FIRST, Timestamp::from_millis(0));
    for (spare, is_left) in [(0, true), (1, false)] {
        let site = Site::of_bytes(cost(&cart) + cost(&stone) - spare);
        let old = site.cart();
        let new = site.regenerate(old, None);
        assert_eq!((site.is_there(new), site.is_there(old)), (true, is_left));
        site.len();
    }
}

#[test]
fn a_record_that_grows_pushes_out_others_and_not_itself() {
    let site = Site::of_bytes(1 << 20);
    let carts: Vec<_> = (0..4_000).map(|_| site.cart()).collect();
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(512 << 10));
    let large = site.record_of(None, MINUTE, &large);
    let answer = site.store.replace(carts[0], Version::FIRST, &large);
    assert_eq!(answer.unwrap(), Replaced::Stored(Version::new(2)));
    assert!(site.is_there(carts[0]));
    assert!(site.store.usage().1 <= 1 << 20);
    assert!(site.len() < 4_000);

    let small = site.record(None, MINUTE);
    let answer = site.store.replace(carts[0], Version::new(2), &small);
    assert_eq!(answer.unwrap(), Replaced::Stored(Version::new(3)));
    site.len();

    let full = Site::of_bytes(1 << 20);
    let users: Vec<_> = (0..100)
        .map(|n| full.log_in(&format!("user {n}")).unwrap())
        .collect();
    let whole = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_040_000));
    let whole = full.record_of(Some("user 7"), MINUTE, &whole);
    let answer = full.store.replace(users[7], Version::FIRST, &whole);
    assert!(answer.unwrap_err().is_store());
    assert_eq!((full.left(&users), full.len()), (100, 100));
}

#[test]
fn a_record_that_changes_its_size_is_accounted_for() {
    let site = Site::new(10);
    let cart = site.cart();
    for (version, length) in (1..).zip([100, 2_000, 2_000, 10, 1_000]) {
        let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
        let record = site.record_of(None, MINUTE, &text);
        let answer = site.store.replace(cart, Version::new(version), &record);
        assert!(matches!(answer, Ok(Replaced::Stored(_))));
        assert_eq!(site.len(), 1);
    }
}

#[test]
fn the_account_is_exact_when_threads_meet() {
    const LIMIT: usize = 200;
    let site = Site::new(LIMIT);
    let (start, is_over) = (Barrier::new(5), AtomicBool::new(false));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (site, start) = (&site, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut mine = Vec::new();
                    for n in 0..3_000 {
                        let user = format!("user {}", (n + worker) % 60);
                        match n % 6 {
                            0 => mine.extend(site.cart_or_none()),
                            1 => mine.extend(site.log_in(&user)),
                            2 => mine.extend(site.log_in("alice")),
                            3 => drop(mine.pop().map(|handle| site.store.delete(handle))),
                            4 => drop(site.store.delete_user(&user, None)),
                            _ => {
                                let old = mine[fastrand::usize(..mine.len())];
                                let stone =
                                    Record::tombstone(Version::FIRST, site.clock.timestamp());
                                let new = SessionId::random().handle();
                                let record = site.record(Some(&user), MINUTE);
                                let first = Version::FIRST;
                                let _ = site.store.regenerate(old, first, &stone, new, &record);
                                mine.push(new);
                            }
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            start.wait();
            while !is_over.load(Ordering::Relaxed) {
                assert!(site.store.usage().0 <= LIMIT);
                thread::yield_now();
            }
        });
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(site.len() <= LIMIT);
}

#[test]
fn of_many_creates_at_once_as_many_succeed_as_there_is_room() {
    const LIMIT: usize = 500;
    let site = Site::new(LIMIT);
    let created = AtomicUsize::new(0);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for worker in 0..4 {
            let (site, created, start) = (&site, &created, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..200 {
                    if site.log_in(&format!("user {worker} {n}")).is_ok() {
                        created.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(created.into_inner(), LIMIT);
    assert_eq!(site.len(), LIMIT);
}

/// The room for it was reserved before.
#[test]
fn what_is_refused_takes_no_room() {
    let site = Site::new(100);
    let (a, b, large) = (
        site.cart(),
        site.cart(),
        format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000)),
    );
    let record = site.record_of(None, MINUTE, &large);
    let stone = Record::tombstone(Version::FIRST, site.clock.timestamp());
    let (missing, new) = (SessionId::random().handle(), SessionId::random().handle());
    let moves = |old, version, new| {
        let answer = site.store.regenerate(old, version, &stone, new, &record);
        answer.unwrap()
    };
    let replaces = |handle, version| site.store.replace(handle, version, &record).unwrap();
    for _ in 0..100 {
        assert_eq!(site.store.create(a, &record).unwrap(), Created::Exists);
        assert_eq!(replaces(a, Version::new(7)), Replaced::Conflict);
        assert_eq!(replaces(missing, Version::FIRST), Replaced::Gone);
        assert_eq!(moves(a, Version::new(7), new), Replaced::Conflict);
        assert_eq!(moves(a, Version::FIRST, b), Replaced::Conflict);
        assert_eq!(moves(missing, Version::FIRST, new), Replaced::Gone);
    }
    assert_eq!((site.len(), site.left(&[a, b])), (2, 2));
}

#[test]
fn a_store_has_the_limits_that_it_is_built_with() {
    let built = MemoryStore::builder().max_sessions(7).max_bytes(4096);
    let limits = |store: MemoryStore| {
        let text = format!("{store:?}");
        let (_, limits) = text.split_once("max_sessions: ").unwrap();
        let (sessions, bytes) = limits.split_once(", bytes: 0, max_bytes: ").unwrap();
        (sessions.to_owned(), bytes.trim_end_matches(" }").to_owned())
    };
    let are = |sessions: &str, bytes: usize| (sessions.to_owned(), bytes.to_string());
    assert_eq!(limits(built.build()), are("7", 4096));
    assert_eq!(limits(MemoryStore::with_max_sessions(7)), are("7", 1 << 30));
    assert_eq!(limits(MemoryStore::new()), are("1000000", 1 << 30));
}

/// It reserves what it needs by what it found before.
#[test]
fn a_session_that_has_another_size_by_then_is_accounted_for() {
    let site = Site::new(100);
    let text = |length| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
    let record = |user, length| site.record_of(user, MINUTE, &text(length));
    let large = record(Some("alice"), 2_000);
    for length in [1, 500, 1_500, 3_000] {
        let cart = site.create(&record(None, 1_000)).unwrap();
        let other = record(None, length);
        let call = || site.store.replace(cart, Version::FIRST, &large);
        let answer = site.meanwhile("alice", call, || {
            assert!(site.store.delete(cart));
            let again = site.store.create(cart, &other);
            assert_eq!(again.unwrap(), Created::Created);
        });
        assert!(matches!(answer, Ok(Replaced::Stored(_))));
        site.len();
    }
}

/// What is weighed is what the limit on bytes bounds: it must not be less than what a record takes.
#[test]
fn a_record_weighs_at_least_what_it_holds() {
    let site = Site::new(100);
    let weight = |user: Option<&str>, data: &str| cost(&site.record_of(user, MINUTE, data));
    let empty = weight(None, "{}");
    assert!((200..600).contains(&empty), "{empty}");
    let named = weight(Some(&"u".repeat(100)), "{}");
    assert!((empty + 200..empty + 400).contains(&named), "{named}");
    let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000));
    let with_text = weight(None, &text);
    assert!(
        (empty + 1_000..empty + 1_100).contains(&with_text),
        "{with_text}"
    );
    let mut of_commits = Body::clone(site.record(None, MINUTE).body());
    of_commits.commits = CommitIds::default().with(CommitId::random());
    let with_commits = cost(&Record::new(
        Version::FIRST,
        site.clock.timestamp(),
        of_commits,
    ));
    let ids = 8 * CommitIds::MOST;
    assert!(
        (empty + ids..empty + 2 * ids).contains(&with_commits),
        "{with_commits}"
    );
    let keys: Vec<_> = (0..100).map(|n| format!(r#""{n:02}":1"#)).collect();
    let with_keys = weight(None, &format!("{{{}}}", keys.join(",")));
    let of_keys = 100 * (8 + 3);
    assert!(
        (empty + of_keys..empty + of_keys + 200).contains(&with_keys),
        "{with_keys}"
    );
}
