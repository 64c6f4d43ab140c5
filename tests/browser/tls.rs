//! The same over TLS, where the cookie is as strict as browsers allow.

use crate::{
    browser::Browser,
    server::{self, Server},
    tls_proxy,
};

const NAME: &str = "__Host-sid";

#[tokio::test]
async fn the_cookie_is_secure_and_bound_to_the_host() {
    let server = Server::spawn(server::command().env("SECURE_COOKIE", "true"));
    let site = tls_proxy::start(&server.url("/")).await;
    let browser = Browser::open_at(&site).await;
    assert_eq!(
        browser.eval("isSecureContext && location.protocol").await,
        "https:"
    );

    browser.add_to_cart(7).await;
    let visitor = browser.cookie(NAME).await.expect("a cookie");
    assert_eq!(browser.cookie("sid").await, None);
    browser.log_in_as_alice().await;
    let alice = browser.cookie(NAME).await.expect("a cookie");
    assert_ne!(alice.value(), visitor.value(), "a login has a new id");
    for cookie in [&visitor, &alice] {
        assert_eq!(cookie.secure(), Some(true), "{cookie}");
        assert_eq!(cookie.http_only(), Some(true), "{cookie}");
        let same_site = cookie.same_site().map(|same_site| same_site.to_string());
        assert_eq!(same_site.as_deref(), Some("Lax"), "{cookie}");
        assert_eq!(cookie.path(), Some("/"), "{cookie}");
        // No leading dot: this host only.
        assert_eq!(cookie.domain(), Some("127.0.0.1"), "{cookie}");
        assert!(cookie.expires().is_none(), "{cookie}");
    }
    assert_eq!(browser.eval("document.cookie").await, "");

    browser.reload().await;
    assert_eq!(browser.text("#who").await, "Alice");
    assert_eq!(browser.cart().await, ["상품 7"]);
    browser.click("#logout").await;
    browser.until_text("#who", "로그인하지 않음").await;
    assert_eq!(browser.cookie(NAME).await, None);
}

#[tokio::test]
async fn two_tabs_and_the_protected_pages() {
    let server = Server::spawn(server::command().env("SECURE_COOKIE", "true"));
    let site = tls_proxy::start(&server.url("/")).await;
    let browser = Browser::open_at(&site).await;
    browser.go("/profile").await;
    browser.arrive("/login").await;
    browser.log_in("bob@example.com", "builder").await;
    browser.arrive("/profile").await;
    let one = browser.tab().await;
    browser.new_tab().await;
    assert_eq!(browser.text("#who").await, "Bob");
    browser.click("#logout").await;
    browser.switch_to(&one).await;
    browser.reload().await;
    browser.arrive("/login").await;
}
