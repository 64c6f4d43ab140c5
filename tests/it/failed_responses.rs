//! Answers that drop what the handler changed: 5xx, errors, panics.

use axum::{body::Body, extract::Request};
use futures_util::FutureExt;
use http::StatusCode;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{Error, WizSession};

use crate::support::{Fault, Site, StoreMethod};

#[tokio::test]
async fn a_5xx_drops_the_changes() {
    let site = Site::new();
    for status in [500, 502, 503, 599] {
        let status = StatusCode::from_u16(status).unwrap();
        let mut browser = site.browser();
        let write = async |session: WizSession| {
            session.set("a", 2).unwrap();
            session.log_in("alice");
            session
                .flash(wiz_session::FlashLevel::Info, "hello")
                .unwrap();
            status
        };
        let reply = browser.visit(write).await;
        assert_eq!((reply.status, reply.cookies()), (status, vec![]));
        assert_eq!(site.store.take_calls(), []);

        let mut browser = site.visitor().await;
        let reply = browser.visit(write).await;
        assert_eq!((reply.status, reply.cookies()), (status, vec![]));
        assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
        assert_eq!(browser.read("a").await, Some(1));
        site.store.take_calls();
    }
}

#[tokio::test]
async fn other_statuses_keep_the_changes() {
    let site = Site::new();
    for status in [200, 303, 400, 404, 422, 499] {
        let mut browser = site.browser();
        let status = StatusCode::from_u16(status).unwrap();
        let reply = browser
            .visit(async |session| {
                session.set("a", 1)?;
                Ok::<_, Error>(status)
            })
            .await;
        assert_eq!(reply.status, status);
        assert_eq!(browser.read("a").await, Some(1), "{status}");
    }
}

#[tokio::test]
async fn a_clear_holds_in_a_5xx_and_the_writes_around_it_do_not() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.set("b", 2).unwrap();
            session.clear();
            session.set("c", 3).unwrap();
            session.log_in("alice");
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.cookie().value().is_empty());
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn an_error_of_the_inner_service_is_as_a_5xx() {
    let site = Site::new();
    let run = async |clear: bool, cookie: &str| {
        let service = site.layer.layer(service_fn(async |request: Request| {
            let session = WizSession::from_extensions(request.extensions())
                .await
                .unwrap();
            session.set("a", 2).unwrap();
            if clear {
                session.clear();
            }
            Err::<axum::response::Response, _>("broken")
        }));
        let request = Request::builder()
            .header("cookie", format!("__Host-sid={cookie}"))
            .body(Body::empty());
        assert_eq!(
            service.oneshot(request.unwrap()).await.unwrap_err(),
            "broken"
        );
    };
    let mut browser = site.visitor().await;
    run(false, browser.value()).await;
    assert_eq!(browser.read("a").await, Some(1));
    run(true, browser.value()).await;
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_panic_stores_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let panicking = browser.visit::<()>(async |session| {
        session.set("a", 2).unwrap();
        session.clear();
        panic!("as bugs do");
    });
    assert!(
        std::panic::AssertUnwindSafe(panicking)
            .catch_unwind()
            .await
            .is_err()
    );
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
    assert_eq!(browser.read("a").await, Some(1));
}

/// What was saved is stored; and the client has to learn the new id, or it would lose the session.
#[tokio::test]
async fn what_was_saved_before_a_5xx_stays_with_its_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.regenerate();
            session.save().await.unwrap();
            session.set("b", 2).unwrap();
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(
        (browser.read("a").await, browser.read::<u32>("b").await),
        (Some(1), None)
    );
}

#[tokio::test]
async fn a_clear_that_was_saved_removes_the_cookie_in_a_5xx_too() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.clear();
            session.save().await.unwrap();
            session.set("b", 2).unwrap();
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    assert!(reply.cookie().value().is_empty());
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_refused_commit_takes_the_body_and_what_describes_it_and_leaves_other_headers() {
    let site = Site::new();
    site.store.fault(StoreMethod::Create, Fault::Fail);
    let reply = site
        .browser()
        .visit(async |session| {
            session.set("a", 1)?;
            let headers = [
                ("content-type", "text/plain"),
                ("content-length", "4"),
                ("etag", "1"),
                ("location", "/paid"),
                ("cache-control", "public"),
                ("set-cookie", "theme=dark"),
                ("access-control-allow-origin", "https://shop.example"),
                ("x-request-id", "7"),
            ];
            Ok::<_, Error>((StatusCode::CREATED, headers, Body::from("paid")))
        })
        .await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "")
    );
    let mut kept: Vec<_> = reply.headers.keys().map(|name| name.as_str()).collect();
    kept.sort_unstable();
    assert_eq!(
        kept,
        ["access-control-allow-origin", "vary", "x-request-id"]
    );
}
