//! The pages that need a login.

use crate::{browser::Browser, server::Server};

#[tokio::test]
async fn a_visitor_logs_in_and_is_taken_back() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.go("/profile").await;
    browser.arrive("/login").await;

    browser.log_in("bob@example.com", "builder").await;
    browser.arrive("/profile").await;
    assert_eq!(browser.text("#name").await, "Bob");
    assert_eq!(browser.text("nav [aria-current=page]").await, "프로필");

    // The wish was used up: the next login goes to the start.
    browser.click("#logout").await;
    browser.arrive("/").await;
    browser.go("/login").await;
    browser.log_in("bob@example.com", "builder").await;
    browser.arrive("/").await;
}

#[tokio::test]
async fn only_admins_are_shown_the_way_to_the_admin_page() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.log_in("bob@example.com", "builder").await;
    browser.until_text("#who", "Bob").await;
    assert_eq!(browser.text("#admin-link").await, "");
    browser.go("/admin").await;
    assert_eq!(
        browser.text("body").await,
        r#"{"error":"Administrators only"}"#
    );

    browser.go("/").await;
    browser.click("#logout").await;
    browser.log_in_as_alice().await;
    browser.click("#admin-link a").await;
    browser.arrive("/admin").await;
    assert_eq!(browser.text("h1").await, "관리");
}
