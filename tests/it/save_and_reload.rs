//! `save` and `reload`.

use std::time::Duration;

use axum::body::Body;
use futures_util::{future::join_all, stream};
use wiz_session::Error;

use crate::support::{Fault, Site, StoreMethod};

#[tokio::test]
async fn save_stores_now_and_the_response_still_carries_the_cookie() {
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser
        .visit(async |session| {
            session.set("a", 1)?;
            session.save().await?;
            assert!(!session.is_new());
            assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
            session.save().await?;
            assert_eq!(
                site.store.take_calls(),
                [StoreMethod::Load],
                "nothing is left to store"
            );
            session.set("b", 2)
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(site.store.take_calls(), [StoreMethod::Replace]);
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(1), Some(2))
    );
}

#[tokio::test]
async fn after_save_reads_see_what_is_committed() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("a", 5).await;
            session.set("b", 2)?;
            assert_eq!(session.get("a")?, Some(1), "what this request has loaded");
            session.save().await?;
            assert_eq!((session.get("a")?, session.get("b")?), (Some(5), Some(2)));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
}

#[tokio::test]
async fn reload_keeps_what_is_pending_on_top() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 10)?;
            session.set("b", 2)?;
            tab.write("a", 5).await;
            tab.write("c", 3).await;
            session.reload().await?;
            let seen = (session.get("a")?, session.get("b")?, session.get("c")?);
            assert_eq!(seen, (Some(15), Some(2), Some(3)));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        (tab.read("a").await, tab.read("b").await),
        (Some(15), Some(2))
    );
}

#[tokio::test]
async fn reload_without_a_session_asks_nothing() {
    let site = Site::new();
    let reply = site
        .browser()
        .visit(async |session| session.reload().await)
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn reload_keeps_the_session_alive() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            for _ in 0..5 {
                site.pass(20);
                session.reload().await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(tab.read("a").await, Some(1));
}

#[tokio::test]
async fn saves_of_clones_at_once_store_each_change_once() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            join_all((0..10).map(|_| {
                let session = session.clone();
                async move {
                    session.update("n", |n: &mut u32| *n += 1).unwrap();
                    session.save().await.unwrap();
                }
            }))
            .await;
            session.update("n", |n: &mut u32| *n += 1).map(drop)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("n").await, Some(11));
}

#[tokio::test]
async fn clear_after_save_ends_what_was_saved() {
    let site = Site::new();
    let clear_saved = async |session: wiz_session::WizSession| {
        session.set("b", 2)?;
        session.regenerate();
        session.save().await?;
        session.clear();
        Ok::<_, Error>(())
    };
    let reply = site.browser().visit(clear_saved).await;
    reply.is_ok_without_cookie();
    let mut browser = site.visitor().await;
    let reply = browser.visit(clear_saved).await;
    assert!(
        reply.cookie().value().is_empty(),
        "the client's old cookie has to go"
    );
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_session_saved_under_several_new_ids_sets_the_last() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            let mut handles = vec![session.handle()];
            for user in ["alice", "alice", "bob"] {
                session.log_in(user);
                session.save().await?;
                handles.push(session.handle());
            }
            handles.dedup();
            assert_eq!(handles.len(), 4);
            session.set("b", 2)
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(
        (browser.read::<u32>("a").await, browser.read("b").await),
        (None, Some(2))
    );
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_reload_that_fails_loses_no_change_in_silence() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let reply = browser
        .visit(async |session| {
            session.set("paid", true).unwrap();
            session.update("a", |a: &mut u32| *a += 1).unwrap();
            tab.write("a", "text").await;
            assert!(session.reload().await.unwrap_err().is_decode());
        })
        .await;
    assert!(reply.status.is_server_error() || tab.read("paid").await == Some(true));
}

#[tokio::test]
async fn a_saved_regeneration_survives_a_commit_that_fails() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.regenerate();
            session.save().await.unwrap();
            session.set("b", 2).unwrap();
            site.store.fault(StoreMethod::Replace, Fault::Fail);
        })
        .await;
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_save_that_nobody_polls_holds_no_response_for_ever() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let gate = site.store.pause(StoreMethod::Replace);
    let visit = browser.visit(async |session| {
        session.set("b", 2).unwrap();
        let mut save = Box::pin(async move { session.save().await });
        tokio::select! { _ = &mut save => panic!("it did not wait"), () = gate.reached() => {} }
        gate.open();
        Body::from_stream(stream::once(async move { save.await.map(|()| "") }))
    });
    tokio::time::timeout(Duration::from_secs(600), visit)
        .await
        .expect("the response comes");
}
