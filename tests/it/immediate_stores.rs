//! A store that answers at once is asked without a future: that must make no difference.

use std::{sync::atomic::Ordering, time::Duration};

use http::StatusCode;
use wiz_session::{Clock, MemoryStore, WizSession, WizSessionLayer};

use crate::support::{Browser, Contended, Fault, Immediate, StoreMethod, TestStore, key};

fn site() -> (TestStore, Clock, Browser) {
    let store = TestStore::new();
    let clock = Clock::manual();
    let layer = WizSessionLayer::builder(Immediate(store.clone()), key(1)).clock(clock.clone());
    (
        store,
        clock,
        Browser::new(layer.build().expect("the settings are valid")),
    )
}

#[tokio::test]
async fn the_calls_are_those_of_any_store() {
    let (store, clock, mut browser) = site();
    browser.write("a", 1).await;
    assert_eq!(store.take_calls(), [StoreMethod::Create]);
    assert_eq!(browser.read("a").await, Some(1));
    assert_eq!(store.take_calls(), [StoreMethod::Load]);
    browser.write("a", 2).await.is_ok_without_cookie();
    assert_eq!(
        store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(browser.read("a").await, Some(2));
    assert_eq!(store.take_calls(), [StoreMethod::Load, StoreMethod::Touch]);
    let reply = browser
        .visit(async |session: WizSession| session.log_in("alice"))
        .await;
    assert_eq!(reply.cookies().len(), 1);
    assert_eq!(
        store.take_calls(),
        [StoreMethod::Load, StoreMethod::Create, StoreMethod::Replace]
    );
    let reply = browser
        .visit(async |session: WizSession| session.clear())
        .await;
    assert_eq!(reply.cookies().len(), 1);
    assert_eq!(store.take_calls(), [StoreMethod::Load, StoreMethod::Delete]);
}

#[tokio::test]
async fn a_commit_that_meets_another_begins_anew() {
    let (_, _, mut browser) = site();
    browser.write("n", 0).await;
    let mut tab = browser.clone();
    let reply = browser
        .visit(async |session: WizSession| {
            tab.write("other", 1).await;
            session.update("n", |n: &mut u32| *n += 1).unwrap();
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(browser.read("n").await, Some(1));
    assert_eq!(browser.read("other").await, Some(1));
}

/// A commit tries again at once a few times, then waits for the others.
#[tokio::test]
async fn a_commit_that_meets_many_others_is_stored_in_the_end() {
    for keeps_a_handle in [false, true] {
        for conflicts in [1, 8, 9, 12] {
            let store = Contended::new();
            let mut browser = Browser::new(WizSessionLayer::new(store.clone(), key(1)));
            browser.write("n", 0).await;
            let mut kept = None;
            let reply = browser
                .visit(async |session: WizSession| {
                    kept = keeps_a_handle.then(|| session.clone());
                    store.conflicts.store(conflicts, Ordering::Relaxed);
                    session.update("n", |n: &mut u32| *n += 1).map(drop)
                })
                .await;
            reply.is_ok_without_cookie();
            assert_eq!(store.conflicts.load(Ordering::Relaxed), 0);
            let seen = kept.map(|session: WizSession| session.get("n").unwrap());
            assert_eq!(seen, keeps_a_handle.then_some(Some(1)));
            assert_eq!(browser.read("n").await, Some(1));
        }
    }
}

#[tokio::test]
async fn a_kept_handle_makes_no_difference() {
    let (store, _, mut browser) = site();
    let mut kept = Vec::new();
    let mut visit = async |act: fn(&WizSession)| {
        let reply = browser
            .visit(async |session: WizSession| {
                act(&session);
                kept.push(session);
            })
            .await;
        (reply.cookies().len(), store.take_calls())
    };
    let created = visit(|session| session.set("a", 1).unwrap()).await;
    assert_eq!(created, (1, vec![StoreMethod::Create]));
    let replaced = visit(|session| session.set("a", 2).unwrap()).await;
    assert_eq!(replaced, (0, vec![StoreMethod::Load, StoreMethod::Replace]));
    let ended = visit(WizSession::clear).await;
    assert_eq!(ended, (1, vec![StoreMethod::Load, StoreMethod::Delete]));
    let failed = visit(|session| session.set("a", 3).unwrap()).await;
    assert_eq!(failed, (1, vec![StoreMethod::Create]));
    store.fault(StoreMethod::Replace, Fault::Fail);
    let mut kept = None;
    let reply = browser
        .visit(async |session: WizSession| {
            session.set("a", 4).unwrap();
            kept = Some(session);
        })
        .await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    store.heal();
    kept.unwrap().save().await.unwrap();
    assert_eq!(browser.read("a").await, Some(4));
}

#[tokio::test]
async fn a_failure_is_503_and_is_not_tried_again() {
    let (store, _, mut browser) = site();
    browser.write("a", 1).await;
    for (verb, fault) in [
        (StoreMethod::Replace, Fault::Fail),
        (StoreMethod::Replace, Fault::Hang),
        (StoreMethod::Load, Fault::Hang),
    ] {
        store.take_calls();
        store.fault(verb, fault);
        let reply = browser.write("a", 2).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(reply.cookies().is_empty());
        assert_eq!(*store.take_calls().last().unwrap(), verb);
        store.heal();
        assert_eq!(browser.read("a").await, Some(1));
    }
}

#[tokio::test]
async fn a_full_store_is_503_without_a_cookie() {
    let store = MemoryStore::with_max_sessions(0);
    let mut browser = Browser::new(WizSessionLayer::new(store, key(1)));
    let reply = browser.write("a", 1).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.cookies().is_empty());
}
