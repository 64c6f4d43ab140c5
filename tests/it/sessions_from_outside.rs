//! Sessions that are listed, counted and ended from outside.

use std::time::Duration;

use wiz_session::{Error, Handle};

use crate::support::Site;

#[tokio::test]
async fn sessions_of_a_user_are_listed_by_their_handles() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut phone = site.logged_in("alice").await;
    site.pass(1);
    let mut desk = site.logged_in("alice").await;
    site.logged_in("bob").await;
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
    let mut browser = site.logged_in("alice").await;
    let mut other = site.logged_in("alice").await;
    // As an application gets it: through a form.
    let handle: Handle = browser.handle().await.unwrap().to_string().parse().unwrap();
    assert!(sessions.revoke(handle).await.unwrap());
    assert!(!sessions.revoke(handle).await.unwrap());
    assert_eq!(browser.user().await, None);
    assert_eq!(other.user().await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn all_sessions_of_a_user_can_be_ended() {
    let site = Site::new();
    let mut browsers = [site.logged_in("alice").await, site.logged_in("alice").await];
    let mut bob = site.logged_in("bob").await;
    let sessions = site.layer.sessions();
    assert_eq!(sessions.revoke_user("alice").await.unwrap(), 2);
    assert_eq!(sessions.revoke_user("alice").await.unwrap(), 0);
    for browser in &mut browsers {
        assert_eq!(browser.user().await, None);
    }
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_session_that_is_ended_from_outside_stays_dead_whoever_writes_late() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let reply = browser
        .visit(async |session| {
            site.layer.sessions().revoke_user("alice").await?;
            session.set("a", 1)?;
            session.regenerate();
            Ok::<_, Error>(())
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!((browser.user().await, site.sessions().await), (None, 0));
}
