//! A logout on either side, and what comes after it.

use std::time::Duration;

use futures_util::FutureExt;
use http::header::SET_COOKIE;
use serde_json::json;
use wiz_session::{WizSession, flask::FlaskData};

use super::pair::{COOKIE, OWN_COOKIE, Pair};

#[tokio::test]
async fn a_logout_on_either_side_is_one_on_both() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| {
        session.log_out();
    })
    .await;
    assert!(!browser.has_cookies());

    let mut browser = pair.logged_in(1).await;
    browser.lose(COOKIE);
    assert_eq!(pair.user(&mut browser).await, None);
    assert!(!browser.has_cookies());
    assert_eq!(
        pair.site.sessions().await,
        0,
        "it has ended, and is not only hidden"
    );
}

/// Neither to a copy nor to a request that was on its way.
#[tokio::test]
async fn the_cookie_that_came_with_a_logout_here_opens_nothing_here() {
    let pair = Pair::new();
    for clears in [false, true] {
        let mut browser = pair.logged_in(1).await;
        pair.site.clock.advance(Duration::from_secs(1));
        let mut late = browser.clone();
        let mut copy = browser.clone();
        copy.lose(OWN_COOKIE);
        let log_out = move |session: &WizSession| {
            session.log_out();
            if !clears {
                session.set("theme", "dark").unwrap();
            }
        };
        pair.here(&mut browser, log_out).await;
        for visitor in [&mut late, &mut copy] {
            let reply = pair
                .here(visitor, |session| session.set("a", 1).unwrap())
                .await;
            assert!(!reply.lines(SET_COOKIE).join("\n").contains("user_id"));
            assert_eq!(pair.user(visitor).await, None);
            assert_eq!(pair.get_there(visitor, "user_id"), None, "it was replaced");
        }
        // A new login is another cookie.
        let mut again = pair.logged_in(1).await;
        assert_eq!(pair.user(&mut again).await.as_deref(), Some("1"));
        pair.site.clock.advance(Duration::from_secs(1));
    }
}

/// The session had expired, so that the logout began it anew.
#[tokio::test]
async fn a_logout_holds_that_comes_after_the_session_here_has_expired() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    pair.site.pass(31);
    let mut copy = browser.clone();
    pair.here(&mut browser, |session| session.clear()).await;
    assert!(!browser.has_cookies());
    assert_eq!(pair.user(&mut copy).await, None);
    assert_eq!(copy.cookie(COOKIE), None);
}

/// A response that was on its way at the logout brings Flask's cookie back.
#[tokio::test]
async fn a_response_that_comes_after_a_logout_revives_no_login() {
    let pair = Pair::new();
    for logs_out_there in [false, true] {
        let mut browser = pair.logged_in(1).await;
        let mut tab = browser.clone();
        pair.here(&mut tab, |session| session.set("a", 1).unwrap())
            .await;
        let late = tab.cookie(COOKIE).unwrap();
        match logs_out_there {
            true => browser.lose(COOKIE),
            false => drop(pair.here(&mut browser, |session| session.clear()).await),
        }
        assert_eq!(pair.user(&mut browser).await, None);
        browser.keep(COOKIE, late);
        assert_eq!(pair.user(&mut browser).await, None);
        assert!(!browser.has_cookies(), "it is taken away again");
        assert_eq!(pair.site.sessions().await, 0);
    }
}

#[tokio::test]
async fn a_session_that_was_revoked_does_not_begin_again_by_flasks_cookie() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    pair.site.pass(10);
    pair.site.layer.sessions().revoke_user("1").await.unwrap();
    assert_eq!(pair.user(&mut browser).await, None);
    assert_eq!(browser.cookie(COOKIE), None);
}

#[tokio::test]
async fn a_login_at_flask_in_the_second_of_a_logout_here_is_one() {
    let pair = Pair::new();
    for _ in 0..3 {
        let mut browser = pair.logged_in(1).await;
        let log_out = |session: &WizSession| {
            session.log_out();
        };
        pair.here(&mut browser, log_out).await;
        assert!(!browser.has_cookies());
    }
}

#[tokio::test]
async fn a_logout_at_flask_that_leaves_a_value_starts_anew_here() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("secret", 1).unwrap())
        .await;
    let cookie = browser.cookie(OWN_COOKIE).map(str::to_owned);
    pair.change_there(&mut browser, |data| {
        *data = FlaskData::default();
        data.set("theme", "dark").unwrap();
    });
    assert_eq!(pair.user(&mut browser).await, None);
    assert_eq!(pair.get(&mut browser, "secret").await, None);
    assert_eq!(pair.get(&mut browser, "theme").await, Some(json!("dark")));
    assert_ne!(browser.cookie(OWN_COOKIE), cookie.as_deref());
    assert_eq!(pair.site.sessions().await, 1);
}

#[tokio::test]
async fn a_slow_request_revives_no_login_that_ended_meanwhile() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let sessions = pair.site.layer.sessions();
    let change = move |session: &WizSession| {
        session.set("a", 1).unwrap();
        // Another request logs out while this one is at work.
        let revoked = sessions.revoke(session.handle().unwrap()).now_or_never();
        assert!(revoked.expect("memory answers at once").unwrap());
    };
    let reply = pair.here(&mut browser, change).await;
    assert_eq!(reply.lines(SET_COOKIE), [""; 0]);
    assert_eq!(pair.site.sessions().await, 0);
}

/// The first requests of a page come with Flask's cookie alone, and each begins a session.
#[tokio::test]
async fn a_slow_request_begins_no_session_of_a_login_that_ended_meanwhile() {
    let pair = std::sync::Arc::new(Pair::new());
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    let mut slow = browser.clone();
    slow.lose(OWN_COOKIE);
    let (other, tab) = (pair.clone(), browser.clone());
    let change = move |session: &WizSession| {
        session.set("b", 1).unwrap();
        let (other, mut tab) = (other.clone(), tab.clone());
        let log_out = async move { drop(other.here(&mut tab, |session| session.clear()).await) };
        assert!(log_out.now_or_never().is_some(), "memory answers at once");
    };
    pair.here(&mut slow, change).await;
    assert!(!slow.has_cookies());
    assert_eq!(pair.site.sessions().await, 0);
}

#[tokio::test]
async fn a_session_that_was_cleared_and_begun_again_keeps_nothing_of_flasks() {
    let pair = Pair::with(|bridge| bridge);
    let mut browser = pair.logged_in(1).await;
    pair.set_there(&mut browser, "theme", json!("dark"));
    let anew = |session: &WizSession| {
        session.clear();
        session.set("own", 1).unwrap();
    };
    pair.here(&mut browser, anew).await;
    assert!(pair.there(&browser).is_empty());
    assert_eq!(pair.get(&mut browser, "own").await, Some(json!(1)));
    assert_eq!(pair.user(&mut browser).await, None);
}
