use std::time::Duration;

use futures_util::FutureExt;

use super::{A_ROUND, MINUTE, Site, in_one_shard};
use crate::{
    expiry::GRACE,
    id::SessionId,
    record::Version,
    store::{
        Created, Replaced, SessionStore,
        memory::{
            MemoryStore, board::Board, expiry_queue::ExpiryQueue, shard::Expired, shards::Shards,
        },
    },
    time::Timestamp,
};

#[test]
fn each_use_of_a_session_costs_one_look_at_the_most() {
    let site = Site::new(1_000);
    let carts: Vec<_> = (0..1_000).map(|_| site.cart()).collect();
    site.clock.advance(MINUTE / 2);
    for _ in 0..10 {
        let later = site.clock.timestamp().saturating_add(MINUTE);
        carts.iter().for_each(|cart| {
            site.store.touch(*cart, later);
        });
    }
    let before = site.inspected();
    for _ in 0..1_000 {
        site.cart();
    }
    assert!(site.inspected() - before <= 2_000);
}

#[test]
fn slots_of_sessions_that_ended_are_dropped() {
    let site = Site::new(1_000_000);
    for _ in 0..60_000 {
        let cart = site.cart();
        assert!(site.store.delete(cart));
    }
    assert!(site.slots() <= Shards::COUNT * 65);
}

#[test]
fn stale_slots_are_dropped_once_they_outnumber_the_records() {
    let site = Site::new(1_000_000);
    let handles: Vec<_> = (0..1_000).map(in_one_shard).collect();
    for (n, handle) in handles.iter().enumerate() {
        let user = (n % 2 == 0).then_some("alice");
        let answer = site.store.create(*handle, &site.record(user, MINUTE));
        assert_eq!(answer.unwrap(), Created::Created);
    }
    // (1000 - 64) / 2
    for left in (468..1_000).rev() {
        assert!(site.store.delete(handles[left]));
        assert_eq!(site.slots(), 1_000, "{left}");
    }
    assert!(site.store.delete(handles[467]));
    assert_eq!(site.slots(), 467);
    let end = site.clock.timestamp().saturating_add(MINUTE);
    assert_eq!(site.store.delete_expired(end, usize::MAX), 467);
}

#[test]
fn a_session_that_is_replaced_keeps_its_slot() {
    let site = Site::new(1);
    let session = site.log_in("alice").unwrap();
    for (version, lives) in (1..100).zip([1, 1, 2, 2, 1].into_iter().cycle()) {
        let user = ["alice", "bob"][version as usize % 2];
        let record = site.record(Some(user), lives * MINUTE);
        let answer = site.store.replace(session, Version::new(version), &record);
        assert!(matches!(answer, Ok(Replaced::Stored(_))));
    }
    let earlier = 99 / 5;
    assert_eq!(site.slots(), 1 + earlier, "and one for each earlier expiry");
}

#[test]
fn a_shard_is_swept_a_few_records_at_a_time_and_gives_their_room_back() {
    for (kept, is_smaller) in [(700, false), (10, true)] {
        let site = Site::new(1_000_000);
        for n in 0..1_000 {
            let lives = if n < kept { 3 * MINUTE } else { MINUTE };
            let answer = site
                .store
                .create(in_one_shard(n), &site.record(None, lives));
            assert_eq!(answer.unwrap(), Created::Created);
        }
        site.clock.advance(2 * MINUTE);
        let by_now = Expired::By(site.clock.timestamp());
        let shard = || site.store.contents.shards.lock_at(0);
        let mut left = 1_000 - kept as usize;
        loop {
            let (taken, is_more) = shard().take_expired(by_now, usize::MAX);
            assert_eq!(taken.len(), left.min(64));
            left -= taken.len();
            if !is_more {
                break;
            }
        }
        assert_eq!((left, shard().records().count()), (0, kept as usize));
        assert_eq!(shard().capacity() < 100, is_smaller);
        assert_eq!(shard().capacity() < 1_000, is_smaller);
    }
}

#[test]
fn a_queue_takes_little_more_room_than_it_needs() {
    let mut queue = ExpiryQueue::new(Board::new(1, 0).entry(0));
    let (mut room, mut moves) = (0, 0);
    for n in 0..10_000 {
        let expires_at = Timestamp::from_millis(n);
        queue.push(expires_at, 0, n);
        let slots = n as usize + 1;
        assert!(queue.capacity() <= slots + slots / 8 + 4, "{slots}");
        moves += usize::from(queue.capacity() != room);
        room = queue.capacity();
    }
    assert!(moves <= 60, "{moves}");
}

#[test]
fn expired_sessions_leave_as_new_ones_come_after_their_grace() {
    let site = Site::new(1_000_000);
    let old: Vec<_> = (0..1_000)
        .map(|n| {
            let user = (n % 2 == 0).then_some("alice");
            site.create(&site.record(user, MINUTE)).unwrap()
        })
        .collect();
    let round = |lives| {
        for _ in 0..A_ROUND {
            site.create(&site.record(None, lives)).unwrap();
        }
    };
    site.clock
        .advance(MINUTE + GRACE - Duration::from_millis(1));
    round(30 * MINUTE);
    assert_eq!(site.left(&old), 1_000, "a request may still hold them");
    site.clock.advance(Duration::from_millis(1));
    round(30 * MINUTE);
    assert_eq!(site.len(), 2 * A_ROUND, "a round of all shards swept them");
    assert!(site.store.list("alice").is_empty(), "also from the index");
}

#[test]
fn every_eighth_session_sweeps_one_shard() {
    let site = Site::new(1_000_000);
    let old = in_one_shard(1);
    let answer = site.store.create(old, &site.record(None, MINUTE));
    assert_eq!(answer.unwrap(), Created::Created);
    site.clock.advance(MINUTE + GRACE);
    for n in 1..A_ROUND {
        site.cart();
        assert!(site.is_there(old), "{n}");
    }
    site.cart();
    assert!(!site.is_there(old));
}

#[test]
fn an_explicit_deletion_is_exact() {
    let site = Site::new(1_000_000);
    let handles: Vec<_> = (1..=1_000)
        .map(|n| {
            let lives = Duration::from_millis(n);
            let user = [None, Some("alice")][n as usize % 2];
            site.create(&site.record(user, lives)).unwrap()
        })
        .collect();
    let start = site.clock.timestamp();
    let at = |millis| start.saturating_add(Duration::from_millis(millis));
    assert_eq!(site.store.delete_expired(at(500), 100), 100);
    assert_eq!(site.store.delete_expired(at(500), usize::MAX), 400);
    assert_eq!(
        (site.left(&handles[..500]), site.left(&handles[500..])),
        (0, 500)
    );
    for handle in &handles[500..] {
        assert!(site.store.touch(*handle, at(2_000)));
    }
    assert_eq!(site.store.delete_expired(at(1_999), usize::MAX), 0);
    let earlier = site.record(None, Duration::from_millis(1_500));
    let answer = site.store.replace(handles[601], Version::FIRST, &earlier);
    assert!(matches!(answer, Ok(Replaced::Stored(_))));
    assert_eq!(site.store.delete_expired(at(1_500), usize::MAX), 1);
    assert_eq!(site.store.delete_expired(at(2_000), usize::MAX), 499);
    assert_eq!(site.len(), 0);
}

#[test]
fn nothing_is_left_of_what_expired() {
    let site = Site::new(500);
    for n in 0..5_000 {
        let user = format!("user {}", n % 90);
        let session = match site.log_in(&user) {
            Ok(session) => session,
            Err(_) => site.store.list(&user)[0].0,
        };
        match n % 4 {
            0 => drop(site.cart_or_none()),
            1 => drop(site.regenerate(session, Some(&user))),
            2 => drop(site.store.delete(session)),
            _ => {
                let other = site.record(Some("somebody else"), MINUTE);
                let _ = site.store.replace(session, Version::FIRST, &other);
            }
        }
    }
    site.len();
    let end = site.clock.timestamp().saturating_add(2 * MINUTE);
    site.store.delete_expired(end, usize::MAX);
    assert_eq!((site.len(), site.store.usage()), (0, (0, 0)));
    assert!(
        site.store
            .contents
            .users
            .iter()
            .all(|shard| shard.is_empty())
    );
    assert!(site.slots() <= Shards::COUNT * 65);
}

#[test]
fn a_store_goes_by_the_clock_it_was_given() {
    let (site, store) = (Site::new(1), MemoryStore::with_max_sessions(1));
    store.use_clock(&site.clock);
    let create = |user| {
        let (handle, record) = (SessionId::random().handle(), site.record(user, MINUTE));
        let answer = store.create(handle, &record).now_or_never();
        answer.expect("it is immediate").map(|_| handle)
    };
    create(Some("alice")).unwrap();
    assert!(create(None).is_err());
    site.clock.advance(2 * MINUTE);
    create(None).expect("the other has expired");
}
