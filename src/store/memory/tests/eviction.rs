// Over 250 lines: one list of who makes room for whom.

use std::time::Duration;

use super::{MINUTE, Site, in_one_shard};
use crate::{
    id::{Handle, SessionId},
    record::{Body, Record, Version},
    store::{
        Created, Replaced,
        memory::{
            capacity::{Limits, cost},
            contents::Contents,
        },
    },
};

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
