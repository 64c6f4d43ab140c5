//! A binding from the login to its end.

use std::time::Duration;

use http::{
    HeaderValue, StatusCode,
    header::{self, COOKIE},
};
use serde_json::json;
use tower::ServiceExt;
use wiz_session::{DeviceBinding, WizSessionLayerBuilder, test_util::cookie_header};

use super::{REFRESH, Shop, blank, json_of, request, signer::Signer};
use crate::support::{Site, StoreMethod, key};

#[tokio::test]
async fn a_login_is_bound_by_one_load_and_one_replace_and_refreshed_by_one_load() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut browser = shop.browser();
    let response = shop.post(&mut browser, "/login/alice").await;
    let offer = &response.headers()["secure-session-registration"];
    let offer = offer.to_str().unwrap();
    let start = "(ES256 RS256);path=\"/.well-known/wiz-session/device/register\";challenge=\"";
    assert!(offer.starts_with(start), "{offer}");
    assert_eq!(
        shop.site.store.take_calls(),
        [StoreMethod::Create, StoreMethod::Load, StoreMethod::Replace]
    );
    let seen = shop.see(&mut browser).await;
    assert_eq!(
        (&seen["user"], &seen["bound"]),
        (&json!("alice"), &json!(true))
    );
    let info = &shop.site.layer.sessions().list("alice").await.unwrap()[0];
    assert!(info.is_device_bound());

    shop.site.store.take_calls();
    shop.see(&mut browser).await;
    assert_eq!(shop.site.store.take_calls(), [StoreMethod::Load]);
    shop.refresh(&mut browser).await;
    assert_eq!(shop.site.store.take_calls(), [StoreMethod::Load]);
    browser.send(&shop.app, blank("/healthz")).await;
    assert_eq!(shop.site.store.take_calls(), []);
}

#[tokio::test]
async fn a_visitor_and_a_layer_that_does_not_ask_for_it_get_no_offer() {
    let offers = |response: http::Response<axum::body::Body>| {
        response
            .headers()
            .contains_key("secure-session-registration")
    };
    let shop = Shop::new(DeviceBinding::require());
    let mut browser = shop.browser();
    assert!(!offers(shop.post(&mut browser, "/set/a").await));
    let plain = Shop::on(Site::new());
    let mut browser = plain.browser();
    assert!(!offers(plain.post(&mut browser, "/login/alice").await));
    let response = plain.ask(request(REFRESH)).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn it_goes_on_for_hours_by_a_refresh_every_ten_minutes() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut browser = shop.alice().await;
    for minutes in [1, 9, 11, 19, 21, 29, 25] {
        shop.site.pass(minutes);
        let seen = shop.see(&mut browser).await;
        assert_eq!(
            (&seen["user"], &seen["unbound"]),
            (&json!("alice"), &json!(false))
        );
    }
    assert!(browser.is_bound());
}

#[tokio::test]
async fn a_page_that_writes_while_the_registration_is_stored_loses_nothing_and_nor_does_that() {
    for is_page_first in [true, false] {
        let shop = Shop::new(DeviceBinding::require());
        let (login, signer) = (shop.login().await, Signer::new());
        let mut page = request("/set/page");
        page.headers_mut().insert(COOKIE, login.cookies.clone());
        let registration = login.registration(&signer);
        let (first, second) = match is_page_first {
            true => (page, registration),
            false => (registration, page),
        };
        // Both have loaded the session when the one that came second stores it.
        let gate = shop.site.store.pause(StoreMethod::Replace);
        let held = tokio::spawn(shop.app.clone().oneshot(first));
        gate.reached().await;
        shop.site.store.heal();
        let Ok(other) = shop.app.clone().oneshot(second).await;
        assert_eq!(other.status(), StatusCode::OK);
        gate.open();
        let Ok(held) = held.await.unwrap();
        assert_eq!(held.status(), StatusCode::OK);

        let seen = shop.see_with(&login.cookies).await;
        assert_eq!(
            (&seen["bound"], &seen["data"]["page"]),
            (&json!(true), &json!(true))
        );
    }
}

#[tokio::test]
async fn of_two_registrations_at_once_one_counts() {
    let shop = Shop::new(DeviceBinding::offer());
    let login = shop.login().await;
    let signers = [Signer::new(), Signer::new()];
    let gate = shop.site.store.pause(StoreMethod::Replace);
    let slow = tokio::spawn(shop.app.clone().oneshot(login.registration(&signers[0])));
    gate.reached().await;
    shop.site.store.heal();
    let fast = shop.ask(login.registration(&signers[1])).await;
    assert_eq!(fast.status(), StatusCode::OK);
    gate.open();
    let Ok(slow) = slow.await.unwrap();
    assert_eq!(slow.status(), StatusCode::FORBIDDEN);
    assert!(!slow.headers().contains_key("set-cookie"));
    let [_, signer] = signers;
    let bound = login.bound(signer, fast).await;
    assert_eq!(shop.ask(bound.refresh()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_new_id_and_a_login_of_the_same_user_keep_the_binding() {
    let shop = Shop::new(DeviceBinding::require());
    let mut browser = shop.alice().await;
    for path in ["/regenerate", "/login/alice", "/regenerate"] {
        let response = shop.post(&mut browser, path).await;
        assert!(
            !response
                .headers()
                .contains_key("secure-session-registration"),
            "{path}"
        );
        shop.site.pass(11);
        let seen = shop.see(&mut browser).await;
        assert_eq!(
            (&seen["user"], &seen["bound"]),
            (&json!("alice"), &json!(true)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn another_user_starts_unbound_and_is_bound_anew() {
    let shop = Shop::new(DeviceBinding::require());
    let mut browser = shop.alice().await;
    browser.send_alone(&shop.app, request("/login/bob")).await;
    let seen = shop.see(&mut browser).await;
    assert_eq!(
        (&seen["user"], &seen["bound"]),
        (&json!("bob"), &json!(false))
    );

    let response = shop.post(&mut browser, "/login/bob").await;
    assert!(
        response
            .headers()
            .contains_key("secure-session-registration")
    );
    // That of Alice ends with the next refresh, and does not take Bob's cookie along.
    for _ in 0..3 {
        shop.site.pass(11);
        let seen = shop.see(&mut browser).await;
        assert_eq!(
            (&seen["user"], &seen["bound"]),
            (&json!("bob"), &json!(true))
        );
    }
}

#[tokio::test]
async fn a_logout_removes_both_cookies_and_ends_the_binding() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut browser = shop.alice().await;
    let response = shop.post(&mut browser, "/logout").await;
    let lines = response.headers().get_all(header::SET_COOKIE);
    let lines: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (name, line) in ["__Host-sid-bound=;", "__Host-sid=;"]
        .into_iter()
        .zip(lines)
    {
        assert!(
            line.starts_with(name) && line.ends_with("; Max-Age=0"),
            "{line}"
        );
    }
    assert_eq!(browser.cookies(), None);
    shop.refresh(&mut browser).await;
    assert!(!browser.is_bound());
}

#[tokio::test]
async fn a_revoked_session_is_over_and_so_is_its_binding() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut browser = shop.alice().await;
    shop.site
        .layer
        .sessions()
        .revoke_user("alice")
        .await
        .unwrap();
    shop.site.pass(11);
    assert_eq!(shop.user(&mut browser).await, json!(null));
    assert!(!browser.is_bound());
}

#[tokio::test]
async fn a_refresh_with_the_old_id_is_challenged_while_the_tombstone_lives() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut bound = shop.bound().await;
    let mut regenerate = request("/regenerate");
    regenerate
        .headers_mut()
        .insert(COOKIE, bound.cookies.clone());
    let moved = shop.ask(regenerate).await;

    let response = shop.ask(bound.refresh()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    bound.heed(&response);
    bound.cookies = cookie_header(&moved).unwrap();
    assert_eq!(shop.ask(bound.refresh()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_signature_may_be_sent_again_and_a_stale_challenge_is_answered_by_another() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut bound = shop.bound().await;
    for _ in 0..3 {
        assert_eq!(shop.ask(bound.refresh()).await.status(), StatusCode::OK);
        shop.site.pass(6);
    }
    shop.pass_seconds(2 * 60);
    shop.site.store.take_calls();
    let response = shop.ask(bound.refresh()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(shop.site.store.take_calls(), []);
    bound.heed(&response);
    assert_eq!(shop.ask(bound.refresh()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_without_the_sessions_cookie_finds_it_by_the_challenge() {
    let shop = Shop::new(DeviceBinding::offer());
    let bound = shop.bound().await;
    let mut refresh = bound.refresh();
    refresh.headers_mut().remove(COOKIE);
    let response = shop.ask(refresh).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        json_of(response).await["session_identifier"],
        json!(bound.id)
    );
}

#[tokio::test]
async fn a_refresh_without_the_sessions_cookie_finds_it_after_it_has_moved() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut bound = shop.bound().await;
    for path in ["/regenerate", "/login/alice"] {
        let mut moves = request(path);
        moves.headers_mut().insert(COOKIE, bound.cookies.clone());
        let moved = shop.ask(moves).await;
        bound.heed(&moved);
        let session = cookie_header(&moved).unwrap();
        let own = super::only(&bound.cookies, "__Host-sid-bound");
        let both = [session.as_bytes(), b"; ", own.as_bytes()].concat();
        bound.cookies = HeaderValue::from_bytes(&both).unwrap();
        shop.pass_seconds(60);
        let mut refresh = bound.refresh();
        refresh.headers_mut().remove(COOKIE);
        let response = shop.ask(refresh).await;
        assert!(response.headers().contains_key("set-cookie"), "{path}");
    }
}

#[tokio::test]
async fn a_store_that_takes_its_time_does_not_shorten_the_bound_cookies_life() {
    let shop = Shop::new(DeviceBinding::offer());
    let (login, bound) = (shop.login().await, shop.bound().await);
    for (method, asked) in [
        (StoreMethod::Replace, login.registration(&Signer::new())),
        (StoreMethod::Load, bound.refresh()),
    ] {
        let session = super::only(&asked.headers()[COOKIE], "__Host-sid");
        let gate = shop.site.store.pause(method);
        let answer = tokio::spawn(shop.app.clone().oneshot(asked));
        gate.reached().await;
        shop.pass_seconds(8);
        shop.site.store.heal();
        gate.open();
        let Ok(answer) = answer.await.unwrap();
        let own = cookie_header(&answer).unwrap();
        // As long as the browser keeps it.
        shop.pass_seconds(594);
        let both = [session.as_bytes(), b"; ", own.as_bytes()].concat();
        let seen = shop
            .see_with(&HeaderValue::from_bytes(&both).unwrap())
            .await;
        assert_eq!(seen["user"], json!("alice"), "{method:?}");
    }
}

#[tokio::test]
async fn a_key_of_before_still_verifies_and_a_forgotten_one_costs_a_signature() {
    let shop = Shop::new(DeviceBinding::offer());
    let bound = shop.bound().await;
    let settings = |builder: WizSessionLayerBuilder| builder.device_bound(DeviceBinding::offer());
    let rotated = Shop::on(
        shop.site
            .relaunched(key(2), |builder| settings(builder).previous_keys([key(1)])),
    );
    rotated.pass_seconds(60);
    assert_eq!(
        rotated.see_with(&bound.cookies).await["user"],
        json!("alice")
    );
    assert_eq!(rotated.ask(bound.refresh()).await.status(), StatusCode::OK);
    let forgotten = Shop::on(shop.site.relaunched(key(3), settings));
    assert_eq!(
        forgotten.see_with(&bound.cookies).await["user"],
        json!(null)
    );
    let response = forgotten.ask(bound.refresh()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.headers().contains_key("secure-session-challenge"));
}

#[tokio::test]
async fn what_another_process_has_kept_turns_nobody_away() {
    let shop = Shop::new(DeviceBinding::require());
    let login = shop.login().await;
    let other = Shop::on(shop.site.relaunched(key(1), |builder| {
        let binding = DeviceBinding::require();
        builder
            .device_bound(binding)
            .cache_for(Duration::from_secs(60))
    }));
    assert_eq!(other.see_with(&login.cookies).await["bound"], json!(false));
    let signer = Signer::new();
    let response = shop.ask(login.registration(&signer)).await;
    let bound = login.bound(signer, response).await;
    shop.pass_seconds(45);
    let seen = other.see_with(&bound.cookies).await;
    assert_eq!(
        (&seen["user"], &seen["bound"]),
        (&json!("alice"), &json!(true))
    );
}

#[tokio::test]
async fn a_store_that_fails_costs_no_binding() {
    let shop = Shop::new(DeviceBinding::offer());
    let mut browser = shop.alice().await;
    shop.site.store.fail_all();
    shop.refresh(&mut browser).await;
    assert!(browser.is_bound());
    shop.site.store.heal();
    let (login, signer) = (shop.login().await, Signer::new());
    shop.site.store.fail_all();
    let response = shop.ask(login.registration(&signer)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}
