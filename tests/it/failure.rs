//! A store that fails, hangs or panics, and requests that are dropped.

use std::{panic::AssertUnwindSafe, pin::pin, time::Duration};

use axum::extract::Request;
use futures_util::FutureExt;
use http::StatusCode;
use tokio::time::Instant;
use tower::Layer;
use wiz_session::{Error, Sweeper, WizSession};

use crate::support::{Fault, Gate, Reply, Site, StoreMethod, ignore};

#[track_caller]
fn is_refused(reply: &Reply) {
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.cookies().is_empty());
}

#[tokio::test]
async fn a_failed_load_refuses_the_handler_that_asked_and_no_other() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fault(StoreMethod::Load, Fault::Fail);
    let reply = browser
        .visit(async |_| unreachable!("not reached") as ())
        .await;
    is_refused(&reply);
    assert_eq!(reply.body, "Service Unavailable", "it leaks nothing");

    let untouched = site.layer.layer(ignore("fine"));
    let reply = browser.send(untouched, Request::default()).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (StatusCode::OK, "fine")
    );
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_given_up() {
    let site = Site::with(|builder| builder.store_timeout(Duration::from_secs(7)));
    let mut browser = site.visitor().await;
    let clear = async |session: WizSession| session.clear();
    let write = async |session: WizSession| session.set("b", 2).unwrap();
    let regenerate = async |session: WizSession| session.regenerate();
    for verb in [
        StoreMethod::Load,
        StoreMethod::Replace,
        StoreMethod::Create,
        StoreMethod::Delete,
    ] {
        site.store.fault(verb, Fault::Hang);
        let start = Instant::now();
        let reply = match verb {
            StoreMethod::Create => browser.visit(regenerate).await,
            StoreMethod::Delete => browser.visit(clear).await,
            _ => browser.visit(write).await,
        };
        is_refused(&reply);
        assert_eq!(start.elapsed().as_secs(), 7, "{verb:?}");
        site.store.heal();
        assert_eq!(browser.read("a").await, Some(1), "{verb:?}");
    }
    assert_eq!(browser.read::<u32>("b").await, None);
}

#[tokio::test]
async fn a_failed_commit_is_503_without_a_cookie() {
    let site = Site::new();
    let write = async |session: WizSession| {
        session.set("a", 2)?;
        Ok::<_, Error>("all is well")
    };
    site.store.fault(StoreMethod::Create, Fault::Fail);
    let reply = site.browser().visit(write).await;
    is_refused(&reply);
    assert_eq!(reply.body, "");

    site.store.heal();
    let mut browser = site.visitor().await;
    site.store.fault(StoreMethod::Replace, Fault::Fail);
    is_refused(&browser.visit(write).await);
    assert_eq!(browser.read("a").await, Some(1));

    site.store.fault(StoreMethod::Delete, Fault::Fail);
    is_refused(&browser.visit(async |session| session.clear()).await);
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_touch_fails_no_request() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    for fault in [Fault::Fail, Fault::Hang] {
        site.pass(3);
        site.store.fault(StoreMethod::Touch, fault);
        browser
            .visit(async |session| assert_eq!(session.get("a").unwrap(), Some(1)))
            .await
            .is_ok_without_cookie();
        assert_eq!(
            site.store.take_calls(),
            [StoreMethod::Load, StoreMethod::Touch]
        );
    }
}

#[tokio::test]
async fn a_store_error_never_becomes_an_empty_session() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fault(StoreMethod::Load, Fault::Fail);
    let service = tower::service_fn(async |request: Request| {
        for _ in 0..2 {
            let error = WizSession::from_extensions(request.extensions())
                .await
                .unwrap_err();
            assert!(error.is_store());
        }
        Ok(axum::response::IntoResponse::into_response(
            "the handler goes on",
        ))
    });
    let reply = browser
        .send(site.layer.layer(service), Request::default())
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load]
    );
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_load_that_failed_once_is_tried_again_in_the_same_request() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fault(StoreMethod::Load, Fault::Fail);
    let service = tower::service_fn(async |request: Request| {
        let load = || WizSession::from_extensions(request.extensions());
        assert!(load().await.unwrap_err().is_store());
        site.store.heal();
        let session = load().await.unwrap();
        assert_eq!(session.get("a").unwrap(), Some(1));
        Ok(axum::response::IntoResponse::into_response(
            session.set("a", 2),
        ))
    });
    browser
        .send(site.layer.layer(service), Request::default())
        .await;
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn endless_conflicts_are_503_and_nothing_is_written() {
    let site = Site::with(|builder| builder.store_timeout(Duration::from_millis(20)));
    let mut browser = site.visitor().await;
    site.store.fault(StoreMethod::Replace, Fault::Conflict);
    is_refused(&browser.write("a", 2).await);
    let mut conflicted = false;
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            conflicted = session.save().await.unwrap_err().is_conflict();
        })
        .await;
    assert!(conflicted);
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_request_dropped_midway_does_nothing_or_all() {
    let site = Site::new();
    let rewrite = async |session: WizSession| session.set("a", 2);
    for verb in [
        StoreMethod::Load,
        StoreMethod::Create,
        StoreMethod::Replace,
        StoreMethod::Delete,
        StoreMethod::Touch,
    ] {
        let mut browser = site.visitor().await;
        let mut tab = browser.clone();
        site.pass(3);
        let gate = site.store.pause(verb);
        {
            let mut request = pin!(tab.visit(async |session| {
                match verb {
                    StoreMethod::Delete => session.clear(),
                    StoreMethod::Create => session.regenerate(),
                    StoreMethod::Touch => {}
                    _ => rewrite(session).await.unwrap(),
                }
            }));
            tokio::select! {
                _ = &mut request => panic!("{verb:?} did not wait"),
                () = gate.reached() => {}
            }
        }
        site.store.heal();
        assert_eq!(browser.read("a").await, Some(1), "{verb:?}");
        browser.visit(rewrite).await.is_ok_without_cookie();
        assert_eq!(browser.read("a").await, Some(2), "{verb:?}");
    }
}

#[tokio::test]
async fn a_commit_dropped_amid_conflicts_leaves_no_lock() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    {
        let gate = Gate::default();
        let mut dropped = browser.clone();
        let mut request = pin!(dropped.visit(async |session| {
            tab.write("b", 3).await;
            site.store
                .fault(StoreMethod::Load, Fault::Pause(gate.clone()));
            session.set("c", 3)
        }));
        tokio::select! {
            _ = &mut request => panic!("it did not wait"),
            () = gate.reached() => {}
        }
    }
    site.store.heal();
    let reply = browser
        .visit(async |session| {
            tab.write("b", 4).await;
            session.set("d", 4)
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(
        (browser.read("b").await, browser.read("d").await),
        (Some(4), Some(4))
    );
    assert_eq!(browser.read::<u32>("c").await, None);
}

#[tokio::test]
async fn a_store_that_panics_leaves_no_lock() {
    let site = Site::new();
    for verb in [StoreMethod::Load, StoreMethod::Replace] {
        let mut browser = site.visitor().await;
        site.store.fault(verb, Fault::Panic);
        let write = AssertUnwindSafe(browser.write("a", 2)).catch_unwind().await;
        assert!(write.is_err());
        site.store.heal();
        assert_eq!(browser.read("a").await, Some(1));
        browser.write("a", 2).await.is_ok_without_cookie();
        assert_eq!(browser.read("a").await, Some(2));
    }
}

#[tokio::test]
async fn a_closure_that_panics_leaves_no_lock() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            let update = || session.update("a", |_: &mut u32| panic!("a bug"));
            assert!(std::panic::catch_unwind(AssertUnwindSafe(update)).is_err());
            let transaction = session.transaction::<(), Error>(|_| panic!("a bug"));
            assert!(AssertUnwindSafe(transaction).catch_unwind().await.is_err());
            session.set("b", 2)
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(1), Some(2))
    );
}

#[tokio::test]
async fn a_store_that_comes_back_needs_no_restart() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    for verb in [
        StoreMethod::Load,
        StoreMethod::Create,
        StoreMethod::Replace,
        StoreMethod::Touch,
        StoreMethod::Delete,
    ] {
        site.store.fault(verb, Fault::Fail);
    }
    for _ in 0..10 {
        is_refused(&browser.write("a", 2).await);
        is_refused(&site.browser().write("a", 2).await);
    }
    site.store.heal();
    browser.write("a", 2).await.is_ok_without_cookie();
    assert_eq!(browser.read("a").await, Some(2));
}

/// As tower-http's `TimeoutLayer` answers, inside of the session's layer.
#[tokio::test(start_paused = true)]
async fn what_was_done_until_a_time_limit_is_dropped() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            let half = async {
                session.set("debited", true).unwrap();
                std::future::pending::<()>().await;
            };
            let _elapsed = tokio::time::timeout(Duration::from_secs(1), half).await;
            StatusCode::REQUEST_TIMEOUT
        })
        .await;
    assert_eq!(browser.read::<bool>("debited").await, None);
}

#[tokio::test]
async fn a_store_in_which_every_id_is_taken_is_given_up() {
    let site = Site::new();
    site.store.fault(StoreMethod::Create, Fault::Conflict);
    let reply = site
        .browser()
        .visit(async |session| session.set("a", 1))
        .await;
    is_refused(&reply);
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_survives_a_store_that_panics() {
    let site = Site::new();
    site.store.fault(StoreMethod::DeleteExpired, Fault::Panic);
    let minute = Duration::from_secs(60);
    let sweeper = Sweeper::builder(site.store.clone()).interval(minute);
    let _sweeper = sweeper.spawn().unwrap();
    tokio::time::sleep(minute).await;
    site.store.heal();
    let before = site.store.calls_of(StoreMethod::DeleteExpired);
    tokio::time::sleep(5 * minute).await;
    assert!(before > 0 && site.store.calls_of(StoreMethod::DeleteExpired) > before);
}
