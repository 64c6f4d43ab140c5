use std::hash::{BuildHasher, BuildHasherDefault};

use super::{MINUTE, Site};
use crate::{
    id::{Handle, SessionId},
    store::{
        Created,
        memory::{
            key::{KeyIsHash, split},
            shards::Shards,
            user_sessions::{HandleHasher, UserSessions},
        },
    },
};

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
