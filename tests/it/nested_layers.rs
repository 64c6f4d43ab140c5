//! Layers inside of layers.

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use http::{
    StatusCode,
    header::{SET_COOKIE, VARY},
};
use wiz_session::{CookieOptions, Error, WizSession};

use crate::support::{Fault, Site, StoreMethod};

/// Counts the request in, and out again.
async fn count(session: WizSession, request: Request, next: Next) -> Result<Response, Error> {
    session.update("in", |n: &mut u32| *n += 1)?;
    let response = next.run(request).await;
    session.update("out", |n: &mut u32| *n += 1)?;
    Ok(response)
}

#[tokio::test]
async fn nested_layers_of_one_name_share_one_session() {
    let site = Site::new();
    let router = Router::new()
        .route("/", get(async |session: WizSession| session.set("b", 2)))
        .layer(site.layer.clone())
        .layer(from_fn(count))
        .layer(site.layer.clone())
        .layer(from_fn(count))
        .layer(site.layer.clone());
    let mut browser = site.browser();
    let reply = browser.send(router.clone(), Request::default()).await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(reply.lines(VARY), ["Cookie"]);
    assert_eq!(site.store.take_calls(), [StoreMethod::Create]);

    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    assert_eq!(
        (browser.read("in").await, browser.read("out").await),
        (Some(4), Some(4))
    );
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn another_layer_of_the_same_cookie_says_so_at_its_first_use() {
    let (outer, inner) = (Site::new(), Site::with(|builder| builder.max_bytes(10)));
    let router = Router::new()
        .route(
            "/used",
            get(async |session: WizSession| session.set("b", 2)),
        )
        .route("/optional", get(async |_: Option<WizSession>| ()))
        .route("/unused", get(async || "fine"))
        .layer(inner.layer.clone())
        .layer(from_fn(count))
        .layer(outer.layer.clone());
    let mut browser = outer.browser();
    for path in ["/used", "/optional"] {
        let reply = browser.send(
            router.clone(),
            Request::get(path).body(Body::empty()).unwrap(),
        );
        let reply = reply.await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(
            reply
                .body
                .contains("two different session layers use the cookie `__Host-sid`")
        );
    }
    let reply = browser
        .send(router, Request::get("/unused").body(Body::empty()).unwrap())
        .await;
    assert_eq!((reply.status, &*reply.body), (StatusCode::OK, "fine"));
    assert_eq!(inner.store.take_calls(), []);
}

#[tokio::test]
async fn the_outermost_layer_sees_the_final_status() {
    let site = Site::new();
    let rescue = async |request: Request, next: Next| {
        let response = next.run(request).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        StatusCode::OK
    };
    let fail = async |session: WizSession| {
        session.set("a", 2).unwrap();
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let router = Router::new()
        .route("/", get(fail))
        .layer(site.layer.clone())
        .layer(from_fn(rescue))
        .layer(site.layer.clone());
    let mut browser = site.visitor().await;
    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn layers_of_two_names_are_two_sessions() {
    let shop = Site::new();
    let admin = Site::with(|builder| builder.cookie(CookieOptions::new("__Host-admin")));
    let router = Router::new()
        .route(
            "/",
            get(async |session: WizSession| session.set("role", "root")),
        )
        .layer(admin.layer.clone())
        .layer(from_fn(count))
        .layer(shop.layer.clone());
    let mut browser = shop.browser();
    let reply = browser.send(router.clone(), Request::default()).await;
    let names: Vec<_> = reply
        .cookies()
        .iter()
        .map(|cookie| cookie.name().to_owned())
        .collect();
    assert_eq!(names, ["__Host-admin", "__Host-sid"]);
    assert_eq!(reply.lines(VARY), ["Cookie"]);
    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();

    assert_eq!(
        (
            browser.read("in").await,
            browser.read::<String>("role").await
        ),
        (Some(2), None)
    );
    let mut as_admin = browser.at(&admin);
    assert_eq!(as_admin.read("role").await, Some("root".to_owned()));
    assert_eq!(as_admin.read::<u32>("in").await, None);
    as_admin.visit(async |session| session.clear()).await;
    assert_eq!(browser.read("in").await, Some(2), "the other one lives on");
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

#[tokio::test]
async fn all_extractors_of_a_request_are_one_session_loaded_once() {
    let site = Site::new();
    let both = async |one: WizSession, two: WizSession, three: Option<WizSession>| {
        one.set("b", 2)?;
        assert_eq!(two.get("b")?, Some(2));
        assert_eq!(three.unwrap().update("b", |b: &mut u32| *b += 1)?, 3);
        Ok::<_, Error>(())
    };
    let router = Router::new()
        .route("/", get(both))
        .layer(from_fn(count))
        .layer(site.layer.clone());
    let mut browser = site.visitor().await;
    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    assert_eq!(
        (browser.read("b").await, browser.read("out").await),
        (Some(3), Some(1))
    );
}
