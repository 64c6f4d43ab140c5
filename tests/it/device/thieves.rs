//! Cookies that were copied out of a browser.

use std::time::Duration;

use http::{StatusCode, header::COOKIE};
use serde_json::json;
use wiz_session::{
    DeviceBinding, WizSession,
    test_util::{DeviceBrowser, cookie_header},
};

use super::{Shop, only, request, signer::Signer};
use crate::support::Site;

#[tokio::test]
async fn the_pair_of_cookies_is_dead_after_the_bound_ones_life() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut browser = shop.alice().await;
    shop.pass_seconds(60);
    let stolen = browser.cookies().unwrap();
    shop.site.pass(8);
    assert_eq!(shop.see_with(&stolen).await["user"], json!("alice"));
    shop.pass_seconds(60);
    let seen = shop.see_with(&stolen).await;
    assert_eq!(
        (
            &seen["user"],
            &seen["unbound"],
            &seen["ended"],
            &seen["data"]
        ),
        (&json!(null), &json!(true), &json!(true), &json!({}))
    );
    assert_eq!(shop.user(&mut browser).await, json!("alice"));
    // Its owner has a new one, the thief has not.
    assert_eq!(shop.see_with(&stolen).await["user"], json!(null));
}

#[tokio::test]
async fn the_pair_works_to_the_millisecond_and_the_browser_drops_it_somewhat_earlier() {
    const DAY: u64 = 24 * 60 * 60;
    for (lifetime, told) in [
        (1, 1),
        (19, 19),
        (20, 19),
        (99, 95),
        (600, 595),
        (DAY, DAY - 5),
    ] {
        let lifetime = Duration::from_secs(lifetime);
        let binding = DeviceBinding::offer().cookie_lifetime(lifetime);
        let shop = Shop::on(Site::with(|builder| {
            builder.device_bound(binding).idle_timeout(2 * lifetime)
        }));
        let login = shop.login().await;
        let response = shop.ask(login.registration(&Signer::new())).await;
        let line = response.headers()["set-cookie"].to_str().unwrap();
        assert!(line.ends_with(&format!("; Max-Age={told}")), "{line}");
        let bound = cookie_header(&response).unwrap();
        let pair = [login.cookies.as_bytes(), b"; ", bound.as_bytes()].concat();
        let pair = http::HeaderValue::from_bytes(&pair).unwrap();
        let millisecond = Duration::from_millis(1);
        shop.site.clock.advance(lifetime - millisecond);
        assert_eq!(shop.see_with(&pair).await["user"], json!("alice"));
        shop.site.clock.advance(millisecond);
        assert_eq!(shop.see_with(&pair).await["user"], json!(null));
    }
}

#[tokio::test]
async fn the_sessions_cookie_alone_does_not_work_once_requests_in_flight_have_arrived() {
    let shop = Shop::new(DeviceBinding::offer());
    let browser = shop.alice().await;
    let stolen = only(&browser.cookies().unwrap(), "__Host-sid");
    shop.pass_seconds(29);
    assert_eq!(shop.see_with(&stolen).await["user"], json!("alice"));
    shop.pass_seconds(2);
    assert_eq!(shop.see_with(&stolen).await["user"], json!(null));
    // Not even with a bound cookie of a session of their own.
    let thief = shop.alice().await;
    let own = only(&thief.cookies().unwrap(), "__Host-sid-bound");
    let mixed = [stolen.as_bytes(), b"; ", own.as_bytes()].concat();
    let mixed = http::HeaderValue::from_bytes(&mixed).unwrap();
    assert_eq!(shop.see_with(&mixed).await["user"], json!(null));
}

#[tokio::test]
async fn a_bound_session_is_no_bearer_token() {
    let shop = Shop::on(Site::with(|builder| {
        builder.device_bound(DeviceBinding::offer()).bearer(true)
    }));
    let browser = shop.alice().await;
    shop.site.pass(1);
    let cookies = browser.cookies().unwrap();
    let cookie = only(&cookies, "__Host-sid");
    let (_, value) = cookie.to_str().unwrap().split_once('=').unwrap();
    let mut request = axum::extract::Request::default();
    let token = format!("Bearer {value}").parse().unwrap();
    request.headers_mut().insert("authorization", token);
    request.headers_mut().insert(COOKIE, cookies);
    let seen = super::json_of(shop.ask(request).await).await;
    assert_eq!(seen["user"], json!(null));
}

#[tokio::test]
async fn an_unbound_request_writes_nothing_and_keeps_the_browsers_cookie() {
    let shop = Shop::new(DeviceBinding::offer());
    let browser = shop.alice().await;
    let stolen = only(&browser.cookies().unwrap(), "__Host-sid");
    shop.site.pass(1);
    let mut write = request("/set/mine");
    write.headers_mut().insert(COOKIE, stolen);
    let response = shop.ask(write).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("set-cookie"));
    let seen = shop.see_with(&browser.cookies().unwrap()).await;
    assert_eq!(
        (&seen["user"], &seen["data"]),
        (&json!("alice"), &json!({}))
    );
}

#[tokio::test]
async fn an_unbound_session_can_be_ended_and_a_login_begins_another() {
    let shop = Shop::new(DeviceBinding::offer());
    for path in ["/logout", "/login/alice"] {
        let browser = shop.alice().await;
        let pair = browser.cookies().unwrap();
        let stolen = only(&pair, "__Host-sid");
        shop.site.pass(1);
        let mut act = request(path);
        act.headers_mut().insert(COOKIE, stolen);
        let response = shop.ask(act).await;
        assert!(response.headers().contains_key("set-cookie"), "{path}");
        let is_over = path == "/logout";
        let user = shop.see_with(&pair).await["user"].take();
        assert_eq!(user.is_null(), is_over, "{path}");
        let offers = response
            .headers()
            .contains_key("secure-session-registration");
        assert_eq!(offers, !is_over);
    }
}

#[tokio::test]
async fn where_it_is_required_a_session_that_was_never_bound_is_anonymous_after_the_grace() {
    let shop = Shop::new(DeviceBinding::require());
    let mut unable = DeviceBrowser::unable(&shop.site.clock);
    shop.post(&mut unable, "/login/alice").await;
    shop.pass_seconds(29);
    assert_eq!(shop.user(&mut unable).await, json!("alice"));
    shop.pass_seconds(2);
    let seen = shop.see(&mut unable).await;
    assert_eq!(
        (&seen["user"], &seen["unbound"]),
        (&json!(null), &json!(true))
    );
    // Visitors need no device.
    let mut visitor = DeviceBrowser::unable(&shop.site.clock);
    shop.post(&mut visitor, "/set/cart").await;
    shop.site.pass(5);
    assert_eq!(shop.see(&mut visitor).await["data"]["cart"], json!(true));
}

#[tokio::test]
async fn where_it_is_required_a_device_that_takes_longer_than_the_grace_is_bound_all_the_same() {
    let shop = Shop::new(DeviceBinding::require());
    let (login, signer) = (shop.login().await, Signer::new());
    shop.site.pass(2);
    assert_eq!(shop.see_with(&login.cookies).await["user"], json!(null));
    let response = shop.ask(login.registration(&signer)).await;
    let bound = login.bound(signer, response).await;
    assert_eq!(shop.see_with(&bound.cookies).await["user"], json!("alice"));
}

#[tokio::test]
async fn a_session_is_offered_once_it_is_logged_in_and_not_whenever_its_cookie_is_sent_again() {
    // Who has stolen the cookie of a browser that cannot do it would bind the session to a device of their own.
    let remember = |session: WizSession| async move {
        session.remember(Duration::from_secs(24 * 60 * 60));
    };
    let shop = Shop::new(DeviceBinding::offer());
    let app = shop.app.clone().merge(
        axum::Router::new()
            .route("/remember", axum::routing::post(remember))
            .layer(shop.site.layer.clone()),
    );
    let mut unable = DeviceBrowser::unable(&shop.site.clock);
    unable.send(&app, request("/login/alice")).await;
    for (minutes, offers) in [(0, true), (5, false)] {
        shop.site.pass(minutes);
        for path in ["/remember", "/regenerate"] {
            let response = unable.send(&app, request(path)).await;
            let headers = response.headers();
            assert!(headers.contains_key("set-cookie"), "{path}");
            let is_offered = headers.contains_key("secure-session-registration");
            assert_eq!(is_offered, offers, "{path} after {minutes} minutes");
        }
    }
}

#[tokio::test]
async fn where_it_is_offered_a_browser_that_cannot_do_it_lives_as_before() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut unable = DeviceBrowser::unable(&shop.site.clock);
    shop.post(&mut unable, "/login/alice").await;
    for _ in 0..3 {
        shop.site.pass(29);
        assert_eq!(shop.user(&mut unable).await, json!("alice"));
    }
}
