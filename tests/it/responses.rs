//! E. Responses.

use std::pin::pin;

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Redirect},
    routing::get,
};
use futures_util::{FutureExt, stream};
use http::{
    Method, StatusCode,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{Error, WizSession};

use crate::support::{Log, Site, StoreMethod, handle};

#[tokio::test]
async fn e31_a_write_is_stored_before_the_head_of_the_response_leaves() {
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
async fn e32_a_5xx_drops_the_changes() {
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
async fn e32_other_statuses_keep_the_changes() {
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
async fn e32_a_clear_holds_in_a_5xx_and_the_writes_around_it_do_not() {
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
async fn e32_an_error_of_the_inner_service_is_as_a_5xx() {
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
async fn e32_a_panic_stores_nothing() {
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
async fn e32_what_was_saved_before_a_5xx_stays_with_its_cookie() {
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
async fn e32_a_clear_that_was_saved_removes_the_cookie_in_a_5xx_too() {
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

/// A body that runs this once it is asked for its first bytes: after the head of the response has left.
fn streaming(work: impl Future<Output = ()> + Send + 'static) -> Body {
    Body::from_stream(stream::once(work.map(|()| Ok::<_, Error>("streamed"))))
}

#[tokio::test]
async fn e33_writes_before_the_head_are_stored_and_later_ones_need_save() {
    let log = Log::capture();
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser
        .visit(async |session| {
            session.set("before", 1).unwrap();
            streaming(async move {
                session.set("saved", 2).unwrap();
                session.save().await.unwrap();
                session.set("unsaved", 3).unwrap();
            })
        })
        .await;
    assert_eq!(reply.body, "streamed");
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(browser.read("before").await, Some(1));
    assert_eq!(browser.read("saved").await, Some(2));
    assert_eq!(browser.read::<u32>("unsaved").await, None);
    assert_eq!(log.count("dropped without save()"), 1);
}

#[tokio::test]
async fn e33_what_is_saved_or_only_read_is_no_event() {
    let log = Log::capture();
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            streaming(async move {
                session.set("b", 2).unwrap();
                session.save().await.unwrap();
                session.reload().await.unwrap();
                assert_eq!(session.get("b").unwrap(), Some(2));
            })
        })
        .await;
    assert_eq!(log.count("dropped without save()"), 0);
}

#[tokio::test]
async fn e33_after_the_head_no_session_begins_and_none_gets_a_new_id() {
    let site = Site::new();
    let reply = site
        .browser()
        .visit(async |session| {
            streaming(async move {
                session.set("a", 1).unwrap();
                assert!(session.save().await.unwrap_err().is_gone());
                let begin = session.transaction(|tx| tx.set("a", 1)).await;
                assert!(begin.unwrap_err().is_gone());
            })
        })
        .await;
    assert_eq!((reply.body.as_str(), reply.cookies()), ("streamed", vec![]));
    assert_eq!(site.store.take_calls(), []);

    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            streaming(async move {
                session.regenerate();
                assert!(session.save().await.unwrap_err().is_gone());
            })
        })
        .await;
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn e33_a_clear_after_the_head_ends_the_session() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            streaming(async move {
                session.clear();
                session.save().await.unwrap();
            })
        })
        .await;
    assert!(reply.cookies().is_empty(), "the head had left");
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn e34_heads_and_empty_bodies_are_as_any_other() {
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
async fn e35_options_and_switching_protocols_create_nothing() {
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
async fn e36_headers_of_the_handler_are_kept_and_ours_come_once() {
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
async fn e36_a_read_leaves_caching_to_the_handler() {
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
