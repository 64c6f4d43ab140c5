//! Every method against every other that it can meet, deterministically: one call is paused wherever it waits, another
//! one runs to its end, and then the first goes on. What comes of it has to be what one after the other would give, in
//! either order.
//!
//! That finds what a store does in several steps with a wait in between. What it does in several steps without one is
//! left to the [races](super::races).

use std::{collections::BTreeMap, pin::pin};

use super::{
    drive::{MOST_WAITS, one_within_the_other, until_it_waits},
    model::{Answer, Call},
    parallel::in_parallel,
    rule,
    samples::Kept,
    scenes::{PARTS, Part, SWEEP, Scene, State},
    subject::Subject,
};
use crate::{id::Handle, store::SessionStore};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    let mut pairs = Vec::new();
    for first in PARTS {
        for second in PARTS {
            pairs.push([first, second]);
        }
    }
    if store.settings().lists_read_all {
        for pair in pairs {
            meet(store, pair, false).await;
        }
    } else {
        in_parallel(store, pairs, |store, pair| async move {
            meet(&store, pair, false).await;
        })
        .await;
    }
    if store.settings().engine_expires {
        return;
    }
    // Each sweep is of the whole store, so one after the other, and what else is there must not expire meanwhile: the
    // tombstones of a minute ago.
    for part in PARTS.into_iter().chain([SWEEP]) {
        meet(store, [part, SWEEP], true).await;
        meet(store, [SWEEP, part], true).await;
    }
}

/// Pauses the first call at each of its waits.
async fn meet<S: SessionStore>(store: &Subject<S>, pair: [Part; 2], is_expired: bool) {
    for waits in 1..=MOST_WAITS {
        if is_expired {
            store.empty().await;
        }
        let scene = Scene::begin(store, is_expired).await;
        let [first, second] = pair.map(|(_, call)| call(&scene));
        let mut paused = pin!(first.ask(store));
        let answer = until_it_waits(paused.as_mut(), waits).await;
        let has_ended = answer.is_some();
        let answers = match answer {
            Some(answer) => [answer, second.ask(store).await],
            None => {
                let within = pin!(second.ask(store));
                one_within_the_other(store, paused, within).await.into()
            }
        };
        let [outer, inner] = pair.map(|(name, _)| name);
        let what = format!("{inner} while {outer} waits for the {waits}. time");
        judge(store, &scene, [&first, &second], &answers, &what).await;
        store.tidy().await;
        if has_ended {
            break;
        }
    }
}

async fn judge<S: SessionStore>(
    store: &Subject<S>,
    scene: &Scene,
    [first, second]: [&Call; 2],
    answers: &[Answer; 2],
    what: &str,
) {
    let state = scene.state(store).await;
    let (in_order, then) = scene.plays([first, second]);
    let ([b, a], then_reversed) = scene.plays([second, first]);
    let outcomes = [(in_order, then), ([a, b], then_reversed)];
    let has_regenerate = [first, second]
        .iter()
        .any(|call| matches!(call, Call::Regenerate(..)));
    let fits = |n: usize, outcome: &[Answer; 2]| match (&answers[n], &outcome[n]) {
        // It may have been seen under both ids, and be counted twice.
        (Answer::Deleted(_), Answer::Deleted(_)) if has_regenerate => true,
        (Answer::Listed(listed), Answer::Listed(_)) => {
            let [one, other] = outcomes.each_ref().map(|(answers, _)| &answers[n]);
            lists_what_lives(listed, one, other)
        }
        (answer, expected) => answer == expected,
    };
    let allowed = outcomes
        .iter()
        .any(|(outcome, end)| *end == state && (0..2).all(|n| fits(n, outcome)));
    let [one, other] = &outcomes;
    rule::ATOMIC.holds(
        allowed || is_skipped(scene, [first, second], answers, &state),
        format_args!(
            "{what}: they answered {answers:?} and left {state:?}. \
             One after the other gives {one:?}, or {other:?}"
        ),
    );
}

/// A sweep may leave what the other call holds.
fn is_skipped(scene: &Scene, calls: [&Call; 2], answers: &[Answer; 2], state: &State) -> bool {
    (0..2).any(|sweep| {
        let other = 1 - sweep;
        let ([answer], end) = scene.plays([calls[other]]);
        matches!(calls[sweep], Call::DeleteExpired(_))
            && answers[sweep] == Answer::Deleted(0)
            && (&answers[other], state) == (&answer, &end)
    })
}

/// A list shows nothing that never was, all that was there all the while, and not nothing where a session moves.
fn lists_what_lives(listed: &BTreeMap<Handle, Kept>, one: &Answer, other: &Answer) -> bool {
    let (Answer::Listed(one), Answer::Listed(other)) = (one, other) else {
        return false;
    };
    let was = |(handle, record): (&Handle, &Kept)| {
        one.get(handle) == Some(record) || other.get(handle) == Some(record)
    };
    let mut stays = one.keys().filter(|handle| other.contains_key(handle));
    let is_empty = listed.is_empty() && !one.is_empty() && !other.is_empty();
    listed.iter().all(was) && stays.all(|handle| listed.contains_key(handle)) && !is_empty
}
