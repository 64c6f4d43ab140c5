// Over 250 lines: a list of tests of one store.

use std::{
    hash::{BuildHasher, BuildHasherDefault},
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::FutureExt;

use super::{
    MemoryStore,
    board::Board,
    capacity::{Limits, cost},
    contents::Contents,
    expiry_queue::ExpiryQueue,
    key::{KeyIsHash, split},
    sessions::Sessions,
    shard::Expired,
    shards::Shards,
    user_sessions::{HandleHasher, UserSessions},
};
use crate::{
    change::Data,
    error::Error,
    expiry::GRACE,
    id::{Handle, SessionId},
    record::{Body, CommitId, CommitIds, Record, Version},
    store::{Created, Replaced, SessionStore},
    time::{Clock, Timestamp},
};

const MINUTE: Duration = Duration::from_secs(60);

/// As often as it takes to sweep each shard once.
const A_ROUND: usize = Shards::COUNT * Sessions::CREATES_A_SWEEP;

struct Site {
    store: Sessions,
    clock: Clock,
}

impl Site {
    fn new(sessions: usize) -> Self {
        Self::with(Limits {
            sessions,
            ..Limits::default()
        })
    }

    fn of_bytes(bytes: usize) -> Self {
        Self::with(Limits {
            bytes,
            ..Limits::default()
        })
    }

    fn with(limits: Limits) -> Self {
        let (store, clock) = (Sessions::new(limits), Clock::manual());
        store.use_clock(&clock);
        Self { store, clock }
    }

    fn record(&self, user: Option<&str>, lives: Duration) -> Record {
        self.record_of(user, lives, "{}")
    }

    fn record_of(&self, user: Option<&str>, lives: Duration, data: &str) -> Record {
        let now = self.clock.timestamp();
        let body = Body {
            created_at: now,
            authenticated_at: None,
            deadline: now.saturating_add(Duration::MAX),
            remember: None,
            user: user.map(Into::into),
            tombstone: false,
            details: None,
            commits: CommitIds::default(),
            data: Data::from_json(data).unwrap(),
        };
        Record::new(Version::FIRST, now.saturating_add(lives), body)
    }

    fn create(&self, record: &Record) -> Result<Handle, Error> {
        let handle = SessionId::random().handle();
        self.store.create(handle, record).map(|_| handle)
    }

    fn cart(&self) -> Handle {
        self.cart_or_none().unwrap()
    }

    fn cart_or_none(&self) -> Option<Handle> {
        self.create(&self.record(None, MINUTE)).ok()
    }

    fn log_in(&self, user: &str) -> Result<Handle, Error> {
        self.create(&self.record(Some(user), MINUTE))
    }

    fn regenerate(&self, old: Handle, user: Option<&str>) -> Handle {
        let stored = self.store.load(old).unwrap();
        let stone = Record::tombstone(Version::FIRST, self.clock.timestamp());
        let new = SessionId::random().handle();
        let moved = self.record(user, MINUTE);
        let answer = self
            .store
            .regenerate(old, stored.version(), &stone, new, &moved);
        assert_eq!(answer.unwrap(), Replaced::Stored(Version::FIRST));
        new
    }

    fn is_there(&self, handle: Handle) -> bool {
        self.store.load(handle).is_some()
    }

    fn left(&self, handles: &[Handle]) -> usize {
        let there = handles.iter().filter(|handle| self.is_there(**handle));
        there.count()
    }

    /// How many records there are, after a look at whether all that has to agree does.
    fn len(&self) -> usize {
        let shards = &self.store.contents.shards;
        let records: Vec<_> = shards
            .iter()
            .flat_map(|shard| shard.records().cloned().collect::<Vec<_>>())
            .collect();
        let bytes = records.iter().map(cost).sum();
        assert_eq!(self.store.usage(), (records.len(), bytes));
        let users: std::collections::BTreeSet<_> =
            records.iter().filter_map(Record::user).collect();
        let indexed: usize = users
            .iter()
            .map(|user| self.store.contents.users.count(user))
            .sum();
        let of_users = records.iter().filter(|record| record.user().is_some());
        assert_eq!(indexed, of_users.count(), "the index has these sessions");
        let names: usize = self.store.contents.users.iter().map(|s| s.len()).sum();
        assert_eq!(names, users.len(), "and no others");
        records.len()
    }

    /// What a call does that waits for the user's shard of the index while this is done: it has found its session and
    /// reserved its room by then.
    fn meanwhile<T: Send>(
        &self,
        user: &str,
        call: impl FnOnce() -> T + Send,
        done: impl FnOnce(),
    ) -> T {
        let index = self.store.contents.users.lock(user);
        let before = self.store.usage();
        thread::scope(|scope| {
            let call = scope.spawn(call);
            while self.store.usage() == before && !call.is_finished() {
                thread::yield_now();
            }
            done();
            drop(index);
            call.join().unwrap()
        })
    }

    fn inspected(&self) -> usize {
        let shards = self.store.contents.shards.iter();
        shards.map(|shard| shard.inspected).sum()
    }

    fn slots(&self) -> usize {
        let shards = self.store.contents.shards.iter();
        shards.map(|shard| shard.slots()).sum()
    }
}

#[test]
fn one_client_that_logs_in_all_the_time_pushes_out_nobody() {
    let site = Site::new(1_000);
    let carts: Vec<_> = (0..500).map(|_| site.cart()).collect();
    let mut session = site.log_in("alice").unwrap();
    for n in 0..1_500 {
        session = site.regenerate(session, Some("alice"));
        if n % 100 == 0 {
            site.log_in(&format!("user {n}")).unwrap();
        }
    }
    assert!(site.is_there(session));
    assert_eq!(site.left(&carts), 500);
    assert_eq!(site.len(), 1_000);
}

#[test]
fn one_account_with_a_thousand_logins_pushes_out_nobody() {
    let site = Site::new(1_000);
    let carts: Vec<_> = (0..500).map(|_| site.cart()).collect();
    let mut others = Vec::new();
    let mut logins = Vec::new();
    for n in 0..1_500 {
        logins.push(site.log_in("alice").unwrap());
        if n % 10 == 0 {
            others.push(site.log_in(&format!("user {n}")).unwrap());
            others.push(site.cart());
        }
    }
    assert_eq!(site.left(&carts), 500);
    assert_eq!(site.left(&others), others.len());
    assert_eq!(site.len(), 1_000);
    let kept = 1_000 - 500 - others.len();
    let (gone, newest) = logins.split_at(logins.len() - kept);
    assert_eq!((site.left(gone), site.left(newest)), (0, kept));
}

#[test]
fn in_a_full_store_an_account_costs_the_others_its_allowance() {
    let site = Site::new(1_000);
    let carts: Vec<_> = (0..1_000).map(|_| site.cart()).collect();
    for _ in 0..1_000 {
        site.log_in("alice").unwrap();
    }
    assert_eq!(site.left(&carts), 996);
}

#[test]
fn anonymous_sessions_push_out_the_oldest_of_their_kind() {
    let site = Site::new(100);
    let users: Vec<_> = (0..50)
        .map(|n| site.log_in(&format!("user {n}")).unwrap())
        .collect();
    let carts: Vec<_> = (0..1_000).map(|_| site.cart()).collect();
    assert_eq!(site.left(&users), 50);
    assert_eq!(site.left(&carts[950..]), 50);
    assert_eq!(site.len(), 100);
}

#[test]
fn a_session_that_is_used_is_not_the_oldest() {
    let site = Site::new(100);
    let carts: Vec<_> = (0..100).map(|_| site.cart()).collect();
    site.clock.advance(MINUTE / 2);
    for cart in &carts[..50] {
        let later = site.clock.timestamp().saturating_add(MINUTE);
        assert!(site.store.touch(*cart, later));
    }
    for _ in 0..50 {
        site.cart();
    }
    assert_eq!((site.left(&carts[..50]), site.left(&carts[50..])), (50, 0));
}

#[test]
fn what_expired_makes_room_first_then_tombstones() {
    let site = Site::new(300);
    let lives: Vec<_> = (0..100).map(|_| site.cart()).collect();
    let short = |n: usize| site.record(Some(["alice", "bob"][n % 2]), MINUTE / 60);
    let expired: Vec<_> = (0..100).map(|n| site.create(&short(n)).unwrap()).collect();
    site.clock.advance(MINUTE / 30);
    let moved: Vec<_> = lives[..50]
        .iter()
        .map(|cart| site.regenerate(*cart, None))
        .collect();
    for _ in 0..50 {
        site.cart();
    }
    assert_eq!((site.len(), site.left(&expired)), (300, 100));
    for left in (0..100).rev() {
        site.cart();
        assert_eq!(site.left(&expired), left);
    }
    for left in (0..50).rev() {
        site.cart();
        assert_eq!(site.left(&lives[..50]), left, "tombstones");
    }
    assert_eq!((site.left(&lives[50..]), site.left(&moved)), (50, 50));
    site.cart();
    assert_eq!(site.left(&lives[50..]), 49);
}

#[test]
fn a_tombstone_makes_room_before_sessions_that_expire_earlier() {
    let site = Site::new(3);
    let short = || site.create(&site.record(None, MINUTE / 60)).unwrap();
    let [first, moves] = [(); 2].map(|()| short());
    site.regenerate(moves, None);
    short();
    assert_eq!((site.is_there(moves), site.is_there(first)), (false, true));
}

#[test]
fn a_session_that_changes_hands_makes_room_as_what_it_is_by_then() {
    let site = Site::new(2);
    let [one, other] = [(); 2].map(|()| site.cart());
    let replace = |handle, version, user| {
        let record = site.record(user, MINUTE);
        let answer = site.store.replace(handle, Version::new(version), &record);
        assert!(matches!(answer, Ok(Replaced::Stored(_))));
    };
    replace(one, 1, Some("alice"));
    let last = site.cart();
    assert_eq!((site.is_there(one), site.is_there(other)), (true, false));
    replace(last, 1, Some("bob"));
    assert!(site.cart_or_none().is_none());
    replace(one, 2, None);
    site.cart();
    assert_eq!((site.is_there(one), site.is_there(last)), (false, true));
    site.len();
}

#[test]
fn a_session_that_becomes_a_tombstone_expires_as_one() {
    let site = Site::new(10);
    let session = site.create(&site.record(None, MINUTE / 60)).unwrap();
    let stone = Record::tombstone(Version::FIRST, site.clock.timestamp());
    let answer = site.store.replace(session, Version::FIRST, &stone);
    assert!(matches!(answer, Ok(Replaced::Stored(_))));
    assert_eq!(site.store.delete_expired(stone.expires(), usize::MAX), 1);
    assert_eq!(site.len(), 0);
}

#[test]
fn only_a_login_pushes_out_an_alias_and_that_before_a_users_session() {
    let site = Site::new(3);
    let mut body = Body::clone(site.record_of(None, MINUTE, r#"{"user":"alice"}"#).body());
    body.tombstone = true;
    let expires_at = site.clock.timestamp().saturating_add(MINUTE / 60);
    let alias = Record::new(Version::FIRST, expires_at, body);
    let alias = site.create(&alias).unwrap();
    let alice = site.log_in("alice").unwrap();
    for _ in 0..3 {
        site.cart();
    }
    let bob = site.log_in("bob").unwrap();
    assert_eq!(site.left(&[alias, alice, bob]), 3, "bob's is the cart's");
    assert!(site.cart_or_none().is_none());
    let carol = site.log_in("carol").unwrap();
    assert!(!site.is_there(alias));
    assert_eq!(site.left(&[alice, bob, carol]), 3);
}

#[test]
fn a_store_full_of_users_refuses_and_loses_nobody() {
    let site = Site::new(10);
    let users: Vec<_> = (0..10)
        .map(|n| site.log_in(&format!("user {n}")).unwrap())
        .collect();
    assert!(site.log_in("alice").unwrap_err().is_store());
    assert!(site.create(&site.record(None, MINUTE)).is_err());
    assert_eq!((site.left(&users), site.len()), (10, 10));
    let own = site.log_in("user 3").unwrap();
    assert!(site.is_there(own) && !site.is_there(users[3]));
    site.clock.advance(2 * MINUTE);
    site.cart();
}

#[test]
fn the_user_with_the_most_sessions_makes_room_for_another() {
    let site = Site::new(10);
    let alice: Vec<_> = (0..3).map(|_| site.log_in("alice").unwrap()).collect();
    for n in 0..7 {
        site.log_in(&format!("user {n}")).unwrap();
    }
    site.log_in("bob").unwrap();
    assert!(!site.is_there(alice[0]) && site.is_there(alice[1]));
    site.log_in("bob").unwrap();
    assert_eq!(site.left(&alice), 2, "bob would have more then");
    assert_eq!(site.store.list("bob").len(), 1);
}

#[test]
fn a_crowd_is_more_than_sixteen_sessions_and_one_in_a_hundred() {
    for (room, crowd) in [(100, 17), (2_000, 21)] {
        for sessions in [crowd - 1, crowd] {
            let site = Site::new(room);
            let first = site.log_in("alice").unwrap();
            for _ in 1..sessions {
                site.log_in("alice").unwrap();
            }
            for _ in sessions..=room {
                site.cart();
            }
            assert_eq!(site.is_there(first), sessions < crowd, "{sessions}");
        }
    }
}

#[test]
fn the_tombstone_of_a_login_takes_the_place_of_a_session_of_the_user() {
    let full = || {
        let site = Site::new(7);
        let carts = [(); 2].map(|()| site.cart());
        let alice = [(); 5].map(|()| site.log_in("alice").unwrap());
        (site, carts, alice)
    };
    let (site, carts, alice) = full();
    site.regenerate(carts[1], Some("alice"));
    assert_eq!((site.left(&carts), site.left(&alice)), (2, 4));
    assert!(!site.is_there(alice[0]));

    let (site, carts, alice) = full();
    site.regenerate(alice[4], Some("alice"));
    assert!(!site.is_there(carts[0]), "it is no login");
    assert_eq!((site.left(&carts), site.left(&alice)), (1, 5));
}

/// Until the thread that ends a session gets there, the index has it, and the account too.
#[test]
fn sessions_that_are_just_ending_push_out_nobody() {
    let site = Site::new(23);
    let alice: Vec<_> = (0..20).map(|_| site.log_in("alice").unwrap()).collect();
    let bob = site.log_in("bob").unwrap();
    let carol = [(); 2].map(|()| site.log_in("carol").unwrap());
    let Contents { shards, .. } = &site.store.contents;
    let end = |handle: &Handle| (*handle, shards.lock(*handle).remove(*handle).unwrap());
    let ending: Vec<_> = alice.iter().map(end).collect();
    site.log_in("bob").unwrap();
    assert_eq!(site.left(&carol), 2, "bob would have as many");
    assert!(!site.is_there(bob));
    for (handle, record) in ending {
        site.store.contents.on_removed(handle, &record);
    }
    assert_eq!(site.len(), 3);
}

#[test]
fn a_session_that_moves_makes_no_room_for_itself() {
    for max_sessions in [1, 2] {
        let site = Site::new(max_sessions);
        let old: Vec<_> = (0..max_sessions).map(|_| site.cart()).collect();
        let new = site.regenerate(old[0], Some("alice"));
        assert_eq!(site.store.load(new).unwrap().user(), Some("alice"));
        assert_eq!(site.left(&old[1..]), 0, "another one makes room");
        let has_tombstone = site.is_there(old[0]);
        assert_eq!(has_tombstone, max_sessions == 2, "if there is one");
        assert_eq!(site.len(), max_sessions);
    }
}

#[test]
fn a_session_that_moves_makes_room_by_the_next_of_its_shard() {
    let moves_beside = |users: [Option<&str>; 2], lives: [Duration; 2]| {
        let site = Site::new(2);
        let create = |n: usize| {
            let handle = in_one_shard(n as u128);
            let record = site.record(users[n], lives[n]);
            let answer = site.store.create(handle, &record);
            assert_eq!(answer.unwrap(), Created::Created);
            handle
        };
        let [old, other] = [0, 1].map(create);
        site.clock.advance(MINUTE);
        let new = site.regenerate(old, users[0]);
        [old, other, new].map(|handle| site.is_there(handle))
    };
    let (one, two) = (MINUTE, 2 * MINUTE);
    let anonymous = moves_beside([None; 2], [two, two]);
    assert_eq!(anonymous, [true, false, true]);
    let users = [Some("alice"), Some("bob")];
    assert_eq!(moves_beside(users, [one, one]), [true, false, true]);
    let is_alive = moves_beside(users, [one, two]);
    assert_eq!(is_alive, [false, true, true], "without a tombstone");
}

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

/// How many slots are looked at to make room for a session, at the most.
#[test]
fn making_room_costs_the_same_in_a_large_store() {
    let inspected = |sessions: usize| {
        let site = Site::new(sessions);
        for n in 0..sessions {
            match n % 3 {
                0 => drop(site.cart()),
                1 => drop(site.log_in(&format!("user {n}")).unwrap()),
                _ => drop(site.log_in(&format!("pair {}", n / 6)).unwrap()),
            }
        }
        let before = site.inspected();
        for n in 0..100 {
            site.cart();
            site.log_in(&format!("new {n}")).unwrap();
        }
        assert_eq!(site.store.usage().0, sessions);
        site.inspected() - before
    };
    assert_eq!(inspected(1_000), 200);
    assert_eq!(inspected(30_000), 200);
}

#[test]
fn a_refusal_costs_the_same_in_a_large_store() {
    let site = Site::new(20_000);
    for n in 0..20_000 {
        site.log_in(&format!("user {n}")).unwrap();
    }
    let before = site.inspected();
    assert!(site.log_in("alice").is_err());
    assert_eq!(site.inspected(), before);
}

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

/// The first bytes of a handle are its shard.
fn in_one_shard(n: u128) -> Handle {
    Handle::from_bytes(n.to_be_bytes())
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

#[test]
fn handles_need_not_be_random() {
    let site = Site::new(10_000);
    for n in 0_u128..1_000 {
        for handle in [n.to_le_bytes(), (n + 1_000).to_be_bytes()] {
            let record = site.record(None, MINUTE);
            let answer = site.store.create(Handle::from_bytes(handle), &record);
            assert_eq!(answer.unwrap(), Created::Created);
        }
    }
    let end = site.clock.timestamp().saturating_add(MINUTE);
    assert_eq!(site.store.delete_expired(end, usize::MAX), 2_000);
}

#[test]
fn the_order_of_a_user_s_sessions_forgets_those_that_ended() {
    let handles: Vec<_> = (0..100).map(|_| SessionId::random().handle()).collect();
    let mut sessions = UserSessions::One(handles[0]);
    handles.iter().for_each(|handle| sessions.add(*handle));
    for left in (1..100).rev() {
        assert!(sessions.remove(handles[left]));
        assert_eq!(sessions.len(), left);
        let slots = if left >= 46 { 100 } else { 45 };
        assert!(left < 19 || sessions.slots() == slots, "{left}");
        assert!(sessions.slots() <= 2 * left + 8);
    }
    assert_eq!(sessions.oldest(None), Some(handles[0]));
    assert!(!sessions.remove(handles[0]));
}

#[test]
fn only_users_of_several_sessions_are_ranked() {
    let site = Site::new(10);
    let users = &site.store.contents.users;
    let first = site.log_in("alice").unwrap();
    site.log_in("bob").unwrap();
    assert_eq!(users.most(), 0);
    site.log_in("alice").unwrap();
    assert_eq!(
        (users.most(), users.with_most().as_deref()),
        (2, Some("alice"))
    );
    assert!(site.store.delete(first));
    assert_eq!((users.most(), users.with_most()), (0, None));
}

/// They are digests, and hashing them once more would take time.
#[test]
fn keys_and_handles_are_their_own_hashes() {
    let handle = SessionId::random().handle();
    let (key, _) = split(handle);
    assert_eq!(KeyIsHash::default().hash_one(key), key);
    let [.., a, b, c, d, e, f, g, h] = *handle.as_bytes();
    let hasher = BuildHasherDefault::<HandleHasher>::default();
    let last = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    assert_eq!(hasher.hash_one(handle), last);
}

#[test]
fn sessions_are_spread_over_all_shards() {
    let site = Site::new(1_000);
    for n in 0..Shards::COUNT as u16 {
        let mut handle = [7; 16];
        handle[..2].copy_from_slice(&n.to_ne_bytes());
        let record = site.record(None, MINUTE);
        let answer = site.store.create(Handle::from_bytes(handle), &record);
        assert_eq!(answer.unwrap(), Created::Created);
    }
    let mut shards = site.store.contents.shards.iter();
    assert!(shards.all(|shard| shard.records().count() == 1));
}

#[test]
fn the_session_that_is_kept_stays_the_user_s() {
    let site = Site::new(10);
    let [first, kept] = [(); 2].map(|()| site.log_in("alice").unwrap());
    assert_eq!(site.store.delete_user("alice", Some(kept)), 1);
    assert!(!site.is_there(first));
    let of_alice = site
        .store
        .list("alice")
        .into_iter()
        .map(|(handle, _)| handle);
    assert_eq!(of_alice.collect::<Vec<_>>(), [kept]);
    let bob = site.log_in("bob").unwrap();
    assert_eq!(site.store.delete_user("alice", Some(bob)), 1);
    assert_eq!(site.len(), 1, "bob's, in his name alone");
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

#[test]
fn a_user_of_many_sessions_is_logged_out_at_once() {
    const MANY: u64 = 50_000;
    let site = Site::new(1_000_000);
    for _ in 0..MANY {
        site.log_in("alice").unwrap();
    }
    assert_eq!(site.store.list("alice").len() as u64, MANY);
    assert_eq!(site.store.delete_user("alice", None), MANY);
    assert_eq!(site.len(), 0);
}

#[test]
fn a_load_copies_nothing() {
    let site = Site::new(10);
    let cart = site.cart();
    let (one, two) = (site.store.load(cart), site.store.load(cart));
    assert!(std::ptr::eq(one.unwrap().body(), two.unwrap().body()));
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

#[test]
fn what_is_refused_pushes_out_nobody() {
    let cart = Site::new(1).record(None, MINUTE);
    let site = Site::with(Limits {
        sessions: 3,
        bytes: 3 * cost(&cart),
    });
    let carts = [(); 3].map(|()| site.cart());
    let [missing, new] = [(); 2].map(|()| SessionId::random().handle());
    let large = site.record_of(None, MINUTE, &format!(r#"{{"a":"{}"}}"#, "x".repeat(100)));
    let stone = Record::tombstone(Version::FIRST, site.clock.timestamp());
    for (handle, answer) in [(carts[0], Replaced::Conflict), (missing, Replaced::Gone)] {
        let other = Version::new(7);
        let replaced = site.store.replace(handle, other, &large);
        assert_eq!(replaced.unwrap(), answer);
        let moved = site.store.regenerate(handle, other, &stone, new, &cart);
        assert_eq!(moved.unwrap(), answer);
    }
    assert_eq!(site.left(&carts), 3);
}

/// As the entry of an alias is with each login.
#[test]
fn what_is_there_already_makes_no_room() {
    let site = Site::new(2);
    let alice = site.log_in("alice").unwrap();
    let create = || {
        site.store
            .create(alice, &site.record(None, MINUTE))
            .unwrap()
    };
    let cart = site.cart();
    assert_eq!((create(), site.left(&[alice, cart])), (Created::Exists, 2));
    assert!(site.store.delete(cart));
    site.log_in("bob").unwrap();
    assert_eq!(create(), Created::Exists, "though nobody can make room");
}

#[test]
fn a_session_that_changes_while_it_makes_room_is_not_overwritten() {
    let site = Site::new(100);
    let (first, small) = (Version::FIRST, site.record(None, MINUTE));
    let text = |length| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
    let large = site.record_of(Some("alice"), MINUTE, &text(2_000));
    let stone = Record::tombstone(first, site.clock.timestamp());
    let changes = |cart| {
        let answer = site.store.replace(cart, first, &small);
        assert_eq!(answer.unwrap(), Replaced::Stored(first.next()));
    };
    let ends = |cart| assert!(site.store.delete(cart));
    let outcomes: [(&dyn Fn(Handle), _, _); 2] = [
        (&changes, Replaced::Conflict, 1),
        (&ends, Replaced::Gone, 0),
    ];
    for (done, answer, left) in outcomes {
        for moves in [false, true] {
            let (site, cart, new) = (&site, site.cart(), SessionId::random().handle());
            let (large, stone) = (&large, &stone);
            let call = move || match moves {
                false => site.store.replace(cart, first, large),
                true => site.store.regenerate(cart, first, stone, new, large),
            };
            let answered = site.meanwhile("alice", call, || done(cart));
            assert_eq!(answered.unwrap(), answer, "{moves}");
            assert_eq!((site.len(), site.is_there(cart)), (left, left == 1));
            site.store.delete(cart);
        }
    }
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
