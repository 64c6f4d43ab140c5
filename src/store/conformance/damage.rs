//! A damaged session is not a missing one.

use super::{
    rule,
    samples::{record, user},
    subject::Subject,
};
use crate::store::SessionStore;

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    let Some(damage) = &store.settings().damage else {
        return;
    };
    let (now, user) = (store.now(), user());
    let handle = store.insert(&record(now, Some(&user), r#"{"n":1}"#)).await;
    damage(handle).await;
    // Nor is it removed by being looked at.
    for _ in 0..2 {
        let loaded = store.try_load(handle).await;
        let is_error = loaded.as_ref().is_err_and(|error| error.is_store());
        let what = format!("load of a damaged record: {loaded:?}");
        rule::FAILURES.holds(is_error, what);
        let listed = store.try_list(&user).await.map(|listed| listed.len());
        let is_error = listed.as_ref().is_err_and(|error| error.is_store());
        let what = format!("list of a user with a damaged record: {listed:?}");
        rule::FAILURES.holds(is_error, what);
    }
    if let Ok(deleted) = store.try_delete(handle).await {
        rule::ATOMIC.equal(deleted, true, "delete of a damaged record");
        let what = "load after delete of a damaged record";
        store.keeps_nothing(rule::VISIBLE, handle, what).await;
    }
}
