//! What is done with a session once the head of the response has left.

use axum::{body::Body, extract::Request, response::Response};
use futures_util::{FutureExt, stream};
use wiz_session::{Error, WizSession};

use crate::support::{Log, Site};

#[tokio::test]
async fn a_session_first_asked_for_after_the_head_begins_nothing() {
    let site = Site::new();
    let service = tower::service_fn(async |request: Request| {
        let extensions = request.extensions().clone();
        let late = async move {
            let session = WizSession::from_extensions(&extensions).await?;
            session.set("a", 1)?;
            assert!(session.save().await.unwrap_err().is_gone());
            Ok::<_, Error>("")
        };
        Ok(Response::new(Body::from_stream(stream::once(late))))
    });
    let service = tower::Layer::layer(&site.layer, service);
    site.browser()
        .send(service, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

/// A body that runs this once it is asked for its first bytes: after the head of the response has left.
fn streaming(work: impl Future<Output = ()> + Send + 'static) -> Body {
    Body::from_stream(stream::once(work.map(|()| Ok::<_, Error>("streamed"))))
}

#[tokio::test]
async fn writes_before_the_head_are_stored_and_later_ones_need_save() {
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
async fn what_is_saved_or_only_read_is_no_event() {
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
async fn after_the_head_no_session_begins_and_none_gets_a_new_id() {
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
async fn a_clear_after_the_head_ends_the_session() {
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
