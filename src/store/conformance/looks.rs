//! What `look` answers, beside what `load` does.

use super::{
    parallel::in_parallel,
    rule,
    samples::{HOUR, MINUTE, handle, record, tombstone},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::Version,
    store::{SessionStore, Status},
};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    it_follows_the_record(store).await;
    of_a_thousand_it_forgets_none(store).await;
}

async fn agrees(store: &Subject<impl SessionStore>, handles: &[Handle], what: &str) {
    let mut expected = Vec::new();
    for handle in handles {
        expected.push(store.load(*handle).await.as_ref().map(Status::of));
    }
    rule::LOOK.equal(store.look(handles).await, expected, what);
}

async fn it_follows_the_record(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let (never, new) = (handle(), handle());
    let [first, touched, moved, deleted] = [(); 4].map(|()| handle());
    let stored = record(now, Some("alice"), "{}").with_version(Version::new(3));
    let expired = record(now, None, "{}").with_expires_at(now - MINUTE);
    store.create(first, &expired).await;
    for handle in [touched, moved, deleted] {
        store.create(handle, &stored).await;
    }
    let handles = [moved, never, touched, first, new, deleted];
    agrees(store, &handles, "look at sessions, one of them missing").await;
    store.touch(touched, now + 2 * HOUR).await;
    store.replace(first, Version::FIRST, &stored).await;
    store
        .regenerate(moved, Version::new(3), &tombstone(now), new, &stored)
        .await;
    store.delete(deleted).await;
    agrees(store, &handles, "look after they were changed").await;
    agrees(store, &[], "look at nothing").await;
    agrees(store, &[touched], "look at one session").await;
}

async fn of_a_thousand_it_forgets_none(store: &Subject<impl SessionStore>) {
    const MOST: usize = 1_000;
    let now = store.now();
    let mut handles = in_parallel(store, 0..40, move |store, _| async move {
        let handle = handle();
        store.create(handle, &record(now, None, "{}")).await;
        handle
    })
    .await;
    // Those that are there are the last, and the first.
    let missing = (handles.len()..MOST).map(|_| handle());
    let missing: Vec<_> = missing.collect();
    handles.splice(20..20, missing);
    let looked = store.look(&handles).await;
    let what = "look at 1,000 handles, of which the first and the last 20 are sessions";
    rule::LOOK.equal(looked.len(), MOST, what);
    let live: Vec<_> = (0..MOST).filter(|place| looked[*place].is_some()).collect();
    rule::LOOK.equal(live, (0..20).chain(MOST - 20..MOST).collect(), what);
}
