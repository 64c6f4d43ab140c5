//! Orders of doing things within one request, and between two, that libraries get wrong.

use std::{pin::pin, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use futures_util::stream;
use http::{StatusCode, header::SET_COOKIE};
use wiz_session::{CookieOptions, Error, FlashLevel, WizSession};

use crate::support::{Fault, Log, Site, StoreMethod, key};

#[tokio::test]
async fn a_save_after_clear_that_fails_can_be_tried_again() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.clear();
            session.set("b", 2)?;
            site.store.fault(StoreMethod::Create, Fault::Fail);
            assert!(session.save().await.unwrap_err().is_store());
            site.store.heal();
            session.save().await
        })
        .await;
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_save_after_clear_that_is_dropped_midway_is_done_by_the_commit() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(async |session| {
        session.clear();
        session.set("b", 2).unwrap();
        let gate = site.store.pause(StoreMethod::Create);
        {
            let mut save = pin!(session.save());
            tokio::select! { _ = &mut save => panic!("it did not wait"), () = gate.reached() => {} }
        }
        site.store.heal();
    }).await;
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_transaction_that_fails_on_old_data_is_run_on_the_newest() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("tickets", 1).await;
            let left = session
                .transaction(|tx| {
                    let left: u32 = tx.get_or_default("tickets")?;
                    let left = left
                        .checked_sub(1)
                        .ok_or_else(|| Error::store("sold out"))?;
                    tx.set("tickets", left).map(|()| left)
                })
                .await;
            assert_eq!(left.unwrap(), 0);
        })
        .await;
}

#[tokio::test]
async fn a_late_refresh_under_the_new_key_leaves_the_newer_cookie() {
    let old = Site::new();
    let rotated = old.relaunched(key(2), |builder| builder.previous_keys([key(1)]));
    let mut browser = old.visitor().await.at(&rotated);
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.log_in("alice")).await;
            assert_eq!(session.get("a").unwrap(), Some(1));
        })
        .await
        .is_ok_without_cookie();
}

#[tokio::test]
async fn a_touch_that_finds_nothing_refreshes_no_cookie() {
    let old = Site::new();
    let rotated = old.relaunched(key(2), |builder| builder.previous_keys([key(1)]));
    let mut browser = old.visitor().await.at(&rotated);
    let mut tab = browser.clone();
    browser
        .visit(async |_session| {
            tab.visit(async |session| session.clear()).await;
            rotated.pass(3);
        })
        .await
        .is_ok_without_cookie();
}

#[tokio::test]
async fn a_session_first_asked_for_after_the_head_begins_nothing() {
    let site = Site::new();
    let service = tower::service_fn(async |request: Request| {
        let extensions = request.extensions().clone();
        let late = async move {
            let session = WizSession::from_extensions(&extensions).await?;
            session.set("a", 1)?;
            assert!(session.save().await.unwrap_err().is_gone());
            Ok::<_, Error>("")
        };
        Ok(Response::new(Body::from_stream(stream::once(late))))
    });
    let service = tower::Layer::layer(&site.layer, service);
    site.browser()
        .send(service, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

/// A middleware that uses the session of the layer outside of it.
async fn outer(session: WizSession, request: Request, next: Next) -> Result<Response, Error> {
    session.set("outer", 1)?;
    Ok(next.run(request).await)
}

#[tokio::test]
async fn nested_layers_of_one_name_share_one_session_with_another_between() {
    let site = Site::new();
    let admin = Site::with(|builder| builder.cookie(CookieOptions::new("__Host-admin")));
    let router = Router::new()
        .route(
            "/",
            get(async |session: WizSession| session.set("inner", 1)),
        )
        .layer(site.layer.clone())
        .layer(admin.layer.clone())
        .layer(from_fn(outer))
        .layer(site.layer.clone());
    let mut browser = site.browser();
    browser.send(router, Request::default()).await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
    assert_eq!(
        (browser.read("outer").await, browser.read("inner").await),
        (Some(1), Some(1))
    );
}

#[tokio::test]
async fn a_message_left_and_taken_in_one_request_leaves_nothing() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            session.flash(FlashLevel::Info, "hello")?;
            session.take_flashes().map(drop)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn taken_messages_leave_no_key() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| session.flash(FlashLevel::Info, "hello"))
        .await;
    browser
        .visit(async |session| session.take_flashes().map(drop))
        .await;
    browser
        .visit(async |session| assert_eq!(session.keys(), ["a"]))
        .await;
}

#[tokio::test]
async fn a_reload_that_fails_loses_no_change_in_silence() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let reply = browser
        .visit(async |session| {
            session.set("paid", true).unwrap();
            session.update("a", |a: &mut u32| *a += 1).unwrap();
            tab.write("a", "text").await;
            assert!(session.reload().await.unwrap_err().is_decode());
        })
        .await;
    assert!(reply.status.is_server_error() || tab.read("paid").await == Some(true));
}

#[tokio::test]
async fn a_saved_regeneration_survives_a_commit_that_fails() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.regenerate();
            session.save().await.unwrap();
            session.set("b", 2).unwrap();
            site.store.fault(StoreMethod::Replace, Fault::Fail);
        })
        .await;
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_session_in_use_lives_until_its_absolute_deadline() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.clock.advance(Duration::from_secs(20));
    for half in 1..1439 {
        site.clock.advance(Duration::from_secs(30));
        assert_eq!(
            browser.read("a").await,
            Some(1),
            "half minute {half} of 1440"
        );
    }
}

#[tokio::test]
async fn a_save_with_nothing_pending_on_an_ended_session_is_gone() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            assert!(session.save().await.unwrap_err().is_gone());
        })
        .await;
}

#[tokio::test]
async fn a_login_goes_on_after_a_reload_that_is_gone() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            session.log_in("alice");
            let _gone = session.reload().await;
        })
        .await;
    assert_eq!(site.layer.sessions().list("alice").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_discarded_delete_is_an_event() {
    let log = Log::capture();
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            session.delete("a");
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(log.count("write discarded"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_save_that_nobody_polls_holds_no_response_for_ever() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let gate = site.store.pause(StoreMethod::Replace);
    let visit = browser.visit(async |session| {
        session.set("b", 2).unwrap();
        let mut save = Box::pin(async move { session.save().await });
        tokio::select! { _ = &mut save => panic!("it did not wait"), () = gate.reached() => {} }
        gate.open();
        Body::from_stream(stream::once(async move { save.await.map(|()| "") }))
    });
    tokio::time::timeout(Duration::from_secs(600), visit)
        .await
        .expect("the response comes");
}

#[tokio::test]
async fn a_stack_of_two_names_may_be_nested() {
    let shop = Site::new();
    let admin = Site::with(|builder| builder.cookie(CookieOptions::new("__Host-admin")));
    let inner = Router::new()
        .route(
            "/",
            get(async |session: WizSession| session.set("inner", 1)),
        )
        .layer(admin.layer.clone())
        .layer(shop.layer.clone());
    let router = Router::new()
        .nest("/inner", inner)
        .layer(from_fn(outer))
        .layer(admin.layer.clone())
        .layer(shop.layer.clone());
    let request = Request::get("/inner").body(Body::empty()).unwrap();
    let reply = shop.browser().send(router, request).await;
    assert_eq!(reply.lines(SET_COOKIE).len(), 1);
    assert_eq!(admin.store.take_calls(), [StoreMethod::Create]);
}

#[tokio::test]
async fn a_failure_outside_keeps_the_cookie_of_a_session_inside() {
    let shop = Site::new();
    let admin = Site::with(|builder| builder.cookie(CookieOptions::new("__Host-admin")));
    let router = Router::new()
        .route("/", get(async |session: WizSession| session.log_in("root")))
        .layer(admin.layer.clone())
        .layer(from_fn(outer))
        .layer(shop.layer.clone());
    let mut browser = shop.visitor().await;
    shop.store.fault(StoreMethod::Replace, Fault::Fail);
    let reply = browser.send(router, Request::default()).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    let mut user = None;
    browser
        .at(&admin)
        .visit(async |session| user = session.user())
        .await;
    assert_eq!(
        user.as_deref(),
        Some("root"),
        "it was committed, under a new id"
    );
}
