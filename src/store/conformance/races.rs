//! Every method against every other that it could meet. Each check is a race that a store can only lose sometimes, so
//! each is run many times.

// Over 250 lines: a list of checks, one for each pair of methods that meet.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::task::JoinSet;

use super::support::{HOUR, create, handle, load, record, replace, tombstone};
use crate::{
    record::Version,
    store::{Created, Replaced, SessionStore},
};

const ROUNDS: usize = 20;
const AT_ONCE: usize = 8;

pub(super) async fn check(store: &Arc<impl SessionStore>) {
    for _ in 0..ROUNDS {
        one_of_many_creates_wins(store).await;
        one_of_many_replaces_wins(store).await;
        one_of_many_regenerates_wins(store).await;
        one_of_many_deletes_wins(store).await;
        a_delete_beats_every_replace_that_follows(store).await;
        a_touch_brings_nothing_back(store).await;
        a_session_that_is_touched_survives_the_sweep(store).await;
        no_session_of_a_user_slips_through(store).await;
        a_session_that_moves_is_always_listed(store).await;
    }
    no_increment_is_lost(store).await;
}

/// Runs the same thing many times at once, in parallel if the runtime can.
async fn at_once<S, T, F>(store: &Arc<S>, run: impl Fn(Arc<S>, usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    (0..AT_ONCE)
        .map(|n| run(Arc::clone(store), n))
        .collect::<JoinSet<_>>()
        .join_all()
        .await
}

fn wins<T: PartialEq>(answers: &[T], wanted: &T) -> usize {
    answers.iter().filter(|answer| *answer == wanted).count()
}

async fn one_of_many_creates_wins(store: &Arc<impl SessionStore>) {
    let handle = handle();
    let answers = at_once(store, move |store, n| async move {
        store
            .create(handle, &record(None, &format!(r#"{{"n":{n}}}"#)))
            .await
            .expect("create answers")
    });
    assert_eq!(
        wins(&answers.await, &Created::Created),
        1,
        "one of many creates of a handle wins"
    );
}

async fn one_of_many_replaces_wins(store: &Arc<impl SessionStore>) {
    let handle = create(&**store, &record(None, "{}")).await;
    let answers = at_once(store, move |store, n| async move {
        let mine = record(None, &format!(r#"{{"n":{n}}}"#));
        (replace(&*store, handle, Version::FIRST, &mine).await, mine)
    });
    let answers = answers.await;
    let won: Vec<_> = answers
        .iter()
        .filter(|(answer, _)| matches!(answer, Replaced::Stored(_)))
        .collect();
    let lost = answers
        .iter()
        .filter(|(answer, _)| *answer == Replaced::Conflict)
        .count();
    assert_eq!(
        (won.len(), lost),
        (1, AT_ONCE - 1),
        "one of many replaces of a version wins"
    );
    let stored = load(&**store, handle).await.expect("it is still there");
    assert_eq!(
        stored.to_json(),
        won[0].1.to_json(),
        "and what it wrote is there"
    );
}

async fn one_of_many_regenerates_wins(store: &Arc<impl SessionStore>) {
    let old = create(&**store, &record(None, "{}")).await;
    let answers = at_once(store, move |store, _| async move {
        let new = handle();
        let answer = store
            .regenerate(old, Version::FIRST, &tombstone(), new, &record(None, "{}"))
            .await;
        (answer.expect("regenerate answers"), new)
    });
    let mut live = 0;
    for (answer, new) in answers.await {
        let lives = load(&**store, new).await.is_some();
        assert_eq!(
            lives,
            matches!(answer, Replaced::Stored(_)),
            "only a regenerate that won leaves a session"
        );
        live += usize::from(lives);
    }
    assert_eq!(live, 1, "one of many regenerates wins");
}

async fn one_of_many_deletes_wins(store: &Arc<impl SessionStore>) {
    let handle = create(&**store, &record(Some("alice"), "{}")).await;
    let answers = at_once(store, move |store, _| async move {
        store.delete(handle).await.expect("delete answers")
    });
    assert_eq!(
        wins(&answers.await, &true),
        1,
        "one of many deletes ends the session"
    );
}

async fn a_delete_beats_every_replace_that_follows(store: &Arc<impl SessionStore>) {
    let handle = create(&**store, &record(Some("alice"), "{}")).await;
    at_once(store, move |store, n| async move {
        if n == AT_ONCE / 2 {
            store.delete(handle).await.expect("delete answers");
        } else {
            let known = load(&*store, handle)
                .await
                .map_or(Version::FIRST, |record| record.version());
            replace(&*store, handle, known, &record(Some("alice"), "{}")).await;
        }
    })
    .await;
    assert!(
        load(&**store, handle).await.is_none(),
        "a session that was deleted stays deleted"
    );
}

async fn a_touch_brings_nothing_back(store: &Arc<impl SessionStore>) {
    let handle = create(&**store, &record(None, "{}")).await;
    at_once(store, move |store, n| async move {
        if n == AT_ONCE / 2 {
            store.delete(handle).await.expect("delete answers");
        } else {
            store
                .touch(handle, SystemTime::now() + 2 * HOUR)
                .await
                .expect("touch answers");
        }
    })
    .await;
    assert!(
        load(&**store, handle).await.is_none(),
        "a session that was deleted stays deleted"
    );
}

async fn a_session_that_is_touched_survives_the_sweep(store: &Arc<impl SessionStore>) {
    let now = SystemTime::now();
    let handle = create(
        &**store,
        &record(None, "{}").with_expires_at(now + Duration::from_secs(10)),
    )
    .await;
    let answers = at_once(store, move |store, n| async move {
        if n == 0 {
            store
                .touch(handle, now + HOUR)
                .await
                .expect("touch answers")
        } else {
            store
                .delete_expired(now + Duration::from_secs(20), 100)
                .await
                .expect("delete_expired answers");
            false
        }
    });
    let touched = wins(&answers.await, &true) == 1;
    let lives = load(&**store, handle).await.is_some();
    assert!(lives || !touched, "a session that was touched is not swept");
}

async fn no_session_of_a_user_slips_through(store: &Arc<impl SessionStore>) {
    let user = format!("user {}", handle());
    let mut sessions = Vec::new();
    for _ in 0..AT_ONCE {
        sessions.push(create(&**store, &record(Some(&user), "{}")).await);
    }
    let ended = user.clone();
    let answers = at_once(store, move |store, n| {
        let (old, user) = (sessions[n], ended.clone());
        async move {
            if n == AT_ONCE / 2 {
                store
                    .delete_user(&user, None)
                    .await
                    .expect("delete_user answers");
            } else {
                let moved = record(Some(&user), "{}");
                let answer = store
                    .regenerate(old, Version::FIRST, &tombstone(), handle(), &moved)
                    .await;
                answer.expect("regenerate answers");
            }
        }
    });
    answers.await;
    let left = store.list(&user).await.expect("list answers");
    assert!(
        left.is_empty(),
        "a session that moves while its user's sessions are ended does not live on"
    );
}

async fn a_session_that_moves_is_always_listed(store: &Arc<impl SessionStore>) {
    const MOVES: usize = 20;
    let user = format!("user {}", handle());
    let of_user = record(Some(&user), "{}");
    let mut id = create(&**store, &of_user).await;
    let mover = Arc::clone(store);
    let moving = tokio::spawn(async move {
        for _ in 0..MOVES {
            let new = handle();
            let answer = mover
                .regenerate(id, Version::FIRST, &tombstone(), new, &of_user)
                .await;
            answer.expect("regenerate answers");
            id = new;
        }
    });
    while !moving.is_finished() {
        let listed = store.list(&user).await.expect("list answers");
        assert!(
            !listed.is_empty(),
            "a session that moves is listed all the while"
        );
        tokio::task::yield_now().await;
    }
    moving.await.expect("it does not panic");
}

async fn no_increment_is_lost(store: &Arc<impl SessionStore>) {
    const EACH: usize = 25;
    let handle = create(&**store, &record(None, r#"{"n":0}"#)).await;
    at_once(store, move |store, _| async move {
        for _ in 0..EACH {
            loop {
                let loaded = load(&*store, handle).await.expect("it is still there");
                let raw = loaded.data().get("n").expect("it has its key");
                let n: usize = serde_json::from_slice(raw).expect("it is a number");
                let next = record(None, &format!(r#"{{"n":{}}}"#, n + 1));
                if let Replaced::Stored(_) = replace(&*store, handle, loaded.version(), &next).await
                {
                    break;
                }
            }
        }
    })
    .await;
    let loaded = load(&**store, handle).await.expect("it is still there");
    let expected = format!("{}", AT_ONCE * EACH);
    assert_eq!(
        loaded.data().get("n"),
        Some(expected.as_bytes()),
        "no increment is lost"
    );
    assert_eq!(
        loaded.version(),
        Version::new(1 + (AT_ONCE * EACH) as u64),
        "each replace raises the version by one"
    );
}
