//! The pages without a mouse.

use fantoccini::key::Key;
use serde_json::json;

use crate::{browser::Browser, server::Server};

/// More presses of Tab than a page has places to go.
const MANY: usize = 80;

/// Whether the focus can be seen: an outline, or a ring, of two pixels or more.
const FOCUS_IS_SEEN: &str = "(() => {
  const style = getComputedStyle(document.activeElement);
  return document.activeElement.matches(':focus-visible')
    && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
})()";

/// The places that Tab should reach: of a group of radio buttons one.
const PLACES: &str =
    "[...document.querySelectorAll('a[href], button, input, select, [tabindex=\"0\"]')]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => element.type !== 'radio' || element.checked).length";

/// Tab is pressed until this is the focus.
async fn tab_to(browser: &Browser, css: &str) {
    let here = format!("document.activeElement.matches({})", json!(css));
    for _ in 0..MANY {
        browser.press(Key::Tab).await;
        if browser.eval(&here).await == true {
            assert_eq!(browser.eval(FOCUS_IS_SEEN).await, true, "{css}");
            return;
        }
    }
    panic!("Tab does not reach {css}");
}

#[tokio::test]
async fn everything_is_reached_and_the_focus_is_seen() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.add_to_cart(1).await;
    browser.log_in_as_alice().await;
    browser.reload().await;
    let places = browser.eval(PLACES).await.as_u64().expect("a number");
    assert!(places > 15, "{places}");
    browser.script("window.visited = new Set()").await;
    for _ in 0..places {
        browser.press(Key::Tab).await;
        let focused = "document.activeElement.outerHTML";
        assert_eq!(
            browser.eval(FOCUS_IS_SEEN).await,
            true,
            "no focus to be seen on {}",
            browser.eval(focused).await
        );
        browser
            .script("window.visited.add(document.activeElement)")
            .await;
    }
    assert_eq!(browser.eval("window.visited.size").await, places);
}

#[tokio::test]
async fn log_in_shop_and_log_out() {
    let server = Server::start();
    let browser = Browser::open(&server).await;

    // The first stop leads past the header.
    browser.press(Key::Tab).await;
    assert_eq!(
        browser.eval("document.activeElement.className").await,
        "skip"
    );
    browser.press(Key::Enter).await;
    tab_to(&browser, "#login [name=email]").await;
    browser.type_text("alice@example.com").await;
    tab_to(&browser, "#login [name=password]").await;
    browser.type_text("wonderland").await;
    browser.press(Key::Enter).await;
    browser.until_text("#who", "Alice").await;
    browser.settled().await;
    // The form is gone; the focus is where it was.
    assert_eq!(
        browser.eval("document.activeElement.id").await,
        "account-title"
    );

    tab_to(&browser, "#product").await;
    browser.press(Key::Down).await;
    tab_to(&browser, "#add button").await;
    browser.press(Key::Enter).await;
    browser
        .until("document.querySelectorAll('#cart li').length === 1")
        .await;
    browser.settled().await;
    assert_eq!(browser.cart().await, ["상품 2"]);

    tab_to(&browser, "[name=theme]").await;
    browser.press(Key::Down).await;
    browser
        .until("document.documentElement.dataset.theme === 'dark'")
        .await;
    browser.settled().await;

    tab_to(&browser, "#logout").await;
    browser.press(Key::Enter).await;
    browser.until_text("#who", "로그인하지 않음").await;
}

#[tokio::test]
async fn end_another_login() {
    let server = Server::start();
    let there = Browser::open(&server).await;
    there.log_in_as_alice().await;
    let here = Browser::open(&server).await;
    here.log_in_as_alice().await;

    tab_to(&here, "#logins button").await;
    here.press(Key::Enter).await;
    here.until("document.querySelectorAll('#logins li').length === 1")
        .await;
    here.settled().await;
    assert_eq!(here.eval("document.activeElement.id").await, "logins-title");
    there.reload().await;
    assert_eq!(there.text("#who").await, "로그인하지 않음");
}
