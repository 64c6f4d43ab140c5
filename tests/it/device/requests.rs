//! The layer's own answers, wherever it stands.

use std::convert::Infallible;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{CookieOptions, DeviceBinding, WizSession, test_util::DeviceBrowser};

use super::{Shop, signer::Signer};
use crate::support::Site;

#[tokio::test]
async fn a_browser_is_told_where_what_and_for_how_long() {
    let binding = DeviceBinding::offer()
        .path("/app/device")
        .exclude(["/app/static"])
        .cookie_lifetime(std::time::Duration::from_secs(300));
    let cookie = CookieOptions::new("__Secure-s")
        .path("/app")
        .domain("shop.example");
    let site = Site::with(|builder| builder.device_bound(binding).cookie(cookie));
    let shop = Shop::on(site);
    let (login, signer) = (shop.login().await, Signer::new());
    let mut request = login.registration(&signer);
    *request.uri_mut() = "/app/device/register".parse().unwrap();
    let response = shop.ask(request).await;
    let headers = response.headers();
    let cookie = headers["set-cookie"].to_str().unwrap();
    let attributes = "HttpOnly; SameSite=Lax; Secure; Path=/app; Domain=shop.example";
    assert!(
        cookie.starts_with("__Secure-s-bound=") && cookie.contains(attributes),
        "{cookie}"
    );
    assert!(cookie.ends_with("; Max-Age=295"), "{cookie}");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["cache-control"], "no-store");
    let mut told = super::json_of(response).await;
    told["session_identifier"].take();
    let excluded = |path: &str| json!({ "type": "exclude", "domain": "*", "path": path });
    let expected = json!({
        "session_identifier": null,
        "refresh_url": "/app/device/refresh",
        "scope": {
            "include_site": false,
            "scope_specification": [excluded("/app/static"), excluded("/app/device/register")],
        },
        "credentials": [{ "type": "cookie", "name": "__Secure-s-bound", "attributes": attributes }],
        "allowed_refresh_initiators": ["*"],
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_plain_tower_service_answers_too() {
    let site = Site::with(|builder| builder.device_bound(DeviceBinding::offer()));
    let log_in = service_fn(async |request: Request<Empty<_>>| {
        let session = WizSession::from_extensions(request.extensions())
            .await
            .unwrap();
        session.log_in("alice");
        Ok::<_, Infallible>(Response::new(Empty::<axum::body::Bytes>::new().boxed()))
    });
    let app = site.layer.layer(log_in);
    let mut browser = DeviceBrowser::new(&site.clock);
    let response = browser
        .send(&app, Request::new(Empty::<axum::body::Bytes>::new()))
        .await;
    let _body: Option<BoxBody<_, _>> = response.into_body().into_inner();
    assert!(browser.is_bound());
}

#[tokio::test]
async fn a_browser_that_cannot_refresh_says_why_and_is_served() {
    let shop = Shop::new(DeviceBinding::offer());
    let request = Request::get("/").header(
        "secure-session-skipped",
        "quota_exceeded;session_identifier=\"abc\"",
    );
    let response = shop
        .app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap());
    let seen: Value = super::json_of(response.await.unwrap()).await;
    assert_eq!(seen["user"], json!(null));
}
