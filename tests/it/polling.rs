//! Looks at a session that are no use of it, for pages that poll.

use std::time::Duration;

use wiz_session::{Error, WizSession};

use crate::support::{Browser, Site, StoreMethod};

const ELEVEN_HOURS: u64 = 11 * 60;

/// Visits without a use, and asks for the user.
async fn poll(browser: &mut Browser) -> Option<String> {
    let mut user = None;
    let reply = browser
        .visit(async |session| {
            session.skip_touch();
            user = session.user();
        })
        .await;
    reply.is_ok_without_cookie();
    user
}

/// In which minute a poll first found the session over, and did so until eleven hours had passed.
async fn ends_after(site: &Site, mut poll: impl AsyncFnMut() -> bool) -> u64 {
    let mut ended = None;
    for minute in 1..=ELEVEN_HOURS {
        site.pass(1);
        let lives = poll().await;
        assert!(!(lives && ended.is_some()), "it lives again");
        if !lives {
            ended.get_or_insert(minute);
        }
    }
    ended.expect("it ends")
}

#[tokio::test]
async fn a_page_that_polls_without_a_touch_lets_the_session_idle_out() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let minute = ends_after(&site, async || poll(&mut browser).await.is_some()).await;
    assert_eq!(minute, 30);
    assert_eq!(site.store.calls_of(StoreMethod::Touch), 0);
}

#[tokio::test]
async fn a_page_that_polls_with_touches_keeps_the_session() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    for _ in 0..ELEVEN_HOURS {
        site.pass(1);
        assert!(browser.user().await.is_some());
    }
}

#[tokio::test]
async fn a_socket_that_only_looks_whether_its_session_lives_lets_it_idle_out() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let mut socket = None;
    browser.visit(async |session| socket = Some(session)).await;
    let socket = socket.expect("it was opened");
    site.store.take_calls();
    let minute = ends_after(&site, async || {
        let is_alive = socket.is_alive().await.unwrap();
        assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
        is_alive
    });
    assert_eq!(minute.await, 30);
    assert_eq!(
        socket.user().as_deref(),
        Some("alice"),
        "what it sees stays as it was"
    );
}

#[tokio::test]
async fn what_a_poll_writes_is_stored_and_postpones_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let minute = ends_after(&site, async || {
        let mut lives = false;
        browser
            .visit(async |session| {
                lives = session.contains_key("a");
                session.skip_touch();
                if lives {
                    session.update("polls", |polls: &mut u32| *polls += 1)?;
                    session.save().await?;
                    session.reload().await?;
                }
                Ok::<_, Error>(())
            })
            .await;
        lives
    });
    assert_eq!(minute.await, 30);
    assert_eq!(site.store.calls_of(StoreMethod::Touch), 0);
}

#[tokio::test]
async fn a_poll_postpones_no_end_of_a_remembered_session_either() {
    let site = Site::new();
    let mut browser = site.browser();
    let hour = Duration::from_secs(60 * 60);
    browser
        .visit(async |session| {
            session.log_in("alice");
            session.remember(2 * hour);
        })
        .await;
    let minute = ends_after(&site, async || poll(&mut browser).await.is_some());
    assert_eq!(minute.await, 120);
}

#[tokio::test]
async fn is_alive_tells_whether_the_store_has_the_session_still() {
    let site = Site::new();
    let is_alive = async |session: &WizSession| session.is_alive().await.unwrap();
    site.browser()
        .visit(async |session| {
            assert!(!is_alive(&session).await);
            session.set("a", 1).unwrap();
            assert!(!is_alive(&session).await, "it is not stored yet");
            assert_eq!(site.store.take_calls(), []);
            session.save().await.unwrap();
            assert!(is_alive(&session).await);
        })
        .await;
    for ending in [WizSession::clear, WizSession::regenerate] {
        let mut browser = site.visitor().await;
        let mut tab = browser.clone();
        browser
            .visit(async |session| {
                tab.visit(async |session| ending(&session)).await;
                assert!(!is_alive(&session).await);
                assert_eq!(session.get("a").unwrap(), Some(1));
            })
            .await;
    }
}
