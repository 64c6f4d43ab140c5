//! A user who ends all other sessions, but never by mistake the own one.

use wiz_session::WizSession;

use crate::support::{Browser, Site};

#[tokio::test]
async fn a_user_can_log_out_everywhere_else() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut here = site.logged_in("alice").await;
    let mut there = site.logged_in("alice").await;
    let mut ended = None;
    here.visit(async |session| ended = Some(sessions.revoke_others(&session).await.unwrap()))
        .await
        .is_ok_without_cookie();
    assert_eq!(ended, Some(1));
    assert_eq!(here.user().await.as_deref(), Some("alice"));
    assert_eq!(there.user().await, None);

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
    let mut there = site.logged_in("alice").await;
    for anonymous in [true, false] {
        let mut here = if anonymous {
            site.visitor().await
        } else {
            site.logged_in("alice").await
        };
        let log_in = async |session: wiz_session::WizSession| {
            session.log_in("alice");
            sessions.revoke_others(&session).await.map(drop)
        };
        let reply = here.visit(log_in).await;
        assert_eq!(reply.cookie().value(), here.value());
        assert_eq!(here.user().await.as_deref(), Some("alice"));
        assert_eq!(there.user().await, None);
        assert_eq!(sessions.list("alice").await.unwrap().len(), 1);
        there = here;
    }
}

/// What happened to the session here since its handle was loaded.
#[derive(Debug, Clone, Copy)]
enum Since {
    LoggedOut,
    LoggedInAgain,
    Moved,
    Revoked,
}

impl Since {
    const ALL: [Self; 4] = [
        Self::LoggedOut,
        Self::LoggedInAgain,
        Self::Moved,
        Self::Revoked,
    ];

    async fn happens(self, site: &Site, tab: &mut Browser) {
        match self {
            Self::LoggedOut => drop(tab.visit(async |session| session.clear()).await),
            Self::LoggedInAgain => drop(tab.visit(async |session| session.log_in("alice")).await),
            Self::Moved => drop(tab.visit(async |session| session.regenerate()).await),
            Self::Revoked => {
                let handle = tab.handle().await.expect("it lives");
                assert!(site.layer.sessions().revoke(handle).await.unwrap());
            }
        }
    }

    fn lives_on(self) -> bool {
        matches!(self, Self::LoggedInAgain | Self::Moved)
    }
}

#[tokio::test]
async fn from_a_session_that_ended_or_moved_no_other_is_ended() {
    for since in Since::ALL {
        for after_the_response in [false, true] {
            let case = format!("{since:?}, after the response: {after_the_response}");
            let site = Site::new();
            let sessions = site.layer.sessions();
            let mut here = site.logged_in("alice").await;
            let mut there = site.logged_in("alice").await;
            let mut tab = here.clone();
            let fails = async |session: &WizSession, tab: &mut Browser| {
                since.happens(&site, tab).await;
                let error = sessions.revoke_others(session).await.unwrap_err();
                assert!(error.is_gone(), "{case}: {error}");
            };
            let mut kept = None;
            here.visit(async |session| match after_the_response {
                true => kept = Some(session),
                false => fails(&session, &mut tab).await,
            })
            .await
            .is_ok_without_cookie();
            if let Some(session) = kept {
                fails(&session, &mut tab).await;
            }
            assert_eq!(there.user().await.as_deref(), Some("alice"), "{case}");
            let own = since.lives_on().then_some("alice");
            assert_eq!(tab.user().await.as_deref(), own, "{case}");
        }
    }
}

#[tokio::test]
async fn with_a_cookie_that_is_dead_no_session_is_ended() {
    for since in Since::ALL {
        let site = Site::new();
        let sessions = site.layer.sessions();
        let mut here = site.logged_in("alice").await;
        let mut there = site.logged_in("alice").await;
        since.happens(&site, &mut here.clone()).await;
        here.visit(async |session| {
            let error = sessions.revoke_others(&session).await.unwrap_err();
            assert!(error.is_gone(), "{since:?}: {error}");
        })
        .await;
        assert_eq!(there.user().await.as_deref(), Some("alice"), "{since:?}");
    }
}

#[tokio::test]
async fn what_another_tab_stores_meanwhile_is_no_reason_to_fail() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut here = site.logged_in("alice").await;
    let mut there = site.logged_in("alice").await;
    let mut tab = here.clone();
    here.visit(async |session| {
        tab.write("b", 2).await;
        assert_eq!(sessions.revoke_others(&session).await.unwrap(), 1);
    })
    .await;
    assert_eq!(here.user().await.as_deref(), Some("alice"));
    assert_eq!(there.user().await, None);
}

/// There is nothing of it in the store yet.
#[tokio::test]
async fn a_login_that_is_about_to_be_stored_ends_the_users_other_sessions() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut elsewhere = site.logged_in("alice").await;
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            session.log_in("alice");
            assert_eq!(sessions.revoke_others(&session).await.unwrap(), 1);
        })
        .await
        .is_ok();
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    assert_eq!(elsewhere.user().await, None);
}
