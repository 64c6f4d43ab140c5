//! Finding and ending the sessions of a user.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    parallel::in_parallel,
    rule,
    samples::{HOUR, Kept, handle, kept, record, tombstone, user},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::SessionStore,
};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    a_user_has_their_sessions_and_no_others(store).await;
    names_are_compared_byte_by_byte(store).await;
    names_of_any_length_are_told_apart(store).await;
    the_list_follows_the_record(store).await;
    all_sessions_end_but_one(store).await;
    however_many_there_are(store).await;
}

async fn list(store: &Subject<impl SessionStore>, user: &str) -> BTreeMap<Handle, Kept> {
    let listed = store.list(user).await;
    let (length, of_user) = (listed.len(), |(_, r): &(_, Record)| r.user() == Some(user));
    let what = "list gives the user's own records";
    rule::ALL_OF_A_USER.holds(listed.iter().all(of_user), what);
    let listed: BTreeMap<_, _> = listed.iter().map(|(h, r)| (*h, kept(r))).collect();
    rule::ALL_OF_A_USER.equal(length, listed.len(), "list gives each session once");
    listed
}

async fn lists(store: &Subject<impl SessionStore>, user: &str, of: &[Handle], what: &str) {
    let listed: Vec<_> = list(store, user).await.into_keys().collect();
    let mut expected = of.to_vec();
    expected.sort_unstable();
    rule::ALL_OF_A_USER.equal(listed, expected, what);
}

async fn a_user_has_their_sessions_and_no_others(store: &Subject<impl SessionStore>) {
    let (now, alice, bob) = (store.now(), user(), user());
    lists(store, &alice, &[], "list of a user without sessions").await;
    let ended = store.delete_user(&alice, None).await;
    rule::ALL_OF_A_USER.equal(ended, 0, "delete_user of a user without sessions");
    let mut expected = BTreeMap::new();
    for n in 0..2 {
        let record = record(now, Some(&alice), &format!(r#"{{"n":{n}}}"#));
        expected.insert(store.insert(&record).await, kept(&record));
    }
    store.insert(&record(now, Some(&bob), "{}")).await;
    store.insert(&record(now, None, "{}")).await;
    let listed = list(store, &alice).await;
    rule::ALL_OF_A_USER.equal(listed, expected, "list of a user with two sessions");
}

async fn names_are_compared_byte_by_byte(store: &Subject<impl SessionStore>) {
    let (now, base) = (store.now(), user());
    let alike = [
        base.clone(),
        base.to_uppercase(),
        format!("{base} "),
        format!(" {base}"),
        format!("{base}\u{0}"),
        format!("{base}é"),
        format!("{base}e\u{301}"),
        format!("{base}%"),
        format!("{base}_"),
        format!("{base}'"),
        format!("{base}🛒"),
        format!("{base}{{x}}"),
        format!("{base}:*"),
        base[..base.len() - 1].to_owned(),
        String::new(),
    ];
    are_told_apart(store, now, &alike).await;
}

/// Where they differ in the last byte.
async fn names_of_any_length_are_told_apart(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let lengths = [63, 64, 127, 128, 191, 255, 256, 512, 1_024, 2_048, 5_000];
    in_parallel(store, lengths, move |store, length| {
        let base = user();
        let long = base.clone() + &"é".repeat((length - base.len()) / 2);
        let alike = ["a", "b", "ab"].map(|end| format!("{long}{end}"));
        async move { are_told_apart(&store, now, &alike).await }
    })
    .await;
}

async fn are_told_apart(store: &Subject<impl SessionStore>, now: SystemTime, users: &[String]) {
    let mut sessions = Vec::new();
    for user in users {
        sessions.push(store.insert(&record(now, Some(user), "{}")).await);
    }
    for (user, session) in users.iter().zip(&sessions) {
        let what = format!("list of {:?}, beside names that are alike", shown(user));
        lists(store, user, &[*session], &what).await;
    }
    for (n, user) in users.iter().enumerate() {
        let what = format!(
            "delete_user of {:?}, beside names that are alike",
            shown(user)
        );
        let ended = store.delete_user(user, None).await;
        rule::ALL_OF_A_USER.equal(ended, 1, &what);
        for (later, session) in sessions.iter().enumerate().skip(n) {
            let lives = store.load(*session).await.is_some();
            rule::ALL_OF_A_USER.equal(lives, later > n, &what);
        }
    }
}

fn shown(user: &str) -> String {
    user.chars().take(80).collect()
}

async fn the_list_follows_the_record(store: &Subject<impl SessionStore>) {
    let (now, alice, bob) = (store.now(), user(), user());
    let session = store.insert(&record(now, None, "{}")).await;
    let of = |user| record(now, user, "{}");
    let steps = [
        (Some(&*alice), "replace gave it to a user"),
        (Some(&*bob), "replace gave it to another user"),
        (None, "replace took it from its user"),
        (Some(&*bob), "replace gave it back"),
        (Some(&*bob), "replace left it to its user"),
    ];
    let mut version = Version::FIRST;
    for (user, what) in steps {
        store.replace(session, version, &of(user)).await;
        version = version.next();
        for other in [&alice, &bob] {
            let expected: &[_] = if user == Some(other) { &[session] } else { &[] };
            lists(store, other, expected, what).await;
        }
    }
    let end = now + 5 * HOUR;
    store.touch(session, end).await;
    let touched = of(Some(&bob)).with_version(version).with_expires_at(end);
    let listed = list(store, &bob).await.remove(&session);
    rule::VISIBLE.equal(listed, Some(kept(&touched)), "list after touch");

    let next = handle();
    store
        .regenerate(session, version, &tombstone(now), next, &of(Some(&bob)))
        .await;
    lists(store, &bob, &[next], "list after regenerate").await;
    store.delete(next).await;
    lists(store, &bob, &[], "list after delete").await;
    let again = store.insert(&of(Some(&bob))).await;
    lists(store, &bob, &[again], "list after create").await;
    let ended = store.delete_user(&bob, None).await;
    rule::ALL_OF_A_USER.equal(ended, 1, "delete_user after all that");
    lists(store, &bob, &[], "list after delete_user").await;
}

async fn all_sessions_end_but_one(store: &Subject<impl SessionStore>) {
    let (now, user) = (store.now(), user());
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(store.insert(&record(now, Some(&user), "{}")).await);
    }
    let other = store.insert(&record(now, Some(&self::user()), "{}")).await;
    let anonymous = store.insert(&record(now, None, "{}")).await;
    let kept = sessions[2];
    for (except, ended, left, what) in [
        (Some(kept), 4, Some(kept), "delete_user except a session"),
        (Some(kept), 0, Some(kept), "the same again"),
        (Some(other), 1, None, "delete_user except another user's"),
        (None, 0, None, "delete_user of what has ended"),
    ] {
        let answer = store.delete_user(&user, except).await;
        rule::ALL_OF_A_USER.equal(answer, ended, what);
        lists(store, &user, left.as_slice(), what).await;
        for handle in &sessions {
            let lives = store.load(*handle).await.is_some();
            rule::ALL_OF_A_USER.equal(lives, Some(*handle) == left, what);
        }
    }
    for stranger in [other, anonymous] {
        let lives = store.load(stranger).await.is_some();
        rule::ALL_OF_A_USER.holds(lives, "delete_user leaves all others alone");
    }
}

async fn however_many_there_are(store: &Subject<impl SessionStore>) {
    let (now, user) = (store.now(), user());
    let sessions = store.settings().max_sessions_of_a_user;
    let created = in_parallel(store, 0..sessions, {
        let user = user.clone();
        move |store, _| {
            let record = record(now, Some(&user), "{}");
            async move {
                let handle = handle();
                store.create(handle, &record).await;
                handle
            }
        }
    });
    let created = created.await;
    let what = format!("list of a user with {sessions} sessions");
    let listed = list(store, &user).await;
    rule::NOTHING_IS_CUT.equal(listed.len(), sessions, &what);
    let what = format!("delete_user of {sessions} sessions except one");
    let ended = store.delete_user(&user, Some(created[0])).await;
    rule::NOTHING_IS_CUT.equal(ended, sessions as u64 - 1, &what);
    lists(store, &user, &created[..1], &what).await;
    store.delete(created[0]).await;
}
