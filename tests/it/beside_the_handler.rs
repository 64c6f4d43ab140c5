//! Calls of other handles that are under way when the handler answers.

use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinHandle;
use wiz_session::{Error, WizSession};

use crate::support::{Fault, Gate, Reply, Site, StoreMethod};

/// Spawns a call that waits for the store until the handler has answered. The response has to wait for it.
async fn beside(
    site: &Site,
    verb: StoreMethod,
    call: impl Future<Output = Result<(), Error>> + Send + 'static,
) -> JoinHandle<()> {
    let gate = site.store.pause(verb);
    let called = tokio::spawn(call);
    gate.reached().await;
    tokio::spawn(async move {
        // Until the layer has nothing else to do but to wait.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        gate.open();
        called.await.unwrap().unwrap();
    })
}

#[tokio::test]
async fn a_session_that_is_begun_beside_the_handler_gets_its_cookie() {
    let site = Site::new();
    let mut browser = site.browser();
    let mut begun = None;
    browser
        .visit(async |session| {
            let begin = async move { session.transaction(|tx| tx.set("a", 1)).await };
            begun = Some(beside(&site, StoreMethod::Create, begin).await);
        })
        .await;
    begun.expect("it was called").await.unwrap();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_new_id_that_is_saved_beside_a_handler_that_fails_gets_its_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut saved = None;
    browser
        .visit(async |session| {
            let save = async move {
                session.regenerate();
                session.save().await
            };
            saved = Some(beside(&site, StoreMethod::Create, save).await);
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    saved.expect("it was called").await.unwrap();
    assert_eq!(browser.read("a").await, Some(1));
}

/// The answer to a request that does this while a call of its session waits for the store, and is polled no more.
async fn beside_a_call_that_nobody_polls(deed: fn(&WizSession)) -> Reply {
    let (site, mut kept) = (Site::new(), None);
    let mut browser = site.visitor().await;
    let reply = browser.visit(async |session| {
        let gate = site.store.pause(StoreMethod::Load);
        let held = session.clone();
        let mut reload = Box::pin(async move { held.reload().await });
        tokio::select! { _ = &mut reload => panic!("it did not wait"), () = gate.reached() => {} }
        deed(&session);
        kept = Some(reload);
    });
    let reply = reply.await;
    drop(kept);
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
    reply
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_does_not_fail_a_request_with_nothing_to_store() {
    let reply = beside_a_call_that_nobody_polls(|_session| {}).await;
    reply.is_ok_without_cookie();
}

/// Its changes cannot be committed while the call holds the session, and are not lost in silence.
#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_makes_a_request_with_changes_503() {
    let changes = |session: &WizSession| session.set("a", 2).unwrap();
    let reply = beside_a_call_that_nobody_polls(changes).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_undoes_the_commit_after_the_handler_is_kept_for_a_save() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let gate = site.store.pause(StoreMethod::Replace);
    let mut job = None;
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            job = Some(tokio::spawn(async move {
                gate.reached().await;
                session.set("a", 1).unwrap();
                gate.open();
                session.save().await.unwrap();
            }));
        })
        .await;
    job.expect("it was spawned").await.unwrap();
    assert_eq!(browser.read("a").await, Some(1));
}

/// The save is under way for longer than the response waits for it.
#[tokio::test(start_paused = true)]
async fn a_save_that_the_response_could_not_wait_for_gives_no_new_id() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let mut saved = None;
    browser
        .visit(async |session| {
            session.regenerate();
            tab.write("b", 1).await;
            let (create, load) = (site.store.pause(StoreMethod::Create), Gate::default());
            let refresh = Gate::default();
            site.store
                .fault(StoreMethod::Load, Fault::Pause(load.clone()));
            saved = Some(tokio::spawn(async move { session.save().await }));
            create.reached().await;
            let store = site.store.clone();
            tokio::spawn(async move {
                // It meets the tab's write, and loads the newer record. No call takes as long as it may.
                tokio::time::sleep(Duration::from_secs(3)).await;
                create.open();
                load.reached().await;
                store.fault(StoreMethod::Load, Fault::Pause(refresh.clone()));
                tokio::time::sleep(Duration::from_secs(1)).await;
                load.open();
                tokio::time::sleep(Duration::from_secs(3)).await;
                refresh.open();
            });
        })
        .await;
    let saved = saved.expect("it was spawned").await.unwrap();
    let error = saved.unwrap_err();
    assert!(error.is_headers_sent() && error.is_gone(), "{error}");
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
}
