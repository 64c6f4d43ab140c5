//! Requests and responses that overtake one another.

use std::time::Duration;

use http::header::SET_COOKIE;
use serde_json::json;

use super::pair::{COOKIE, Pair, without_key};

/// The answer to an earlier request of the page comes after that of the login.
#[tokio::test]
async fn a_login_that_is_overtaken_holds() {
    let pair = Pair::new();
    for user in [1, 2] {
        let mut browser = pair.site.browser();
        pair.here(&mut browser, |session| session.set("a", 1).unwrap())
            .await;
        let mut tab = browser.clone();
        pair.here(&mut tab, |session| session.set("b", 1).unwrap())
            .await;
        pair.here(&mut browser, move |session| session.log_in(user))
            .await;
        browser.keep(COOKIE, tab.cookie(COOKIE).unwrap());
        assert_eq!(pair.user(&mut browser).await, Some(user.to_string()));
        assert_eq!(pair.get_there(&browser, "user_id"), Some(json!(user)));

        // Long after it, that is another browser's cookie, or one that was planted.
        browser.keep(COOKIE, tab.cookie(COOKIE).unwrap());
        pair.site.pass(2);
        assert_eq!(pair.user(&mut browser).await, None);
    }
}

/// The response that comes last may be the one that was made first.
#[tokio::test]
async fn a_response_that_was_overtaken_loses_nothing() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let mut tab = browser.clone();
    pair.here(&mut tab, |session| session.set("a", 1).unwrap())
        .await;
    pair.here(&mut browser, |session| session.set("b", 2).unwrap())
        .await;
    for number in 0..20 {
        pair.here(&mut browser, move |session| {
            session.set("c", number).unwrap();
        })
        .await;
    }
    browser.keep(COOKIE, tab.cookie(COOKIE).unwrap());
    assert_eq!(pair.get_there(&browser, "b"), None);
    assert_eq!(pair.get(&mut browser, "b").await, Some(json!(2)));
    assert_eq!(
        pair.get_there(&browser, "b"),
        Some(json!(2)),
        "Flask is told again"
    );
}

/// A page of Flask's sends several requests here at once, each with the cookie that Flask has just written.
#[tokio::test]
async fn requests_with_a_cookie_that_was_taken_over_lose_nothing() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.set_there(&mut browser, "theme", json!("dark"));
    pair.site.clock.advance(Duration::from_secs(1));
    let mut tab = browser.clone();
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    pair.here(&mut tab, |session| session.set("b", 2).unwrap())
        .await;
    for browser in [&mut browser, &mut tab] {
        assert_eq!(pair.get(browser, "a").await, Some(json!(1)));
        assert_eq!(pair.get(browser, "b").await, Some(json!(2)));
        assert_eq!(pair.get(browser, "theme").await, Some(json!("dark")));
    }
    // What Flask writes after it counts, though it is the same again.
    pair.set_there(&mut browser, "a", json!(3));
    pair.change_there(&mut browser, |data| {
        *data = without_key(&without_key(data, "a"), "b");
    });
    assert_eq!(pair.get(&mut browser, "a").await, None);
}

/// Both changed something before they heard of each other.
#[tokio::test]
async fn changes_of_different_keys_on_both_sides_are_both_kept() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    let own = pair.site.layer.clone();
    let mut beside = browser.through(own);
    beside.write("a", 2).await; // a socket, say
    pair.set_there(&mut browser, "b", json!(3));
    assert_eq!(pair.get(&mut browser, "a").await, Some(json!(2)));
    assert_eq!(pair.get(&mut browser, "b").await, Some(json!(3)));
    assert_eq!(pair.get_there(&browser, "a"), Some(json!(2)));
}

/// A request that was sent before the browser got the new cookie.
#[tokio::test]
async fn a_late_request_does_not_log_in_beside_a_session_that_moved() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let mut late = browser.clone();
    pair.here(&mut browser, |session| session.regenerate())
        .await;
    let reply = pair
        .here(&mut late, |session| assert_eq!(session.user(), None))
        .await;
    assert_eq!(reply.lines(SET_COOKIE), [""; 0]);
    assert_eq!(pair.site.sessions().await, 1);
}
