//! The page follows its session, without anybody pressing a button there.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{browser::Browser, server::Server};

const CART_COUNT: &str = "#cart-count";

#[tokio::test]
async fn two_tabs_show_one_cart() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    let one = browser.tab().await;
    let two = browser.new_tab().await;
    // The first of them begins the session, and the other follows it from then on.
    browser.add_to_cart(7).await;
    browser.switch_to(&one).await;
    browser.until_text(CART_COUNT, "1").await;
    browser.add_to_cart(4).await;
    browser.switch_to(&two).await;
    browser.until_text(CART_COUNT, "2").await;
    assert_eq!(browser.cart().await, ["상품 7", "상품 4"]);
    browser.click("#cart li:first-child button").await;
    browser.switch_to(&one).await;
    browser.until_text(CART_COUNT, "1").await;
    assert_eq!(browser.cart().await, ["상품 4"]);
}

#[tokio::test]
async fn a_logout_in_one_tab_is_seen_in_the_other_within_a_second() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.log_in_as_alice().await;
    let one = browser.tab().await;
    let two = browser.new_tab().await;
    browser.until_text("#who", "Alice").await;
    // Of the moment when it changes, wherever one looks.
    browser
        .script(
            "new MutationObserver(() => { window.seen ??= Date.now(); })
               .observe(document.getElementById('who'), { childList: true, characterData: true, subtree: true });",
        )
        .await;
    browser.switch_to(&one).await;
    let start = browser.eval("Date.now()").await.as_u64().expect("a time");
    browser.click("#logout").await;
    browser.switch_to(&two).await;
    browser.until_text("#who", "로그인하지 않음").await;
    browser
        .until_text("#notice.shown", "다른 곳에서 로그아웃했습니다.")
        .await;
    let seen = browser.eval("window.seen").await.as_u64().expect("a time");
    assert!(seen - start < 1000, "it took {} ms", seen - start);
}

#[tokio::test]
async fn a_login_in_one_tab_is_seen_in_the_other() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.add_to_cart(7).await;
    let one = browser.tab().await;
    browser.new_tab().await;
    browser.log_in_as_alice().await;
    browser.switch_to(&one).await;
    browser.until_text("#who", "Alice").await;
}

#[tokio::test]
async fn ending_that_one_on_the_panel_closes_it_over_there() {
    let server = Server::start();
    let here = Browser::open(&server).await;
    let there = Browser::open(&server).await;
    there.log_in_as_alice().await;
    here.log_in_as_alice().await;
    here.click("#logins li:last-child button").await;
    there.until_text("#who", "로그인하지 않음").await;
    let notice = "다른 곳에서 이 로그인을 끝냈습니다.";
    there.until_text("#notice.shown", notice).await;
    assert_eq!(here.text("#who").await, "Alice");
}

#[tokio::test]
async fn a_hundred_at_once_are_a_hundred() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.add_to_cart(1).await;
    let one = browser.tab().await;
    browser.new_tab().await;
    let start = Instant::now();
    browser.click("#hundred").await;
    assert!(start.elapsed() < Duration::from_secs(15));
    assert_eq!(browser.text(CART_COUNT).await, "100");
    let notice = "요청 100개가 한꺼번에 하나씩 담았고, 모두 담겼습니다.";
    browser.until_text("#notice.shown", notice).await;
    browser.switch_to(&one).await;
    browser.until_text(CART_COUNT, "100").await;
}

#[tokio::test]
async fn the_page_speaks_the_language_that_the_browser_asks_for() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    assert_eq!(browser.eval("document.documentElement.lang").await, "ko");
    let english = json!({ "headers": { "Accept-Language": "fr-FR, en-US;q=0.9, ko;q=0.8" } });
    browser.devtools("Network.enable", json!({})).await;
    browser
        .devtools("Network.setExtraHTTPHeaders", english)
        .await;
    browser.reload().await;
    assert_eq!(browser.text("h1").await, "One session for everything");
    // It does not change by another choice, and one's own choice is kept.
    browser.click("[name=theme][value=dark]").await;
    browser.reload().await;
    assert_eq!(browser.text("h1").await, "One session for everything");
    browser.click("[name=language][value=ko]").await;
    browser.reload().await;
    assert_eq!(browser.eval("document.documentElement.lang").await, "ko");
}
