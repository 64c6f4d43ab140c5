//! The cookie, in the browser's own store.

use fantoccini::cookies::Cookie;

use crate::{browser::Browser, server::Server};

#[tokio::test]
async fn is_kept_from_scripts_and_from_other_sites() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    assert_eq!(browser.cookie("sid").await, None, "nothing is stored yet");

    browser.add_to_cart(1).await;
    let visitor = browser.cookie("sid").await.expect("a cookie");
    check(&visitor);
    assert_eq!(browser.eval("document.cookie").await, "");

    browser.log_in_as_alice().await;
    let alice = browser.cookie("sid").await.expect("a cookie");
    check(&alice);
    assert_ne!(alice.value(), visitor.value(), "a login has a new id");
    assert_eq!(browser.eval("document.cookie").await, "");

    browser.click("#logout").await;
    assert_eq!(browser.cookie("sid").await, None);
}

#[tokio::test]
async fn a_script_cannot_replace_it() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.log_in_as_alice().await;
    let before = browser.cookie("sid").await;
    browser.script("document.cookie = 'sid=mine; path=/'").await;
    assert_eq!(browser.cookie("sid").await, before);
    browser.reload().await;
    assert_eq!(browser.text("#who").await, "Alice");
}

#[tokio::test]
async fn the_next_visitor_finds_nothing_of_the_last() {
    let server = Server::start();
    {
        let browser = Browser::open(&server).await;
        browser.log_in_as_alice().await;
        browser.script("localStorage.mine = 'Alice'").await;
    }
    let browser = Browser::open(&server).await;
    assert_eq!(browser.cookie("sid").await, None);
    assert_eq!(browser.text("#who").await, "로그인하지 않음");
    assert_eq!(browser.eval("localStorage.length").await, 0);
}

fn check(cookie: &Cookie<'_>) {
    assert_eq!(cookie.http_only(), Some(true), "{cookie}");
    let same_site = cookie.same_site().map(|same_site| same_site.to_string());
    assert_eq!(same_site.as_deref(), Some("Lax"), "{cookie}");
    assert_eq!(cookie.path(), Some("/"), "{cookie}");
    assert_eq!(cookie.domain(), Some("127.0.0.1"), "{cookie}");
    assert_eq!(cookie.secure(), Some(false), "plain HTTP here: {cookie}");
    assert!(
        cookie.expires().is_none(),
        "it goes with the browser: {cookie}"
    );
}
