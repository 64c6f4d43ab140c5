//! `Set-Cookie` only when it is needed.

use std::time::Duration;

use axum::extract::Request;
use http::{
    StatusCode,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};
use tower::Layer;
use wiz_session::{CookieOptions, SameSite};

use crate::support::{Fault, Log, Site, StoreMethod, handle, ignore, key};

#[tokio::test]
async fn a_handler_that_ignores_the_session_costs_nothing() {
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser
        .send(site.layer.layer(ignore("hello")), Request::default())
        .await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (StatusCode::OK, "hello")
    );
    for name in [SET_COOKIE, VARY, CACHE_CONTROL] {
        assert_eq!(reply.lines(name), [""; 0]);
    }
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn reading_creates_nothing() {
    let site = Site::new();
    let reply = site
        .browser()
        .visit(async |session| {
            assert!(session.is_new() && session.is_empty());
            assert_eq!(session.get::<u32>("a").unwrap(), None);
            assert_eq!(session.get_or("a", 7).unwrap(), 7);
            assert!(!session.delete("a"));
            assert_eq!(session.take::<u32>("a").unwrap(), None);
            assert_eq!(session.take_flashes().unwrap(), []);
            assert_eq!((session.handle(), session.user()), (None, None));
            assert_eq!((session.created_at(), session.expires_at()), (None, None));
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(reply.lines(VARY), ["Cookie"]);
    assert_eq!(reply.lines(CACHE_CONTROL), [""; 0]);
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn the_first_write_sets_one_cookie_with_every_attribute() {
    let all = CookieOptions::new("__Secure-shop")
        .path("/app")
        .domain("example.com")
        .same_site(SameSite::Strict)
        .partitioned(true);
    let table = [
        (
            CookieOptions::default(),
            "__Host-sid",
            "; HttpOnly; SameSite=Lax; Secure; Path=/",
        ),
        (
            CookieOptions::insecure("sid"),
            "sid",
            "; HttpOnly; SameSite=Lax; Path=/",
        ),
        (
            all,
            "__Secure-shop",
            "; HttpOnly; SameSite=Strict; Partitioned; Secure; Path=/app; Domain=example.com",
        ),
    ];
    for (options, name, attributes) in table {
        let site = Site::with(|builder| builder.cookie(options));
        let mut browser = site.browser();
        let reply = browser.write("a", 1).await;
        let lines = reply.lines(SET_COOKIE);
        assert_eq!(lines, [format!("{name}={}{attributes}", browser.value())]);
        assert!(lines[0].len() < 200, "{}", lines[0].len());
        assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
        assert_eq!(browser.read("a").await, Some(1));
    }
}

#[tokio::test]
async fn reading_a_live_session_writes_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            assert!(!session.is_new());
            assert_eq!(session.get("a").unwrap(), Some(1));
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(reply.lines(VARY), ["Cookie"]);
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
}

#[tokio::test]
async fn writing_a_live_session_keeps_the_id_and_is_durable() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let handle = browser.handle().await;
    site.store.take_calls();
    browser.write("b", 2).await.is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    assert_eq!(browser.handle().await, handle);
    assert_eq!(
        (tab.read("a").await, tab.read("b").await),
        (Some(1), Some(2))
    );
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.write("a", 1).await.is_ok_without_cookie();
    let reply = browser
        .visit(async |session| {
            session.set("a", 2)?;
            session.delete("a");
            session.set("a", 1)?;
            session.set("b", 1)?;
            session.update("a", |a: &mut u32| *a += 0)?;
            session.delete("b");
            session.delete("c");
            session.extend(serde_json::json!({ "a": 1 }))
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load]
    );
}

#[tokio::test]
async fn what_is_written_and_emptied_in_one_request_leaves_nothing() {
    let site = Site::new();
    let reply = site
        .browser()
        .visit(async |session| {
            session.set("a", 1)?;
            session.update("b", |b: &mut u32| *b += 1)?;
            session.regenerate();
            session.remember(Duration::from_secs(3600));
            session.delete("a");
            session.take::<u32>("b").map(drop)
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn a_session_emptied_key_by_key_stays() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let handle = browser.handle().await;
    let reply = browser
        .visit(async |session| assert!(session.delete("a")))
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(browser.handle().await, handle);
    assert_eq!(
        (browser.read::<u32>("a").await, site.sessions().await),
        (None, 1)
    );
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
async fn a_cookie_of_a_previous_key_is_signed_anew_by_the_next_request_if_the_store_fails() {
    let old = Site::new();
    let browser = old.visitor().await;
    let site = old.relaunched(key(2), |builder| builder.previous_keys([key(1)]));
    let mut browser = browser.at(&site);
    browser
        .visit(async |session| {
            site.store.fault(StoreMethod::Load, Fault::Fail);
            session.get::<u32>("a").map(drop)
        })
        .await
        .is_ok_without_cookie();
    site.store.heal();
    let before = browser.value().to_owned();
    assert_eq!(browser.read("a").await, Some(1));
    assert_ne!(browser.value(), before);
}

#[tokio::test]
async fn a_secure_cookie_that_the_browser_will_drop_is_an_event() {
    const EVENT: &str = "sent to a page of plain HTTP";
    let site = Site::new();
    let plain = site.relaunched(key(1), |builder| {
        builder.cookie(CookieOptions::insecure("sid"))
    });
    let table = [
        (&site, "POST", "http://192.168.0.7:3000", 1),
        (&site, "POST", "http://localhost:3000", 0),
        (&site, "POST", "https://shop.example", 0),
        (&site, "GET", "http://192.168.0.7:3000", 0),
        (&plain, "POST", "http://192.168.0.7:3000", 0),
    ];
    for (site, method, origin, events) in table {
        let log = Log::capture();
        let request = Request::builder().method(method).header("origin", origin);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let service = site
            .layer
            .layer(handle(async |session| session.set("a", 1)));
        site.browser().send(service, request).await.is_ok();
        assert_eq!(
            log.count(EVENT),
            events,
            "{method} from {origin}: {}",
            log.text()
        );
    }
    // Nothing is set, so nothing is dropped.
    let log = Log::capture();
    let request = Request::post("/").header("origin", "http://192.168.0.7");
    let request = request.body(axum::body::Body::empty()).unwrap();
    let service = site
        .layer
        .layer(handle(async |session| session.get::<u8>("a").map(drop)));
    site.browser().send(service, request).await.is_ok();
    assert_eq!(log.count(EVENT), 0);
}
