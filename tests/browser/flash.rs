//! The message that is shown once.

use crate::{browser::Browser, server::Server};

#[tokio::test]
async fn is_shown_once() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    let form = "form[action='/api/create_user']";
    browser.fill(&format!("{form} [name=name]"), "Carol").await;
    browser
        .fill(&format!("{form} [name=email]"), "carol@example.com")
        .await;
    browser.click(&format!("{form} button")).await;
    browser.arrive("/users").await;
    browser
        .until_text("#flash", "사용자가 생성되었습니다")
        .await;
    assert!(browser.text("#users").await.contains("carol@example.com"));

    browser.reload().await;
    assert!(browser.text("#users").await.contains("carol@example.com"));
    assert_eq!(
        browser
            .eval("document.getElementById('flash').hidden")
            .await,
        true
    );
}
