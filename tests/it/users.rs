//! Logging in and out, and looking at sessions from outside.

use std::time::Duration;

use wiz_session::{Error, Handle};

use crate::support::{Browser, Site, StoreMethod};

/// A browser in which this user is logged in.
async fn login(site: &Site, user: &str) -> Browser {
    let mut browser = site.browser();
    browser.visit(async |session| session.log_in(user)).await;
    site.store.take_calls();
    browser
}

async fn user(browser: &mut Browser) -> Option<String> {
    let mut user = None;
    browser.visit(async |session| user = session.user()).await;
    user
}

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
    assert_eq!((old.handle().await, user(&mut old).await), (None, None));
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_login_alone_is_enough_to_begin_a_session() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.visit(async |session| session.log_in("alice")).await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
    assert_eq!(user(&mut browser).await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn the_same_user_again_keeps_the_data_under_a_new_id() {
    let site = Site::new();
    let mut browser = login(&site, "alice").await;
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
    let mut browser = login(&site, "alice").await;
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
    let mut browser = login(&site, "alice").await;
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
    assert_eq!(user(&mut browser).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn another_user_stays_empty_through_explicit_io() {
    let site = Site::new();
    let mut browser = login(&site, "alice").await;
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
    assert_eq!(user(&mut browser).await.as_deref(), Some("bob"));
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
    assert_eq!(user(&mut browser).await.as_deref(), Some("bob"));
    assert_eq!(browser.read::<u32>("for alice").await, None);
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn logging_out_is_clear() {
    let site = Site::new();
    let mut browser = login(&site, "alice").await;
    let reply = browser
        .visit(async |session| {
            session.log_out();
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
async fn a_login_after_clear_takes_nothing_along() {
    let site = Site::new();
    let mut browser = login(&site, "alice").await;
    browser.write("a", 1).await;
    let reply = browser
        .visit(async |session| {
            session.log_out();
            session.log_in("alice");
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(browser.read::<u32>("a").await, None);
    assert_eq!(user(&mut browser).await.as_deref(), Some("alice"));
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn regenerate_keeps_the_user_and_the_login_time() {
    let site = Site::new();
    let mut browser = login(&site, "alice").await;
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

#[tokio::test]
async fn sessions_of_a_user_are_listed_by_their_handles() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut phone = login(&site, "alice").await;
    site.pass(1);
    let mut desk = login(&site, "alice").await;
    login(&site, "bob").await;
    site.visitor().await;

    let mut listed: Vec<_> = sessions.list("alice").await.unwrap();
    listed.sort_by_key(wiz_session::SessionInfo::created_at);
    let handles: Vec<_> = listed.iter().map(|info| Some(info.handle())).collect();
    assert_eq!(handles, [phone.handle().await, desk.handle().await]);
    for info in &listed {
        assert_eq!(info.user(), Some("alice"));
        assert_eq!(info.authenticated_at(), Some(info.created_at()));
        assert_eq!(
            info.expires_at(),
            info.created_at() + Duration::from_secs(30 * 60)
        );
        assert_eq!(info.last_used_at(), info.created_at());
    }
    assert_eq!(sessions.count().await.unwrap(), 4);
    assert_eq!(sessions.list("nobody").await.unwrap().len(), 0);

    site.pass(29);
    assert_eq!(
        sessions.list("alice").await.unwrap().len(),
        1,
        "the other has expired"
    );
    assert_eq!(sessions.count().await.unwrap(), 3);
}

#[tokio::test]
async fn one_session_can_be_ended_by_its_handle() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut browser = login(&site, "alice").await;
    let mut other = login(&site, "alice").await;
    // As an application gets it: through a form.
    let handle: Handle = browser.handle().await.unwrap().to_string().parse().unwrap();
    assert!(sessions.revoke(handle).await.unwrap());
    assert!(!sessions.revoke(handle).await.unwrap());
    assert_eq!(user(&mut browser).await, None);
    assert_eq!(user(&mut other).await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn all_sessions_of_a_user_can_be_ended() {
    let site = Site::new();
    let mut browsers = [login(&site, "alice").await, login(&site, "alice").await];
    let mut bob = login(&site, "bob").await;
    let sessions = site.layer.sessions();
    assert_eq!(sessions.revoke_user("alice").await.unwrap(), 2);
    assert_eq!(sessions.revoke_user("alice").await.unwrap(), 0);
    for browser in &mut browsers {
        assert_eq!(user(browser).await, None);
    }
    assert_eq!(user(&mut bob).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_session_that_is_ended_from_outside_stays_dead_whoever_writes_late() {
    let site = Site::new();
    let mut browser = login(&site, "alice").await;
    let reply = browser
        .visit(async |session| {
            site.layer.sessions().revoke_user("alice").await?;
            session.set("a", 1)?;
            session.regenerate();
            Ok::<_, Error>(())
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!((user(&mut browser).await, site.sessions().await), (None, 0));
}

#[tokio::test]
async fn a_user_can_log_out_everywhere_else() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut here = login(&site, "alice").await;
    let mut there = login(&site, "alice").await;
    let mut ended = None;
    here.visit(async |session| ended = Some(sessions.revoke_others(&session).await.unwrap()))
        .await
        .is_ok_without_cookie();
    assert_eq!(ended, Some(1));
    assert_eq!(user(&mut here).await.as_deref(), Some("alice"));
    assert_eq!(user(&mut there).await, None);

    site.visitor()
        .await
        .visit(async |session| ended = Some(sessions.revoke_others(&session).await.unwrap()))
        .await;
    assert_eq!(ended, Some(0), "nobody is logged in");
}

#[tokio::test]
async fn a_login_can_end_all_others_of_the_user() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut there = login(&site, "alice").await;
    for anonymous in [true, false] {
        let mut here = if anonymous {
            site.visitor().await
        } else {
            login(&site, "alice").await
        };
        let log_in = async |session: wiz_session::WizSession| {
            session.log_in("alice");
            sessions.revoke_others(&session).await.map(drop)
        };
        let reply = here.visit(log_in).await;
        assert_eq!(reply.cookie().value(), here.value());
        assert_eq!(user(&mut here).await.as_deref(), Some("alice"));
        assert_eq!(user(&mut there).await, None);
        assert_eq!(sessions.list("alice").await.unwrap().len(), 1);
        there = here;
    }
}
