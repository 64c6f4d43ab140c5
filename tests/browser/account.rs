//! Logging in and out.

use serde_json::json;

use crate::{browser::Browser, server::Server};

#[tokio::test]
async fn log_in_and_out() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    assert_eq!(browser.text("#who").await, "로그인하지 않음");

    browser.log_in_as_alice().await;
    assert_eq!(browser.text("#name").await, "Alice");
    assert_eq!(browser.text("#email").await, "alice@example.com");
    browser.reload().await;
    assert_eq!(browser.text("#who").await, "Alice");

    browser.click("#logout").await;
    browser.until_text("#who", "로그인하지 않음").await;
    browser.until_shown("#login").await;
    browser.reload().await;
    browser.until_text("#who", "로그인하지 않음").await;
}

#[tokio::test]
async fn a_wrong_password_is_told_and_changes_nothing() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.add_to_cart(3).await;
    let before = browser.cookie("sid").await.expect("a cookie");

    browser.log_in("alice@example.com", "looking-glass").await;
    let notice = "이메일 또는 비밀번호가 맞지 않습니다.";
    browser.until_text("#notice.error.shown", notice).await;
    assert_eq!(browser.text("#who").await, "로그인하지 않음");
    // What was typed is still there to be corrected.
    assert_eq!(
        browser
            .eval("document.querySelector('#login [name=email]').value")
            .await,
        "alice@example.com"
    );
    assert_eq!(browser.cookie("sid").await, Some(before));
    assert_eq!(browser.cart().await, ["상품 3"]);
}

#[tokio::test]
async fn log_out_in_one_tab_while_the_other_works() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.log_in_as_alice().await;
    browser.add_to_cart(1).await;
    let one = browser.tab().await;
    browser.new_tab().await;
    assert_eq!(browser.text("#who").await, "Alice");

    // The other tab's request has read the session and will write it after the logout.
    browser
        .script(
            "const body = JSON.stringify({ key: 'late', value: 1, ms: 2000 });
             const headers = { 'Content-Type': 'application/json' };
             window.slow = fetch('/api/slow_set', { method: 'POST', headers, body });
             window.slow.then(() => { window.late = true; });",
        )
        .await;
    let other = browser.tab().await;
    browser.switch_to(&one).await;
    browser.click("#logout").await;
    browser.until_text("#who", "로그인하지 않음").await;

    browser.switch_to(&other).await;
    assert_eq!(
        browser.eval("window.late").await,
        json!(null),
        "the logout came too late to say anything"
    );
    browser.resolve("window.slow.then(() => null)").await;
    assert_eq!(
        browser
            .resolve("fetch('/api/session').then((answer) => answer.json())")
            .await,
        json!({}),
        "the late request brought the session back"
    );
    assert_eq!(browser.cookie("sid").await, None);

    // What the other tab does next, it does as a visitor.
    browser.add_to_cart(2).await;
    browser.until_text("#who", "로그인하지 않음").await;
    assert_eq!(browser.cart().await, ["상품 2"]);
}

#[tokio::test]
async fn back_after_a_logout_shows_nothing_private() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.log_in_as_alice().await;
    browser.click(".links a[href='/profile']").await;
    browser.arrive("/profile").await;
    assert_eq!(browser.text("#email").await, "alice@example.com");
    assert_eq!(browser.text("#id").await, "123");
    browser.click("#logout").await;
    browser.arrive("/").await;

    browser.back().await;
    browser.arrive("/login").await;
    assert!(!browser.source().await.contains("Alice"));
    browser.back().await;
    browser.arrive("/").await;
    assert_eq!(browser.text("#who").await, "로그인하지 않음");
    assert!(!browser.source().await.contains("Alice"));
}
