//! The message that a user was created, which is shown exactly once.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, send};
use crate::server::Server;

async fn create_user(browser: &Browser, name: &str) {
    let body = json!({ "name": name, "email": "new@example.com" });
    let answer = browser.post("/api/create_user", body).await.expect(303);
    assert_eq!(answer.header("location"), "/users");
}

fn created() -> Value {
    json!({ "message": "사용자가 생성되었습니다", "type": "success" })
}

#[tokio::test]
async fn is_shown_once_with_the_new_user() {
    let server = Server::start();
    let browser = Browser::new(&server);
    create_user(&browser, "Fred").await;
    assert_eq!(
        browser.session().await,
        json!({ "flash_message": created() })
    );

    let first = browser.get_json("/users").await.expect(200);
    assert_eq!(first.json()["flash"], created());
    assert_eq!(first.json()["users"][2]["name"], "Fred");
    assert_eq!(first.set_cookie(), None);
    assert!(first.header("vary").contains("accept"));
    assert_eq!(
        browser.get_json("/users").await.json()["flash"],
        Value::Null
    );
    assert_eq!(browser.session().await, json!({}));
}

#[tokio::test]
async fn is_shown_to_one_of_ten_readers() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for _ in 0..10 {
        create_user(&browser, "Gina").await;
        let answers = join_all((0..10).map(|_| browser.get_json("/users"))).await;
        let shown = answers
            .iter()
            .filter(|answer| answer.json()["flash"] == created())
            .count();
        assert_eq!(shown, 1);
    }
}

#[tokio::test]
async fn is_not_used_up_by_head_or_by_the_page_itself() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser
        .form("/api/create_user", &[("name", "<b>Hal"), ("email", "h")])
        .await
        .expect(303);

    send(
        browser
            .request(Method::HEAD, "/users")
            .header("Accept", "application/json"),
    )
    .await
    .expect(200);
    let page = browser.get_page("/users").await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(!page.body.contains("<b>Hal"));
    assert_eq!(browser.get_json("/users").await.json()["flash"], created());
}
