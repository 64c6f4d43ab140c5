//! What a request costs, and what fails.

use std::convert::Infallible;

use axum::{body::Body, extract::Request};
use http::{
    Response, StatusCode,
    header::{SET_COOKIE, VARY},
};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{WizSession, flask::FlaskBridge};

use super::pair::{COOKIE, KEY, OWN_COOKIE, Pair};
use crate::support::{Site, StoreMethod};

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
#[tokio::test]
async fn a_client_with_a_token_has_nothing_to_do_with_flask() {
    let site = Site::with(|builder| builder.bearer(true));
    let bridge = FlaskBridge::builder(KEY).share_all().build().unwrap();
    let service = || {
        let handler = service_fn(async |request: Request| {
            let session = WizSession::from_extensions(request.extensions())
                .await
                .unwrap();
            if session.user().is_none() {
                session.log_in("alice");
            }
            let token = session.token().await.unwrap().unwrap_or_default();
            Ok::<_, Infallible>(Response::new(token))
        });
        let service = site.layer.layer(bridge.layer(handler));
        service.map_response(|response: Response<_>| response.map(Body::new))
    };
    let mut client = site.browser();
    let reply = client.send(service(), Request::default()).await;
    reply.is_ok_without_cookie();
    let mut request = Request::default();
    let bearer = format!("Bearer {}", reply.body).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let again = client.send(service(), request).await;
    again.is_ok_without_cookie();
    assert_eq!(again.body, reply.body, "and is still logged in");
}
