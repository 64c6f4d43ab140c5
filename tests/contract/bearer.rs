//! A token instead of a cookie, for clients that keep none.

use reqwest::Method;
use serde_json::json;

use crate::browser::{Answer, Browser, send};
use crate::server::Server;

async fn log_in(browser: &Browser) -> String {
    let body = json!({ "email": "alice@example.com", "password": "wonderland", "token": true });
    let answer = browser.post("/api/login", body).await.expect(200);
    assert_eq!(answer.set_cookie(), None);
    assert!(answer.header("cache-control").contains("no-store"));
    answer.json()["token"].as_str().expect("text").to_owned()
}

async fn ask(browser: &Browser, method: Method, path: &str, token: &str) -> Answer {
    let answer = send(browser.request(method, path).bearer_auth(token)).await;
    assert_eq!(answer.set_cookie(), None, "{path}");
    answer
}

#[tokio::test]
async fn the_token_serves_as_the_cookie() {
    let server = Server::start();
    let client = Browser::new(&server);
    let token = log_in(&client).await;
    assert!(!client.is_logged_in().await, "without the token");

    let asked = ask(&client, Method::GET, "/api/check_session", &token).await;
    assert_eq!(asked.json()["user"]["id"], 123);
    let add = client
        .request(Method::POST, "/api/add_to_cart")
        .bearer_auth(&token);
    let cart = send(add.json(&json!({ "product_id": 7 })))
        .await
        .expect(200);
    assert_eq!(cart.set_cookie(), None);
    let cart = ask(&client, Method::GET, "/api/get_cart", &token).await;
    assert_eq!(cart.json()[0]["id"], 7);
    ask(&client, Method::GET, "/dashboard", &token)
        .await
        .expect(200);

    ask(&client, Method::POST, "/api/logout", &token)
        .await
        .expect(200);
    let asked = ask(&client, Method::GET, "/api/check_session", &token).await;
    assert_eq!(asked.json(), json!({ "logged_in": false }));
}

#[tokio::test]
async fn a_login_without_the_wish_has_no_token() {
    let server = Server::start();
    let answer = Browser::new(&server).log_in_as_alice().await;
    assert!(answer.json().get("token").is_none());
    assert!(answer.set_cookie().is_some());
}

#[tokio::test]
async fn a_forged_token_is_a_visitor() {
    let server = Server::start();
    let client = Browser::new(&server);
    let token = log_in(&client).await;
    for forged in [
        format!("{}A", &token[1..]),
        "A".repeat(75),
        "eyJ.e30.c2ln".to_owned(),
    ] {
        let asked = ask(&client, Method::GET, "/api/check_session", &forged).await;
        assert_eq!(asked.expect(200).json(), json!({ "logged_in": false }));
    }
}
