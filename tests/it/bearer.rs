//! Bearer tokens beside the cookie: `bearer(true)` and `token()`.

use axum::extract::Request;
use http::{
    StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, SET_COOKIE, VARY},
};
use tower::Layer;
use wiz_session::{CookieOptions, Error, WizSession};

use crate::support::{Browser, Reply, Site, StoreMethod, handle, key};

fn site() -> Site {
    Site::with(|builder| builder.bearer(true))
}

/// A client that sends this value as its token, and keeps nothing.
async fn visit<R: axum::response::IntoResponse>(
    site: &Site,
    authorization: &str,
    handler: impl AsyncFnOnce(WizSession) -> R,
) -> Reply {
    visit_as(&mut site.browser(), authorization, handler).await
}

/// This browser sends a token as well.
async fn visit_as<R: axum::response::IntoResponse>(
    browser: &mut Browser,
    authorization: &str,
    handler: impl AsyncFnOnce(WizSession) -> R,
) -> Reply {
    let mut request = Request::default();
    let value = authorization.parse().expect("a header value");
    request.headers_mut().insert(AUTHORIZATION, value);
    let service = browser.layer().layer(handle(handler));
    browser.send(service, request).await
}

async fn log_in(session: WizSession) -> Result<String, Error> {
    session.log_in("alice");
    Ok(session.token().await?.expect("a session"))
}

async fn user(session: WizSession) -> String {
    session.user().unwrap_or_default()
}

#[tokio::test]
async fn a_login_gives_a_token_instead_of_a_cookie() {
    let site = site();
    let reply = site.browser().visit(log_in).await;
    reply.is_ok_without_cookie();
    assert_eq!(reply.lines(CACHE_CONTROL), ["no-store"]);
    assert_eq!(reply.lines(VARY), ["Cookie", "Authorization"]);
    assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
    let bearer = format!("Bearer {}", reply.body);
    assert!(reply.body.len() < 80, "{bearer}");

    let reply = visit(&site, &bearer, user).await;
    assert_eq!(reply.body, "alice");
    reply.is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
    let scheme = bearer.replace("Bearer", "bearer");
    assert_eq!(visit(&site, &scheme, user).await.body, "alice");

    visit(&site, &bearer, async |session| session.set("a", 1))
        .await
        .is_ok_without_cookie();
    visit(&site, &bearer, async |session| session.clear())
        .await
        .is_ok_without_cookie();
    assert_eq!(visit(&site, &bearer, user).await.body, "");
}

#[tokio::test]
async fn a_new_id_ends_the_token_and_another_is_asked_for() {
    let site = site();
    let first = format!("Bearer {}", site.browser().visit(log_in).await.body);
    let reply = visit(&site, &first, async |session| {
        session.regenerate();
        session.token().await.map(Option::unwrap_or_default)
    })
    .await;
    reply.is_ok_without_cookie();
    assert_eq!(visit(&site, &first, user).await.body, "");
    let second = format!("Bearer {}", reply.body);
    assert_eq!(visit(&site, &second, user).await.body, "alice");
}

#[tokio::test]
async fn a_token_counts_and_cookies_beside_it_do_not() {
    let site = site();
    let alice = site.browser().visit(log_in).await.body;
    let mut bob = site.logged_in("bob").await;
    let with_both = visit_as(&mut bob, &format!("Bearer {alice}"), user).await;
    assert_eq!(with_both.body, "alice");
    let forged = format!("Bearer {}{}", &alice[1..], &alice[..1]);
    let reply = visit_as(&mut bob, &forged, async |session| {
        assert_eq!(session.user(), None);
        session.log_in("carol");
    })
    .await;
    reply.is_ok_without_cookie();
    // One of another kind is for another layer.
    for other in [
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "Basic YTpi",
        "Bearer",
    ] {
        assert_eq!(visit_as(&mut bob, other, user).await.body, "bob", "{other}");
    }
}

#[tokio::test]
async fn a_forged_token_costs_no_store_call() {
    let site = site();
    let reply = visit(&site, &format!("Bearer {}", "A".repeat(75)), user).await;
    assert_eq!((reply.status, &*reply.body), (StatusCode::OK, ""));
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn a_visitor_has_no_token() {
    let site = site();
    let none = async |session: WizSession| {
        assert_eq!(session.token().await?, None);
        session.set("a", 1)
    };
    let reply = site.browser().visit(none).await;
    assert_eq!(
        reply.lines(SET_COOKIE).len(),
        1,
        "it is not given, so there is a cookie"
    );
}

#[tokio::test]
async fn without_the_setting_a_token_is_neither_taken_nor_given() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let bearer = format!("Bearer {}", browser.value());
    let reply = visit(&site, &bearer, user).await;
    assert_eq!(reply.body, "");
    assert_eq!(reply.lines(VARY), ["Cookie"]);
    let reply = browser.visit(log_in).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.body.contains("`.bearer(true)`"), "{}", reply.body);
}

#[tokio::test]
async fn a_token_lives_through_a_change_of_key_and_of_the_cookies_name() {
    let site = site();
    let bearer = format!("Bearer {}", site.browser().visit(log_in).await.body);
    let after = site.relaunched(key(2), |builder| {
        builder
            .bearer(true)
            .cookie(CookieOptions::new("__Host-other"))
            .previous_cookies([CookieOptions::default()])
            .previous_keys([key(1)])
    });
    let reply = visit(&after, &bearer, user).await;
    assert_eq!(reply.body, "alice");
    reply.is_ok_without_cookie();
    assert_eq!(
        after.store.take_calls().len(),
        2,
        "the login's, and one load: nothing is sent anew"
    );
    let renewed = async |session: WizSession| session.token().await.map(Option::unwrap_or_default);
    let renewed = visit(&after, &bearer, renewed).await.body;
    assert_ne!(format!("Bearer {renewed}"), bearer);
    assert_eq!(
        visit(&after, &format!("Bearer {renewed}"), user).await.body,
        "alice"
    );
}

#[tokio::test]
async fn a_remembered_token_slides_without_a_cookie() {
    let site = site();
    let log_in = async |session: WizSession| {
        session.log_in("alice");
        session.remember(std::time::Duration::from_secs(86_400));
        session.token().await.map(Option::unwrap_or_default)
    };
    let bearer = format!("Bearer {}", site.browser().visit(log_in).await.body);
    for _ in 0..5 {
        site.pass(20 * 60);
        let reply = visit(&site, &bearer, user).await;
        assert_eq!(reply.body, "alice");
        reply.is_ok_without_cookie();
    }
}

#[tokio::test]
async fn the_cookie_as_a_token_is_the_same_session() {
    let site = site();
    let mut browser = site.logged_in("alice").await;
    let bearer = format!("Bearer {}", browser.value());
    assert_eq!(visit(&site, &bearer, user).await.body, "alice");
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
}
