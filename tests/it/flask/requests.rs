//! What a request costs, and what fails.

use std::convert::Infallible;

use axum::{body::Body, extract::Request};
use http::{
    Response, StatusCode,
    header::{SET_COOKIE, VARY},
};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::WizSession;

use super::pair::{COOKIE, OWN_COOKIE, Pair};
use crate::support::StoreMethod;

#[tokio::test]
async fn a_failed_request_tells_flask_nothing_but_a_logout() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    for status in [500, 503, 408] {
        let reply = pair
            .answer(&mut browser, status, |session| session.set("a", 1).unwrap())
            .await;
        assert_eq!(reply.lines(SET_COOKIE), [""; 0]);
        assert_eq!(pair.get(&mut browser, "a").await, None);
    }
    let mut visitor = pair.site.browser();
    pair.set_there(&mut visitor, "user_id", json!(2));
    pair.answer(&mut visitor, 500, |_| ()).await;
    assert_eq!(visitor.cookie(OWN_COOKIE), None);
    assert_eq!(
        pair.user(&mut visitor).await.as_deref(),
        Some("2"),
        "at the next request"
    );

    pair.answer(&mut browser, 500, |session| session.clear())
        .await;
    assert!(!browser.has_cookies());
}

#[tokio::test]
async fn the_bridge_fails_closed() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    browser.lose(COOKIE);
    pair.site.store.fail(StoreMethod::Load);
    let unreached = |_: &WizSession| panic!("the session is not known");
    let reply = pair.answer(&mut browser, 200, unreached).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);

    let service = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(String::new())));
    let response = pair.bridge.layer(service).oneshot(Request::default()).await;
    assert_eq!(
        response.unwrap().status(),
        StatusCode::INTERNAL_SERVER_ERROR,
        "no session layer"
    );
}

#[tokio::test]
async fn a_request_without_cookies_costs_nothing() {
    let pair = Pair::new();
    let service = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(Body::empty())));
    let service = pair.site.layer.layer(pair.bridge.layer(service));
    let service = service.map_response(|response| response.map(Body::new));
    let reply = pair.site.browser().send(service, Request::default()).await;
    assert!(!reply.headers.contains_key(VARY) && !reply.headers.contains_key(SET_COOKIE));
    assert_eq!(pair.site.store.take_calls(), []);
}

#[tokio::test]
async fn what_is_shared_is_one_write() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.site.store.take_calls();
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    assert_eq!(
        pair.site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    pair.here(&mut browser, |_| ()).await;
    assert_eq!(pair.site.store.take_calls(), [StoreMethod::Load]);
}
