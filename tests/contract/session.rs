//! The session as a whole, and requests that are slow to write it.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::browser::{Answer, Browser, send};
use crate::server::Server;

async fn slow_set(browser: &Browser, key: &str, value: Value, ms: u32) -> Answer {
    let body = json!({ "key": key, "value": value, "ms": ms });
    browser.post("/api/slow_set", body).await.expect(200)
}

#[tokio::test]
async fn healthz_never_touches_the_session() {
    let server = Server::start();
    let answer = Browser::new(&server).get("/healthz").await.expect(200);
    assert_eq!(answer.set_cookie(), None);
    assert!(!answer.headers.contains_key("vary"));
}

#[tokio::test]
async fn stores_any_json_and_gives_it_back() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let values = json!({
        "null": null,
        "big": u64::MAX,
        "small": i64::MIN,
        "float": 0.1 + 0.2,
        "열쇠 🗝": ["값", { "깊이": [1, 2, { "a": "\u{0}\"\\" }] }],
        "": "an empty key",
    });
    for (key, value) in values.as_object().expect("an object") {
        let answer = slow_set(&browser, key, value.clone(), 0).await;
        assert_eq!(answer.json(), json!({ "ok": true }));
    }
    assert_eq!(browser.session().await, values);

    let fields = [("key", "text"), ("value", "1"), ("ms", "5")];
    browser.form("/api/slow_set", &fields).await.expect(200);
    assert_eq!(browser.session().await["text"], "1");
}

#[tokio::test]
async fn a_session_goes_on_under_a_new_id() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let regenerate = || browser.post("/api/regenerate", json!({}));
    let none = regenerate().await.expect(200);
    assert_eq!(none.set_cookie(), None, "there is none yet");
    let first = slow_set(&browser, "a", json!(1), 0).await;
    let second = regenerate().await.expect(200);
    assert_ne!(second.set_cookie(), first.set_cookie());
    assert!(second.set_cookie().is_some());
    assert_eq!(browser.session().await, json!({ "a": 1 }));
}

#[tokio::test]
async fn numbers_keep_every_digit() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let value =
        "[123456789012345678901234567890,18446744073709551616,-0,0.10,1E2,{\"b\":1,\"a\":2}]";
    let body = format!(r#"{{"key":"n","value":{value},"ms":0}}"#);
    let request = browser.request(Method::POST, "/api/slow_set");
    let request = request
        .header("Content-Type", "application/json")
        .body(body);
    send(request).await.expect(200);
    let session = browser.get("/api/session").await.expect(200);
    assert_eq!(session.body, format!(r#"{{"n":{value}}}"#));
}

#[tokio::test]
async fn stores_values_of_256_kb() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let value = json!("가".repeat(256 * 1024 / 3));
    slow_set(&browser, "big", value.clone(), 0).await;
    assert_eq!(browser.session().await["big"], value);
}

#[tokio::test]
async fn refuses_a_session_that_grows_too_large() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let huge = "x".repeat(3 << 19);
    for key in ["a", "b", "c", "d", "e"] {
        slow_set(&browser, key, json!(huge), 0).await;
    }
    let before = browser.session().await;
    let body = json!({ "key": "f", "value": huge, "ms": 0 });
    browser.post("/api/slow_set", body).await.expect_error(413);
    let body = json!({ "key": "f", "value": "x".repeat(5 << 20), "ms": 0 });
    browser.post("/api/slow_set", body).await.expect_error(413);
    assert_eq!(browser.session().await, before);
}

#[tokio::test]
async fn keeps_what_a_hundred_slow_requests_set_at_once() {
    let server = Server::start();
    let browser = Browser::new(&server);
    slow_set(&browser, "first", json!(0), 0).await;

    let keys: Vec<_> = (0..100).map(|n| format!("key{n}")).collect();
    join_all(
        keys.iter()
            .map(|key| slow_set(&browser, key, json!(key), 50)),
    )
    .await;

    let mut expected: Map<String, Value> =
        keys.iter().map(|key| (key.clone(), json!(key))).collect();
    expected.insert("first".to_owned(), json!(0));
    assert_eq!(browser.session().await, Value::Object(expected));
}

#[tokio::test]
async fn a_logout_holds_against_a_slow_request() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.log_in_as_alice().await;
    let cookie = browser.cookie().expect("a cookie");
    let slow = Browser::with_cookie(&server, &cookie);

    let log_out = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        browser.post("/api/logout", json!({})).await.expect(200)
    };
    let (written, _) = join(slow_set(&slow, "user_id", json!(123), 800), log_out).await;

    assert_eq!(written.set_cookie(), None);
    assert_eq!(browser.session().await, json!({}));
    assert_eq!(
        Browser::with_cookie(&server, &cookie).session().await,
        json!({})
    );
}

#[tokio::test]
async fn a_login_holds_against_a_slow_request() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let cookie = browser.cookie().expect("a cookie");
    let slow = Browser::with_cookie(&server, &cookie);

    let log_in = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        browser.log_in_as_alice().await
    };
    let (written, _) = join(slow_set(&slow, "late", json!(1), 1500), log_in).await;

    assert_eq!(written.set_cookie(), None);
    assert!(browser.is_logged_in().await);
    assert_eq!(browser.session().await["cart"], json!([7]));
    assert_eq!(
        Browser::with_cookie(&server, &cookie).session().await,
        json!({})
    );
}
