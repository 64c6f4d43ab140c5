//! Calls that meet in parallel, as often as time allows: for what a store does in several steps without waiting in
//! between, behind several locks for instance.

use std::time::{Duration, Instant, SystemTime};

use super::{
    parallel::in_parallel,
    rule,
    samples::{HOUR, MINUTE, SECOND, handle, kept, record, tombstone, user},
    subject::Subject,
};
use crate::{
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
};

const AT_ONCE: usize = 8;
const MIN_ROUNDS: usize = 5;
const MAX_ROUNDS: usize = 60;
const BUDGET: Duration = Duration::from_millis(1_200);

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    let start = Instant::now();
    for round in 0..MAX_ROUNDS {
        if round >= MIN_ROUNDS && start.elapsed() > BUDGET {
            break;
        }
        one_of_many_creates_wins(store).await;
        one_of_many_replaces_wins(store).await;
        one_of_many_regenerates_wins(store).await;
        one_of_many_deletes_wins(store).await;
        the_latest_of_many_touches_wins(store).await;
        what_was_deleted_stays_deleted(store).await;
        what_is_touched_survives_a_sweep(store).await;
        no_session_of_a_user_slips_through(store).await;
        a_new_session_is_ended_or_lives(store).await;
        store.tidy().await;
    }
}

fn wins<T: PartialEq>(answers: &[T], wanted: &T) -> usize {
    answers.iter().filter(|answer| *answer == wanted).count()
}

async fn one_of_many_creates_wins(store: &Subject<impl SessionStore>) {
    let (now, handle) = (store.now(), handle());
    let answers = in_parallel(store, 0..AT_ONCE, move |store, n| async move {
        let mine = record(now, Some("alice"), &format!(r#"{{"n":{n}}}"#));
        (store.create(handle, &mine).await, kept(&mine))
    });
    let (mut won, lost): (Vec<_>, Vec<_>) = answers
        .await
        .into_iter()
        .partition(|(answer, _)| *answer == Created::Created);
    let what = "of many creates of one handle one wins";
    rule::INSERT_OR_UPDATE.equal((won.len(), lost.len()), (1, AT_ONCE - 1), what);
    let stored = store.load(handle).await;
    let won = won.pop().map(|(_, record)| record);
    rule::INSERT_OR_UPDATE.equal(stored.as_ref().map(kept), won, what);
}

async fn one_of_many_replaces_wins(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let handle = store.insert(&record(now, None, "{}")).await;
    let answers = in_parallel(store, 0..AT_ONCE, move |store, n| async move {
        let mine = record(now, None, &format!(r#"{{"n":{n}}}"#));
        let answer = store.replace(handle, Version::FIRST, &mine).await;
        (answer, kept(&mine.with_version(Version::new(2))))
    });
    let (mut won, lost): (Vec<_>, Vec<_>) = answers
        .await
        .into_iter()
        .partition(|(answer, _)| *answer == Replaced::Stored(Version::new(2)));
    let what = "of many replaces of one version one wins";
    rule::COMPARE_AND_SWAP.equal((won.len(), lost.len()), (1, AT_ONCE - 1), what);
    let stored = store.load(handle).await;
    let won = won.pop().map(|(_, record)| record);
    rule::COMPARE_AND_SWAP.equal(stored.as_ref().map(kept), won, what);
}

async fn one_of_many_regenerates_wins(store: &Subject<impl SessionStore>) {
    let (now, user) = (store.now(), user());
    let moved = record(now, Some(&user), "{}");
    let old = store.insert(&moved).await;
    let answers = in_parallel(store, 0..AT_ONCE, move |store, _| {
        let (new, moved) = (handle(), moved.clone());
        async move {
            let answer = store
                .regenerate(old, Version::FIRST, &tombstone(now), new, &moved)
                .await;
            (answer, new)
        }
    });
    let (answers, what) = (answers.await, "of many regenerates of one session one wins");
    let mut live = 0;
    for (answer, new) in answers {
        let lives = store.load(new).await.is_some();
        let has_won = matches!(answer, Replaced::Stored(_));
        rule::COMPARE_AND_SWAP.equal(lives, has_won, what);
        live += usize::from(lives);
    }
    rule::COMPARE_AND_SWAP.equal(live, 1, what);
    let listed = store.list(&user).await.len();
    rule::ALL_OF_A_USER.equal(listed, 1, what);
}

async fn one_of_many_deletes_wins(store: &Subject<impl SessionStore>) {
    let handle = store
        .insert(&record(store.now(), Some("alice"), "{}"))
        .await;
    let answers = in_parallel(store, 0..AT_ONCE, move |store, _| async move {
        store.delete(handle).await
    });
    let what = "of many deletes of one session one ends it";
    rule::ATOMIC.equal(wins(&answers.await, &true), 1, what);
}

async fn the_latest_of_many_touches_wins(store: &Subject<impl SessionStore>) {
    let first = record(store.now(), Some("alice"), r#"{"n":1}"#);
    let (handle, end) = (store.insert(&first).await, first.expires_at());
    in_parallel(store, 0..AT_ONCE, move |store, n| async move {
        // The latest is neither the first nor the last.
        let minutes = (n as u32 * 5) % AT_ONCE as u32;
        store.touch(handle, end + minutes * MINUTE).await;
    })
    .await;
    let latest = first.with_expires_at(end + (AT_ONCE as u32 - 1) * MINUTE);
    let what = "of many touches the latest counts";
    store.keeps(rule::ONLY_THE_END, handle, &latest, what).await;
}

async fn what_was_deleted_stays_deleted(store: &Subject<impl SessionStore>) {
    let (now, user) = (store.now(), user());
    let first = record(now, Some(&user), "{}");
    let handle = store.insert(&first).await;
    in_parallel(store, 0..AT_ONCE, move |store, n| {
        let first = first.clone();
        async move {
            match n {
                3 => drop(store.delete(handle).await),
                _ if n % 2 == 0 => drop(store.touch(handle, now + 2 * HOUR).await),
                _ => {
                    let known = store.load(handle).await;
                    let known = known.map_or(Version::FIRST, |record| record.version());
                    store.replace(handle, known, &first).await;
                }
            }
        }
    })
    .await;
    let what = "a session that was deleted while it was replaced and touched stays deleted";
    store
        .keeps_nothing(rule::INSERT_OR_UPDATE, handle, what)
        .await;
    rule::INSERT_OR_UPDATE.equal(store.list(&user).await.len(), 0, what);
}

async fn what_is_touched_survives_a_sweep(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let expired = record(now, None, "{}").with_expires_at(now - MINUTE);
    let mut sessions = Vec::new();
    for _ in 0..AT_ONCE {
        sessions.push(store.insert(&expired).await);
    }
    let answers = in_parallel(store, 0..AT_ONCE, move |store, n| {
        let session = sessions[n];
        async move {
            if n % 2 == 0 {
                store.delete_expired(now - 30 * SECOND, 100).await;
            }
            (session, store.touch(session, now + HOUR).await)
        }
    });
    let touched = kept(&expired.with_expires_at(now + HOUR));
    for (session, is_touched) in answers.await {
        let (loaded, expected) = (store.load(session).await, is_touched.then_some(&touched));
        let what = "a session that is touched while a sweep runs survives it, or was gone";
        rule::EXPIRED.equal(loaded.as_ref().map(kept).as_ref(), expected, what);
    }
}

async fn no_session_of_a_user_slips_through(store: &Subject<impl SessionStore>) {
    let (now, user) = (store.now(), user());
    let moved = record(now, Some(&user), "{}");
    let mut sessions = Vec::new();
    for _ in 0..AT_ONCE {
        sessions.push(store.insert(&moved).await);
    }
    let ended = user.clone();
    in_parallel(store, 0..AT_ONCE, move |store, n| {
        let (old, user, moved) = (sessions[n], ended.clone(), moved.clone());
        async move {
            match n {
                3 => drop(store.delete_user(&user, None).await),
                _ => drop(
                    store
                        .regenerate(old, Version::FIRST, &tombstone(now), handle(), &moved)
                        .await,
                ),
            }
        }
    })
    .await;
    let left = store.list(&user).await.len();
    let what = "sessions that move while their user's sessions are ended do not live on";
    rule::ALL_OF_A_USER.equal(left, 0, what);
}

/// Each is ended by one call that says so, or it is there and listed.
async fn a_new_session_is_ended_or_lives(store: &Subject<impl SessionStore>) {
    let (now, user): (SystemTime, String) = (store.now(), user());
    let (first, of): (Record, _) = (record(now, Some(&user), "{}"), user.clone());
    let answers = in_parallel(store, 0..AT_ONCE, move |store, n| {
        let (first, user, new) = (first.clone(), of.clone(), handle());
        async move {
            if n % 4 == 3 {
                return (store.delete_user(&user, None).await, None);
            }
            store.create(new, &first).await;
            match n % 2 {
                0 => (u64::from(store.delete(new).await), Some(new)),
                _ => (0, Some(new)),
            }
        }
    });
    let (mut ended, mut created, mut live) = (0, 0, 0);
    for (ends, new) in answers.await {
        ended += ends;
        if let Some(new) = new {
            created += 1;
            live += u64::from(store.load(new).await.is_some());
        }
    }
    let what = "sessions that were created, less those that delete and delete_user ended";
    rule::ALL_OF_A_USER.equal(created - live, ended, what);
    let listed = store.list(&user).await.len() as u64;
    rule::ALL_OF_A_USER.equal(listed, live, "list after creates and deletes at once");
}
