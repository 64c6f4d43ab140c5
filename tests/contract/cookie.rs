//! The cookie: how it looks, who sends it, and that a forged one is nobody's.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{COOKIE, HeaderValue};
use serde_json::json;

use crate::browser::{Answer, Browser, send};
use crate::server::Server;

/// The value of a `Set-Cookie` and its attributes.
fn parse(set_cookie: &str) -> (&str, BTreeSet<&str>) {
    let mut parts = set_cookie.split("; ");
    let cookie = parts.next().expect("a first part");
    (
        cookie.strip_prefix("sid=").expect("our name"),
        parts.collect(),
    )
}

#[tokio::test]
async fn has_exactly_the_promised_attributes() {
    let server = Server::start();
    let browser = Browser::new(&server);

    let set = browser.add_to_cart(1).await;
    let (value, attributes) = parse(set.set_cookie().expect("the first write sends it"));
    assert!(!value.is_empty());
    assert_eq!(
        attributes,
        BTreeSet::from(["HttpOnly", "SameSite=Lax", "Path=/"])
    );
    assert!(set.header("cache-control").contains("no-store"));

    let removal = browser.post("/api/logout", json!({})).await.expect(200);
    let (value, attributes) = parse(removal.set_cookie().expect("the logout removes it"));
    assert_eq!(value, "");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=0"] {
        assert!(
            attributes.contains(attribute),
            "{attribute} in {attributes:?}"
        );
    }
    assert!(
        !attributes
            .iter()
            .any(|attribute| attribute.starts_with("Domain"))
    );
}

#[tokio::test]
async fn is_sent_by_the_first_write_only() {
    let server = Server::start();
    let writes = [
        ("/api/add_to_cart", json!({ "product_id": 1 }), 200),
        ("/api/save_step1", json!({ "name": "a", "email": "b" }), 200),
        (
            "/api/save_step2",
            json!({ "phone": "1", "address": "2" }),
            200,
        ),
        ("/api/update_preferences", json!({ "theme": "dark" }), 200),
        (
            "/api/create_user",
            json!({ "name": "a", "email": "b" }),
            303,
        ),
        (
            "/api/slow_set",
            json!({ "key": "k", "value": 1, "ms": 0 }),
            200,
        ),
    ];
    let known = Browser::new(&server);
    known.add_to_cart(2).await;
    for (path, body, status) in writes {
        let visitor = Browser::new(&server);
        let first = visitor.post(path, body.clone()).await.expect(status);
        assert!(first.set_cookie().is_some(), "{path}");
        let later = known.post(path, body).await.expect(status);
        assert_eq!(later.set_cookie(), None, "{path}");
    }
    for path in ["/api/remove_from_cart", "/api/clear_cart"] {
        let later = known
            .post(path, json!({ "product_id": 1 }))
            .await
            .expect(200);
        assert_eq!(later.set_cookie(), None, "{path}");
    }
}

#[tokio::test]
async fn is_never_sent_by_a_read_or_by_a_write_of_nothing() {
    let server = Server::start();
    let known = Browser::new(&server);
    known.log_in_as_alice().await;
    let dead = Browser::new(&server);
    dead.add_to_cart(1).await;
    let dead_cookie = dead.cookie().expect("a cookie");
    dead.post("/api/logout", json!({})).await.expect(200);

    for browser in [
        Browser::new(&server),
        known,
        Browser::with_cookie(&server, &dead_cookie),
        Browser::with_cookie(&server, "sid=forged"),
    ] {
        for path in READS {
            let answer = browser.get_json(path).await;
            assert_eq!(answer.set_cookie(), None, "{path}");
        }
    }
    let visitor = Browser::new(&server);
    for path in [
        "/api/remove_from_cart",
        "/api/clear_cart",
        "/api/complete_registration",
    ] {
        let answer = visitor.post(path, json!({ "product_id": 1 })).await;
        assert_eq!(answer.set_cookie(), None, "{path}");
    }
}

const READS: [&str; 10] = [
    "/",
    "/login",
    "/users",
    "/healthz",
    "/nowhere",
    "/api/session",
    "/api/check_session",
    "/api/get_cart",
    "/api/get_preferences",
    "/api/products",
];

async fn session_with(browser: &Browser, cookie: &[u8]) -> Answer {
    let cookie = HeaderValue::from_bytes(cookie).expect("a header");
    send(
        browser
            .request(Method::GET, "/api/session")
            .header(COOKIE, cookie),
    )
    .await
}

#[tokio::test]
async fn altered_in_any_byte_it_is_anonymous() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(1).await;
    let cookie = browser.cookie().expect("a cookie").into_bytes();
    let genuine = session_with(&browser, &cookie).await.expect(200);
    assert_eq!(genuine.json(), json!({ "cart": [1] }));

    for position in "sid=".len()..cookie.len() {
        for replacement in replacements(cookie[position]) {
            let mut altered = cookie.clone();
            altered[position] = replacement;
            assert_anonymous(&browser, &altered).await;
        }
        let mut shortened = cookie.clone();
        shortened.remove(position);
        assert_anonymous(&browser, &shortened).await;
    }
}

/// The other letter case, the next code points (among them spare base64 bits), and bytes that
/// belong in no cookie.
fn replacements(byte: u8) -> impl Iterator<Item = u8> {
    [
        byte ^ 0x20,
        byte ^ 1,
        byte ^ 2,
        byte ^ 4,
        b'A',
        b'=',
        b'%',
        0xff,
    ]
    .into_iter()
    // A header cannot hold control characters; `;` and spaces are trimmed, not altered.
    .filter(move |&other| other != byte && other > b' ' && other != 0x7f && other != b';')
}

#[tokio::test]
async fn a_malformed_one_is_anonymous() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(1).await;
    let cookie = browser.cookie().expect("a cookie");
    for suffix in ["=", "==", "A", "%3D", "\u{e9}"] {
        assert_anonymous(&browser, format!("{cookie}{suffix}").as_bytes()).await;
    }
    for cookie in [
        "sid", "sid=", "=", "sid=/", "sid=..", "sid=%00", "sid=\"\"", ";;;", "sid=🍪",
    ] {
        assert_anonymous(&browser, cookie.as_bytes()).await;
    }
    assert_anonymous(&browser, format!("sid={}", "a".repeat(16 << 10)).as_bytes()).await;
}

async fn assert_anonymous(browser: &Browser, cookie: &[u8]) {
    let answer = session_with(browser, cookie).await.expect(200);
    let cookie = String::from_utf8_lossy(cookie);
    assert_eq!(answer.json(), json!({}), "{cookie}");
    assert_eq!(answer.set_cookie(), None, "{cookie}");
}
