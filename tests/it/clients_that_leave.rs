//! Clients that leave before the head of their response, and what a task may still do with their session.

use std::{convert::Infallible, pin::pin};

use axum::{extract::Request, response::Response};
use futures_util::FutureExt;
use tower::{Layer, service_fn};
use wiz_session::WizSession;

use crate::support::{Log, Site};

#[tokio::test]
async fn once_a_client_has_left_before_the_head_no_session_begins() {
    for site in Site::with_and_without_cache() {
        let mut kept = None;
        site.browser().visit_and_leave(async |session| {
            kept = Some(session.clone());
            std::future::pending::<()>().await;
        });
        let kept = kept.expect("it was visited");
        kept.set("b", 2).unwrap();
        assert!(kept.save().await.unwrap_err().is_headers_sent());
        let begun = kept.transaction(|tx| tx.set("b", 2)).await;
        assert!(begun.unwrap_err().is_headers_sent());
        kept.log_in("alice");
        assert!(kept.save().await.unwrap_err().is_headers_sent());
        assert_eq!(site.store.take_calls(), []);
    }
}

/// Nobody could have saved them: no `save()` is missing.
#[tokio::test]
async fn changes_that_are_dropped_with_their_request_are_no_event() {
    let log = Log::capture();
    let site = Site::new();
    site.visitor().await.visit_and_leave(async |session| {
        session.set("a", 2).unwrap();
        std::future::pending::<()>().await;
    });
    assert_eq!(log.count("dropped without save()"), 0);
}

#[tokio::test]
async fn once_a_client_has_left_before_the_head_its_session_does_not_move() {
    for moves in [WizSession::regenerate, |session: &WizSession| {
        session.log_in("alice");
    }] {
        for site in Site::with_and_without_cache() {
            let mut browser = site.visitor().await;
            let mut kept = None;
            browser.clone().visit_and_leave(async |session| {
                moves(&session);
                kept = Some(session.clone());
                std::future::pending::<()>().await;
            });
            let kept = kept.expect("it was visited");
            assert!(kept.save().await.unwrap_err().is_headers_sent());
            assert_eq!(browser.read("a").await, Some(1), "its cookie is still good");
            assert_eq!(site.sessions().await, 1);
        }
    }
}

#[tokio::test]
async fn once_a_client_has_left_before_the_head_its_session_can_still_be_changed_and_ended() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let mut kept = None;
        browser.clone().visit_and_leave(async |session| {
            kept = Some(session.clone());
            std::future::pending::<()>().await;
        });
        let kept = kept.expect("it was visited");
        kept.set("b", 2).unwrap();
        kept.save().await.unwrap();
        let a = kept.transaction(|tx| tx.update("a", |a: &mut u32| *a += 1));
        assert_eq!(a.await.unwrap(), 2);
        assert_eq!(
            (browser.read("a").await, browser.read("b").await),
            (Some(2), Some(2))
        );
        kept.clear();
        kept.save().await.unwrap();
        assert_eq!(site.sessions().await, 0);
    }
}

/// It asks for the session for the first time when nobody waits for the response any more.
#[tokio::test]
async fn a_session_first_asked_for_when_the_client_has_left_begins_nothing() {
    for site in Site::with_and_without_cache() {
        let mut extensions = None;
        let service = service_fn(|request: Request| {
            extensions = Some(request.extensions().clone());
            std::future::pending::<Result<Response, Infallible>>()
        });
        {
            let mut browser = site.browser();
            let request = pin!(browser.send(site.layer.layer(service), Request::default()));
            assert!(request.now_or_never().is_none());
        }
        let session = WizSession::from_extensions(&extensions.expect("it was asked"));
        let session = session.await.unwrap();
        session.set("b", 2).unwrap();
        assert!(session.save().await.unwrap_err().is_headers_sent());
        assert_eq!(site.store.take_calls(), []);
    }
}
