//! What is stored before a response leaves, and the headers that it gets.

use std::pin::pin;

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Redirect},
    routing::get,
};
use http::{
    Method, StatusCode,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};
use tower::Layer;
use wiz_session::{Error, WizSession};

use crate::support::{Site, StoreMethod, handle};

#[tokio::test]
async fn a_write_is_stored_before_the_head_of_the_response_leaves() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut other = browser.clone();
    let gate = site.store.pause(StoreMethod::Replace);
    {
        let mut redirect = pin!(browser.visit(async |session| {
            session.set("a", 2)?;
            Ok::<_, Error>(Redirect::to("/done"))
        }));
        tokio::select! {
            biased;
            reply = &mut redirect => panic!("the head left first: {reply:?}"),
            () = gate.reached() => {}
        }
        gate.open();
        assert_eq!(redirect.await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(other.read("a").await, Some(2));
}

#[tokio::test]
async fn heads_and_empty_bodies_are_as_any_other() {
    let site = Site::new();
    let write = async |session: WizSession| {
        session.set("a", 1)?;
        Ok::<_, Error>("a body")
    };
    let router = Router::new()
        .route("/", get(write))
        .layer(site.layer.clone());
    let mut browser = site.browser();
    let head = Request::builder().method(Method::HEAD).body(Body::empty());
    let reply = browser.send(router, head.unwrap()).await;
    assert_eq!((reply.body.as_str(), reply.cookies().len()), ("", 1));
    assert_eq!(browser.read("a").await, Some(1));

    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let mut browser = site.browser();
        let reply = browser
            .visit(async |session| {
                session.set("a", 1)?;
                Ok::<_, Error>(status)
            })
            .await;
        assert_eq!((reply.status, reply.cookies().len()), (status, 1));
        assert_eq!(reply.lines(VARY), ["Cookie"]);
        assert_eq!(browser.read("a").await, Some(1));
        let reply = browser.visit(async |session| (status, drop(session))).await;
        assert_eq!((reply.status, reply.cookies().len()), (status, 0));
    }
}

#[tokio::test]
async fn options_and_switching_protocols_create_nothing() {
    let site = Site::new();
    let router = Router::new()
        .route("/", get(async |session: WizSession| session.set("a", 1)))
        .layer(site.layer.clone());
    let options = Request::builder()
        .method(Method::OPTIONS)
        .body(Body::empty());
    let reply = site.browser().send(router, options.unwrap()).await;
    assert_eq!((reply.cookies(), reply.lines(VARY)), (vec![], vec![]));

    let reply = site
        .browser()
        .visit(async |session| {
            assert!(session.is_new());
            StatusCode::SWITCHING_PROTOCOLS
        })
        .await;
    assert_eq!(reply.status, StatusCode::SWITCHING_PROTOCOLS);
    assert!(reply.cookies().is_empty());
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn headers_of_the_handler_are_kept_and_ours_come_once() {
    let vary = |line: &str| (VARY, line.to_owned());
    let cache = |line: &str| (CACHE_CONTROL, line.to_owned());
    let table: [(_, &[&str], &[&str]); 8] = [
        (
            vary("Accept-Encoding"),
            &["Accept-Encoding", "Cookie"],
            &["no-store"],
        ),
        (vary("accept, COOKIE"), &["accept, COOKIE"], &["no-store"]),
        (vary("*"), &["*"], &["no-store"]),
        (vary("X-Cookie"), &["X-Cookie", "Cookie"], &["no-store"]),
        (cache("no-store"), &["Cookie"], &["no-store"]),
        (
            cache("max-age=5, Private"),
            &["Cookie"],
            &["max-age=5, Private"],
        ),
        (cache("public, max-age=5"), &["Cookie"], &["no-store"]),
        (cache("no-cache"), &["Cookie"], &["no-cache", "no-store"]),
    ];
    for (header, varies, cached) in table {
        let site = Site::new();
        let reply = site
            .browser()
            .visit(async |session| {
                session.set("a", 1).unwrap();
                ([header, (SET_COOKIE, "theme=dark".to_owned())], "body").into_response()
            })
            .await;
        assert_eq!(reply.lines(VARY), varies);
        assert_eq!(reply.lines(CACHE_CONTROL), cached);
        let cookies = reply.cookies();
        assert_eq!(
            cookies
                .iter()
                .map(|cookie| cookie.name())
                .collect::<Vec<_>>(),
            ["theme", "__Host-sid"]
        );
        assert_eq!(reply.body, "body");
    }
}

#[tokio::test]
async fn a_read_leaves_caching_to_the_handler() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .send(
            site.layer
                .layer(handle(async |_| [(CACHE_CONTROL, "public")])),
            Request::default(),
        )
        .await;
    assert_eq!(reply.lines(CACHE_CONTROL), ["public"]);
    assert_eq!(reply.lines(VARY), ["Cookie"]);
}
