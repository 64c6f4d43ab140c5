//! What a login carries beside the user: labels, stamps of credentials, aliases.

use http::StatusCode;
use wiz_session::{Error, SessionStore, WizSession};

use crate::support::{Site, StoreMethod};

async fn labels(site: &Site, user: &str) -> Vec<Option<String>> {
    let listed = site.layer.sessions().list(user).await.unwrap();
    let labels = listed.iter().map(|info| info.label().map(str::to_owned));
    labels.collect()
}

#[tokio::test]
async fn a_label_is_listed_and_moves_with_the_session() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            session.log_in("alice");
            session.label("Firefox on Linux");
        })
        .await;
    site.store.take_calls();
    browser.visit(async |session| session.regenerate()).await;
    browser.visit(async |session| session.log_in("alice")).await;
    browser.write("a", 1).await;
    assert_eq!(
        labels(&site, "alice").await,
        [Some("Firefox on Linux".to_owned())]
    );
    browser.visit(async |session| session.label("")).await;
    assert_eq!(labels(&site, "alice").await, [None]);
}

#[tokio::test]
async fn a_label_is_cut_and_has_no_control_characters() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    for (label, kept) in [
        ("  \u{1b}[31mred\r\n ".to_owned(), "[31mred".to_owned()),
        ("한".repeat(100), "한".repeat(64)),
    ] {
        browser.visit(async |session| session.label(&label)).await;
        assert_eq!(labels(&site, "alice").await, [Some(kept)]);
    }
}

#[tokio::test]
async fn a_label_alone_begins_no_session_and_goes_with_its_user() {
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser
        .visit(async |session| session.label("a phone"))
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);

    browser
        .visit(async |session| {
            session.label("a phone");
            session.log_in("alice");
        })
        .await;
    assert_eq!(labels(&site, "alice").await, [Some("a phone".to_owned())]);
    browser.visit(async |session| session.log_in("bob")).await;
    assert_eq!(
        labels(&site, "bob").await,
        [None],
        "another user's session starts empty"
    );
}

#[tokio::test]
async fn a_changed_stamp_ends_the_sessions_from_before() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut old = site.browser();
    old.visit(async |session| session.log_in_with(7, "first password"))
        .await;
    let mut without = site.logged_in(7).await;
    let mut other = site.browser();
    other
        .visit(async |session| session.log_in_with(8, "first password"))
        .await;
    let mut here = old.clone();

    here.visit(async |session| {
        assert!(session.has_stamp("first password") && !session.has_stamp("second password"));
        session.log_in_with(7, "second password");
        assert!(session.has_stamp("second password"));
    })
    .await;
    let mut elsewhere = site.browser();
    elsewhere
        .visit(async |session| session.log_in_with(7, "first password"))
        .await;
    assert_eq!(
        sessions.revoke_stale("7", "second password").await.unwrap(),
        2
    );
    for browser in [&mut old, &mut without, &mut elsewhere] {
        assert_eq!(browser.user().await, None);
    }
    assert_eq!(here.user().await.as_deref(), Some("7"));
    assert_eq!(other.user().await.as_deref(), Some("8"));
    assert_eq!(
        sessions.revoke_stale("7", "second password").await.unwrap(),
        0
    );

    here.visit(async |session| session.log_in(7)).await;
    let has_stamp = async |session: WizSession| {
        assert!(!session.has_stamp("second password") && !session.has_stamp(""));
    };
    here.visit(has_stamp).await.is_ok();
}

#[tokio::test]
async fn the_store_never_sees_a_stamp() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| session.log_in_with(7, "$argon2id$secret"))
        .await;
    let record = site.record(browser.handle().await.unwrap()).await.unwrap();
    assert!(
        !record.to_json().contains("argon2id"),
        "{}",
        record.to_json()
    );
}

/// Logs a user in under this `sid`.
async fn log_in(site: &Site, user: &str, sid: &str) -> crate::support::Browser {
    let mut browser = site.browser();
    let log_in = async |session: WizSession| {
        session.log_in(user);
        session.alias("sid", sid).await
    };
    browser.visit(log_in).await.is_ok();
    browser
}

#[tokio::test]
async fn an_alias_ends_the_login_that_has_it() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut phone = log_in(&site, "alice", "1").await;
    let mut desk = log_in(&site, "alice", "2").await;
    let mut bob = log_in(&site, "bob", "3").await;
    assert_eq!(
        sessions.count().await.unwrap(),
        3,
        "their entries are no sessions"
    );
    desk.visit(async |session| session.regenerate()).await;

    assert_eq!(sessions.revoke_alias("sid", "2").await.unwrap(), 1);
    assert_eq!(sessions.revoke_alias("sid", "2").await.unwrap(), 0);
    assert_eq!(sessions.revoke_alias("si", "d2").await.unwrap(), 0);
    assert_eq!(sessions.revoke_alias("sid", "4").await.unwrap(), 0);
    assert_eq!(desk.user().await, None);
    assert_eq!(phone.user().await.as_deref(), Some("alice"));
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn an_alias_belongs_to_one_login() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut browser = log_in(&site, "alice", "1").await;
    browser.visit(async |session| session.log_in("alice")).await;
    assert_eq!(sessions.revoke_alias("sid", "1").await.unwrap(), 0);
    assert_eq!(browser.user().await.as_deref(), Some("alice"));

    let log_in = async |session: WizSession| {
        session.log_in("bob");
        session.alias("sid", "old").await?;
        session.log_in("bob");
        session.alias("sid", "new").await
    };
    browser.visit(log_in).await.is_ok();
    assert_eq!(sessions.revoke_alias("sid", "old").await.unwrap(), 0);
    assert_eq!(sessions.revoke_alias("sid", "new").await.unwrap(), 1);
}

#[tokio::test]
async fn an_alias_leads_to_who_had_it_last_and_for_as_long_as_the_session_lives() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let mut alice = log_in(&site, "alice", "1").await;
    let mut bob = log_in(&site, "bob", "1").await;
    assert_eq!(sessions.revoke_alias("sid", "1").await.unwrap(), 1);
    assert_eq!(
        (alice.user().await.is_some(), bob.user().await),
        (true, None)
    );

    let mut remembered = site.browser();
    let log_in = async |session: WizSession| {
        session.log_in("carol");
        session.remember(std::time::Duration::from_secs(100 * 86_400));
        session.alias("sid", "5").await
    };
    remembered.visit(log_in).await.is_ok();
    site.pass(90 * 24 * 60);
    assert_eq!(sessions.revoke_alias("sid", "5").await.unwrap(), 1);
}

#[tokio::test]
async fn an_alias_is_refused_clearly() {
    let site = Site::new();
    let mut browser = site.browser();
    let refused = async |session: WizSession| {
        assert!(
            session
                .alias("sid", "1")
                .await
                .unwrap_err()
                .is_not_logged_in()
        );
        session.log_in("alice");
        for (name, value) in [
            ("n".repeat(65), "v".to_owned()),
            ("n".to_owned(), "v".repeat(513)),
        ] {
            assert!(
                session
                    .alias(&name, &value)
                    .await
                    .unwrap_err()
                    .is_too_large()
            );
        }
        session.alias(&"n".repeat(64), &"v".repeat(512)).await?;
        for n in 1..8 {
            session.alias(&n.to_string(), "v").await?;
        }
        session.alias("7", "another value").await?;
        assert!(session.alias("8", "v").await.unwrap_err().is_too_large());
        Ok::<_, Error>(())
    };
    browser.visit(refused).await.is_ok();
    let visitor = async |session: WizSession| session.alias("sid", "1").await;
    let reply = site.browser().visit(visitor).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);

    site.store.fail(StoreMethod::Create);
    let reply = browser
        .visit(async |session| session.alias("7", "v").await)
        .await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_entry_is_swept_once_its_login_cannot_live_any_more() {
    let site = Site::new();
    log_in(&site, "alice", "1").await;
    site.pass(12 * 60 + 6);
    let (sessions, now) = (site.store.sessions(), site.clock.now());
    let swept = sessions.delete_expired(now, 100).await.unwrap();
    assert_eq!(swept, 2, "the session and its entry");
}

#[tokio::test]
async fn an_entry_lives_as_long_as_the_longest_login_that_it_leads_to() {
    let site = Site::new();
    let mut remembered = site.browser();
    let log_in_for_long = async |session: WizSession| {
        session.log_in("alice");
        session.remember(std::time::Duration::from_secs(100 * 86_400));
        session.alias("sid", "1").await
    };
    remembered.visit(log_in_for_long).await.is_ok();
    log_in(&site, "alice", "1").await;
    site.pass(2 * 24 * 60);
    site.store
        .sessions()
        .delete_expired(site.clock.now(), 100)
        .await
        .unwrap();
    let sessions = site.layer.sessions();
    assert_eq!(sessions.revoke_alias("sid", "1").await.unwrap(), 1);
    assert_eq!(remembered.user().await, None);
}

#[tokio::test]
async fn a_session_that_a_request_found_in_time_is_ended_by_its_stamp_too() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| session.log_in_with(7, "old"))
        .await;
    site.pass(29);
    let revoked = async |session: WizSession| {
        site.pass(2);
        let sessions = site.layer.sessions();
        assert_eq!(sessions.revoke_stale("7", "new").await.unwrap(), 1);
        session.set("a", 1)
    };
    let reply = browser.visit(revoked).await;
    assert_eq!(reply.status, StatusCode::CONFLICT);
    assert_eq!(browser.user().await, None);
}
