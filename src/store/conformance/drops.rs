//! Calls whose future is dropped, wherever it waits.

use std::{pin::pin, time::Duration};

use super::{
    drive::{MOST_WAITS, until_it_waits},
    parallel::in_parallel,
    rule,
    scenes::{PARTS, Part, SWEEP, Scene},
    subject::Subject,
};
use crate::store::SessionStore;

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    if store.settings().lists_read_all {
        for part in PARTS {
            drop_at_each_wait(store, part, false).await;
        }
    } else {
        in_parallel(store, PARTS, |store, part| async move {
            drop_at_each_wait(&store, part, false).await;
        })
        .await;
    }
    if !store.settings().engine_expires {
        drop_at_each_wait(store, SWEEP, true).await;
    }
}

async fn drop_at_each_wait<S: SessionStore>(store: &Subject<S>, part: Part, is_expired: bool) {
    let (name, call) = part;
    for waits in 1..=MOST_WAITS {
        let scene = Scene::begin(store, is_expired).await;
        let call = call(&scene);
        let has_ended = {
            let dropped = pin!(call.ask(store));
            until_it_waits(dropped, waits).await.is_some()
        };
        let what = format!("{name}, dropped when it waits for the {waits}. time");
        happened_wholly_or_not_at_all(store, &scene, &call, &what).await;
        scene.goes_on(store).await;
        store.tidy().await;
        if has_ended {
            break;
        }
    }
}

/// How often to look, with pauses, at what a server may be about to do.
const LOOKS: u32 = 20;

async fn happened_wholly_or_not_at_all<S: SessionStore>(
    store: &Subject<S>,
    scene: &Scene,
    call: &super::model::Call,
    what: &str,
) {
    let (before, after) = (scene.plays([]).1, scene.plays([call]).1);
    let half_way = scene.with_copy(call);
    let mut state = scene.state(store).await;
    for look in 0.. {
        if state == before || state == after || Some(&state) == half_way.as_ref() {
            return;
        }
        if look == LOOKS {
            break;
        }
        // The server may be at it.
        tokio::time::sleep(Duration::from_millis(10)).await;
        state = scene.state(store).await;
    }
    rule::CANCEL_SAFE.broken(format_args!(
        "{what}: it left {state:?}, which is neither what was before, {before:?}, nor what it does, {after:?}"
    ));
}
