//! Theme and language.

use crate::{browser::Browser, server::Server};

const ROOT: &str = "`${document.documentElement.lang} ${document.documentElement.dataset.theme}`";
const BACKGROUND: &str = "getComputedStyle(document.body).backgroundColor";

#[tokio::test]
async fn are_kept() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    assert_eq!(browser.eval(ROOT).await, "ko light");
    let light = browser.eval(BACKGROUND).await;

    browser.click("[name=theme][value=dark]").await;
    browser.click("[name=language][value=en]").await;
    assert_eq!(browser.eval(ROOT).await, "en dark");
    assert_eq!(browser.text("h1").await, "One session for everything");
    let dark = browser.eval(BACKGROUND).await;
    assert_ne!(dark, light);

    browser.reload().await;
    for path in ["/", "/login", "/users"] {
        browser.go(path).await;
        assert_eq!(browser.eval(ROOT).await, "en dark", "{path}");
        assert_eq!(browser.eval(BACKGROUND).await, dark, "{path}");
    }
    browser.go("/login").await;
    assert_eq!(browser.text("h1").await, "Log in");

    browser.log_in("bob@example.com", "builder").await;
    browser.arrive("/").await;
    browser.until_text("#who", "Bob").await;
    assert_eq!(browser.eval(ROOT).await, "en dark", "after a login");
    for (name, value) in [("theme", "dark"), ("language", "en")] {
        let chosen = format!("document.forms.preferences.elements.{name}.value");
        assert_eq!(browser.eval(&chosen).await, value);
    }
}
