//! What bodies are taken, and that every error is `{"error": "…"}`.

use reqwest::Method;
use serde_json::json;

use crate::browser::{Answer, Browser, send};
use crate::server::Server;

const ADD: &str = "/api/add_to_cart";

async fn post_raw(browser: &Browser, path: &str, kind: &str, body: impl Into<String>) -> Answer {
    let request = browser
        .request(Method::POST, path)
        .header("Content-Type", kind);
    send(request.body(body.into())).await
}

#[tokio::test]
async fn malformed_json_is_400() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let deep = "[".repeat(100_000);
    for body in [
        "",
        "{",
        "{\"product_id\":1",
        "{\"product_id\":\"x\"",
        "[1",
        "nonsense",
        &deep,
    ] {
        post_raw(&browser, ADD, "application/json", body)
            .await
            .expect_error(400);
    }
    assert_eq!(browser.cookie(), None);
}

#[tokio::test]
async fn missing_and_mistyped_fields_are_422() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for (path, body) in [
        (ADD, json!({})),
        (ADD, json!([1])),
        (ADD, json!(1)),
        (ADD, json!(null)),
        (ADD, json!({ "product_id": "1" })),
        (ADD, json!({ "product_id": 1.5 })),
        (ADD, json!({ "product_id": null })),
        ("/api/remove_from_cart", json!({})),
        ("/api/login", json!({ "email": "alice@example.com" })),
        (
            "/api/login",
            json!({ "email": "alice@example.com", "password": 1 }),
        ),
        ("/api/save_step1", json!({ "name": "a" })),
        ("/api/save_step2", json!({ "phone": 1, "address": "b" })),
        ("/api/update_preferences", json!({ "theme": 1 })),
        (
            "/api/update_preferences",
            json!({ "notifications": "true" }),
        ),
        ("/api/create_user", json!({ "email": "b" })),
        ("/api/slow_set", json!({ "key": "k", "ms": 0 })),
        ("/api/slow_set", json!({ "key": "k", "value": 1 })),
        ("/api/slow_set", json!({ "key": "k", "value": 1, "ms": -1 })),
        (
            "/api/slow_set",
            json!({ "key": "k", "value": 1, "ms": 2001 }),
        ),
    ] {
        browser.post(path, body).await.expect_error(422);
    }
    for fields in [
        &[][..],
        &[("product_id", "x")],
        &[("product_id", "")],
        &[("product_id", "1.5")],
    ] {
        browser.form(ADD, fields).await.expect_error(422);
    }
    browser
        .form("/api/update_preferences", &[("notifications", "maybe")])
        .await
        .expect_error(422);
    assert_eq!(browser.cookie(), None);
}

#[tokio::test]
async fn other_content_types_are_415() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for kind in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/vnd.api+json",
        "application/jsonp",
        "application/x-www-form-urlencoded-v2",
        "nonsense",
    ] {
        post_raw(&browser, ADD, kind, r#"{"product_id":1}"#)
            .await
            .expect_error(415);
    }
    let untyped = browser
        .request(Method::POST, ADD)
        .body(r#"{"product_id":1}"#);
    send(untyped).await.expect_error(415);
}

#[tokio::test]
async fn a_content_type_in_other_letters_or_with_a_charset_is_fine() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for json in [
        "application/json; charset=utf-8",
        "Application/JSON ;charset=utf-8",
    ] {
        post_raw(&browser, ADD, json, r#"{"product_id":1}"#)
            .await
            .expect(200);
    }
    for form in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
    ] {
        post_raw(&browser, ADD, form, "product_id=-2")
            .await
            .expect(200);
    }
    assert_eq!(browser.session().await, json!({ "cart": [1, -2] }));
}

#[tokio::test]
async fn unasked_fields_are_never_stored() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let extra = ("is_admin", json!(true));
    for (path, mut body) in [
        (ADD, json!({ "product_id": 1 })),
        ("/api/save_step1", json!({ "name": "a", "email": "b" })),
        ("/api/save_step2", json!({ "phone": "a", "address": "b" })),
        ("/api/update_preferences", json!({})),
    ] {
        body[extra.0] = extra.1.clone();
        browser.post(path, body).await.expect(200);
    }
    let fields = [("product_id", "2"), ("is_admin", "true")];
    browser.form(ADD, &fields).await.expect(200);
    assert_eq!(
        browser.session().await,
        json!({
            "cart": [1, 2],
            "registration_step1": { "name": "a", "email": "b" },
            "registration_step2": { "phone": "a", "address": "b" },
            "preferences": { "theme": "light", "language": "ko", "notifications": true },
        })
    );
}

#[tokio::test]
async fn unknown_routes_and_methods_are_json_too() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for path in [
        "/nowhere",
        "/api",
        "/api/",
        "/api/unknown",
        "/login/",
        "/assets/unknown.js",
    ] {
        browser.get(path).await.expect_error(404);
    }
    let answer = browser.get("/api/login").await.expect_error(405);
    assert_eq!(answer.header("allow"), "POST");
    send(browser.request(Method::DELETE, "/api/session"))
        .await
        .expect_error(405);
    send(browser.request(Method::POST, "/"))
        .await
        .expect_error(405);
}

#[tokio::test]
async fn what_goes_wrong_inside_is_no_clients_business() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let no_list = json!({ "key": "cart", "value": "x", "ms": 0 });
    browser.post("/api/slow_set", no_list).await.expect(200);
    let answer = browser.get("/api/get_cart").await.expect_error(500);
    assert_eq!(answer.json(), json!({ "error": "Internal Server Error" }));
}
