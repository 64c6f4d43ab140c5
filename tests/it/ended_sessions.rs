//! A session that another request ended or moved meanwhile.

use wiz_session::{Error, WizSession};

use crate::support::{Browser, Log, Site};

/// A removal would take the cookie of the newer session.
#[tokio::test]
async fn a_clear_that_comes_too_late_leaves_the_newer_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let reply = browser
        .visit(async |session| {
            tab.visit(async |session| session.log_in("alice")).await;
            session.clear();
        })
        .await;
    reply.is_ok_without_cookie();
    let mut user = None;
    tab.visit(async |session| user = session.user()).await;
    assert_eq!(user.as_deref(), Some("alice"));
}

#[tokio::test]
async fn writes_to_a_session_that_ended_meanwhile_are_dropped_without_a_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let reply = browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            session.set("b", 2)?;
            session.regenerate();
            Ok::<_, wiz_session::Error>(())
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(site.sessions().await, 0);
}

/// Only a login goes on, with this request's own operations.
#[tokio::test]
async fn a_login_on_a_session_that_ended_meanwhile_begins_a_new_one() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let reply = browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            session.log_in("alice");
            session.set("b", 2)
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(
        (browser.read::<u32>("a").await, browser.read("b").await),
        (None, Some(2))
    );
}

/// A user who logs in again writes what is there already.
#[tokio::test]
async fn a_second_login_on_a_session_that_ended_meanwhile_keeps_what_it_sets() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let log_in = |session: WizSession| {
        session.log_in("alice");
        session.set("email", "alice@example.com")
    };
    browser.visit(async |session| log_in(session)).await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            log_in(session)
        })
        .await;
    let email: Option<String> = browser.read("email").await;
    assert_eq!(email.as_deref(), Some("alice@example.com"));
}

#[tokio::test]
async fn a_discarded_delete_is_an_event() {
    let log = Log::capture();
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            session.delete("a");
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(log.count("write discarded"), 1);
}

#[tokio::test]
async fn on_a_session_that_ended_meanwhile_explicit_io_answers_gone() {
    let site = Site::new();
    for ending in [
        wiz_session::WizSession::clear,
        wiz_session::WizSession::regenerate,
    ] {
        for ask in ["save", "transaction", "reading transaction", "reload"] {
            let mut browser = site.visitor().await;
            let mut tab = browser.clone();
            let reply = browser
                .visit(async |session| {
                    tab.visit(async |session| ending(&session)).await;
                    let answer = match ask {
                        "save" => {
                            session.set("b", 2)?;
                            session.save().await
                        }
                        "transaction" => session.transaction(|tx| tx.set("b", 2)).await,
                        "reload" => session.reload().await,
                        _ => session.transaction(|tx| tx.get::<u32>("a").map(drop)).await,
                    };
                    assert!(answer.unwrap_err().is_gone(), "{ask}");
                    assert!(session.is_empty() && session.is_new(), "{ask}");
                    session.set("c", 3)
                })
                .await;
            reply.is_ok_without_cookie();
            assert_eq!(tab.read::<u32>("b").await, None);
            assert_eq!(tab.read::<u32>("c").await, None);
        }
    }
}

#[tokio::test]
async fn a_save_with_nothing_pending_on_an_ended_session_is_gone() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            assert!(session.save().await.unwrap_err().is_gone());
        })
        .await;
}

#[tokio::test]
async fn a_login_goes_on_after_a_reload_that_is_gone() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.clear()).await;
            session.log_in("alice");
            let _gone = session.reload().await;
        })
        .await;
    assert_eq!(site.layer.sessions().list("alice").await.unwrap().len(), 1);
}

/// Whether the session was found to be over by the request or by its reload.
#[tokio::test]
async fn a_reload_that_is_gone_gives_up_what_is_pending_before_a_login() {
    for moves_first in [false, true] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        let mut tab = browser.clone();
        let mut move_it = async || {
            let moved = tab.visit(async |session| session.regenerate()).await;
            assert_eq!(moved.cookies().len(), 1);
        };
        if moves_first {
            move_it().await;
        }
        let reply = browser
            .visit(async |session| {
                session.set("b", 2)?;
                if !moves_first {
                    move_it().await;
                }
                assert!(session.reload().await.unwrap_err().is_gone());
                session.log_in("alice");
                session.set("c", 3)
            })
            .await;
        assert_eq!(reply.cookies().len(), 1);
        assert_eq!(browser.read::<u32>("b").await, None, "{moves_first}");
        assert_eq!(browser.read("c").await, Some(3));
    }
}

#[tokio::test]
async fn a_new_id_that_was_saved_and_ended_elsewhere_sets_no_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.regenerate();
            session.save().await?;
            let handle = session.handle().expect("it is stored");
            site.layer.sessions().revoke(handle).await?;
            session.set("b", 2)
        })
        .await;
    reply.is_ok_without_cookie();
}

/// Whether a request with this browser's cookie finds that its session has ended.
async fn is_ended(browser: &mut Browser) -> bool {
    let mut ended = false;
    browser
        .visit(async |session| ended = session.is_ended())
        .await;
    ended
}

#[tokio::test]
async fn a_visitor_and_a_live_session_are_not_ended() {
    let site = Site::new();
    assert!(!is_ended(&mut site.browser()).await);
    assert!(!is_ended(&mut site.visitor().await).await);
}

#[tokio::test]
async fn a_request_with_a_cookie_that_is_dead_knows_that_its_session_ended() {
    for ending in [
        WizSession::clear,
        WizSession::regenerate,
        |session: &WizSession| session.log_in("alice"),
    ] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        let mut tab = browser.clone();
        tab.visit(async |session| ending(&session)).await;
        assert!(is_ended(&mut browser).await);
        assert!(!is_ended(&mut tab).await);
    }
    let site = Site::new();
    let mut idle = site.visitor().await;
    site.pass(30);
    assert!(is_ended(&mut idle).await);
    let mut forged = site.browser();
    forged.keep("__Host-sid", "forged");
    assert!(!is_ended(&mut forged).await, "it never had one");
}

#[tokio::test]
async fn a_request_learns_by_its_calls_that_its_session_ended() {
    for learns in ["reload", "save", "transaction"] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        let mut tab = browser.clone();
        browser
            .visit(async |session| {
                tab.visit(async |session| session.clear()).await;
                assert!(!session.is_ended(), "it cannot know yet");
                let answer = match learns {
                    "reload" => session.reload().await,
                    "save" => session.save().await,
                    _ => session.transaction(|tx| tx.set("b", 2)).await,
                };
                assert!(answer.unwrap_err().is_gone(), "{learns}");
                assert!(session.is_ended(), "{learns}");
            })
            .await
            .is_ok_without_cookie();
    }
}

#[tokio::test]
async fn a_session_that_this_request_ends_or_begins_is_not_ended_to_it() {
    let site = Site::new();
    site.visitor()
        .await
        .visit(async |session| {
            session.clear();
            assert!(!session.is_ended(), "it knows that it did it itself");
            session.set("b", 2)?;
            session.save().await?;
            assert!(!session.is_ended());
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(site.sessions().await, 1);
}
