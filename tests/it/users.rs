//! Logging in and out.

use std::time::Duration;

use http::StatusCode;
use wiz_session::Error;

use crate::support::{Site, StoreMethod};

#[tokio::test]
async fn a_login_takes_the_visitors_data_to_a_new_id() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut old = browser.clone();
    let (former, mut times) = (browser.handle().await, None);
    site.pass(1);
    let reply = browser
        .visit(async |session| {
            assert_eq!((session.user(), session.authenticated_at()), (None, None));
            session.log_in("alice");
            assert_eq!(session.user().as_deref(), Some("alice"));
            times = Some((session.created_at(), session.authenticated_at()));
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    let (created_at, authenticated_at) = times.unwrap();
    assert_eq!(
        authenticated_at,
        created_at.map(|at| at + Duration::from_secs(60))
    );
    browser
        .visit(async |session| {
            assert_ne!(session.handle(), former);
            assert_eq!(session.user().as_deref(), Some("alice"));
            assert_eq!(
                (session.created_at(), session.authenticated_at()),
                times.unwrap()
            );
            assert_eq!(session.get("a").unwrap(), Some(1));
        })
        .await
        .is_ok_without_cookie();
    assert_eq!((old.handle().await, old.user().await), (None, None));
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_login_alone_is_enough_to_begin_a_session() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.visit(async |session| session.log_in("alice")).await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn the_same_user_again_keeps_the_data_under_a_new_id() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    browser.write("a", 1).await;
    let (mut old, former) = (browser.clone(), browser.handle().await);
    let reply = browser.visit(async |session| session.log_in("alice")).await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_ne!(browser.handle().await, former);
    assert_eq!(
        (browser.read("a").await, old.read::<u32>("a").await),
        (Some(1), None)
    );
}

#[tokio::test]
async fn another_user_starts_empty() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    browser.write("a", 1).await;
    site.pass(1);
    browser
        .visit(async |session| {
            session.set("before", 1)?;
            session.flash(wiz_session::FlashLevel::Info, "for alice")?;
            session.log_in("bob");
            assert!(session.is_empty());
            session.set("after", 1)
        })
        .await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("bob"));
            assert_eq!(session.keys(), ["after"]);
            assert_eq!(
                session.created_at(),
                session.authenticated_at(),
                "it is a new one"
            );
        })
        .await;
    let sessions = site.layer.sessions();
    assert_eq!(sessions.list("alice").await.unwrap().len(), 0);
    assert_eq!(sessions.list("bob").await.unwrap().len(), 1);
}

#[tokio::test]
async fn another_user_starts_empty_also_where_the_first_has_just_written() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("a", 1).await;
            session.log_in("bob");
        })
        .await;
    browser
        .visit(async |session| assert!(session.is_empty()))
        .await;
    assert_eq!(browser.user().await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn another_user_stays_empty_through_explicit_io() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    browser.write("a", 1).await;
    let empty = async |session: wiz_session::WizSession| {
        session.log_in("bob");
        session.reload().await?;
        assert!(session.is_empty());
        let keys = session.transaction(|tx| Ok::<_, Error>(tx.len())).await?;
        assert_eq!((keys, session.len()), (0, 0));
        Ok::<_, Error>(())
    };
    browser.visit(empty).await;
    assert_eq!(browser.user().await.as_deref(), Some("bob"));
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn the_last_of_two_logins_counts_and_takes_nothing_of_the_first() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.log_in("alice");
            session.set("for alice", 1)?;
            session.log_in("bob");
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(browser.user().await.as_deref(), Some("bob"));
    assert_eq!(browser.read::<u32>("for alice").await, None);
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn logging_out_is_clear() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let reply = browser
        .visit(async |session| {
            assert!(session.log_out(), "there was one to end");
            assert_eq!((session.user(), session.authenticated_at()), (None, None));
            assert!(session.is_new());
        })
        .await;
    assert!(reply.cookie().value().is_empty());
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Delete]
    );
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn log_out_answers_whether_there_was_a_session_to_end() {
    let site = Site::new();
    let mut ended = None;
    let mut visitor = site.browser();
    visitor
        .visit(async |session| {
            session.set("a", 1).unwrap();
            ended = Some(session.log_out());
        })
        .await;
    assert_eq!(ended, Some(false), "nothing was stored");

    let mut browser = site.logged_in("alice").await;
    let mut replayed = browser.clone();
    let mut moved = site.logged_in("alice").await;
    let mut late = moved.clone();
    moved.visit(async |session| session.regenerate()).await;
    for (browser, was_there) in [
        (&mut browser, true),
        (&mut replayed, false),
        (&mut late, false),
        (&mut moved, true),
    ] {
        browser
            .visit(async |session| ended = Some(session.log_out()))
            .await;
        assert_eq!(ended, Some(was_there));
    }
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_user_is_read_as_the_type_of_the_applications_ids() {
    let site = Site::new();
    let mut browser = site.logged_in(-7).await;
    let mut nobody = site.visitor().await;
    browser
        .visit(async |session| {
            assert_eq!(session.user_as::<i64>()?, Some(-7));
            assert_eq!(session.user_as::<String>()?.as_deref(), Some("-7"));
            let error = session.user_as::<u64>().unwrap_err();
            assert!(error.is_decode(), "{error}");
            let text = error.to_string();
            assert!(text.contains("`u64`") && !text.contains("-7"), "{text}");
            session.log_in(u64::MAX);
            assert_eq!(session.user_as::<u64>()?, Some(u64::MAX));
            Ok::<_, Error>(())
        })
        .await;
    nobody
        .visit(async |session| assert_eq!(session.user_as::<i64>().unwrap(), None))
        .await;
}

#[tokio::test]
async fn a_user_whose_name_is_too_long_is_413_and_nothing_is_stored() {
    let site = Site::new();
    let log_in = async |session: wiz_session::WizSession| session.log_in("x".repeat(70_000));
    let mut visitor = site.browser();
    let reply = visitor.visit(log_in).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(reply.cookies().is_empty());
    assert_eq!(
        (site.sessions().await, site.store.take_calls()),
        (0, vec![])
    );

    let mut browser = site.logged_in("alice").await;
    browser.write("a", 1).await;
    for save in [false, true] {
        let reply = browser
            .visit(async |session| {
                log_in(session.clone()).await;
                match save {
                    true => session.save().await,
                    false => Ok(()),
                }
            })
            .await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(reply.cookies().is_empty());
        assert_eq!(browser.user().await.as_deref(), Some("alice"));
        assert_eq!(browser.read("a").await, Some(1));
    }
}

#[tokio::test]
async fn a_login_after_clear_takes_nothing_along() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    browser.write("a", 1).await;
    let reply = browser
        .visit(async |session| {
            session.log_out();
            session.log_in("alice");
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(browser.read::<u32>("a").await, None);
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn regenerate_keeps_the_user_and_the_login_time() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let mut before = None;
    browser
        .visit(async |session| before = session.authenticated_at())
        .await;
    site.pass(1);
    browser.visit(async |session| session.regenerate()).await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("alice"));
            assert_eq!(session.authenticated_at(), before);
        })
        .await;
}
