//! Requests as the example server takes them, and its answers as the model knows them.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{
    Client, Method, RequestBuilder,
    header::{ACCEPT, COOKIE, SET_COOKIE},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::request::{Id, Kind, Preference, flash};

/// Longer than any request takes on a store that does not answer, but for the last of them.
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) fn client() -> Client {
    let client = Client::builder().timeout(PATIENCE).build();
    client.expect("a plain client")
}

/// A request with an id of these cookies.
pub(crate) fn build(
    client: &Client,
    server: &str,
    kind: &Kind,
    id: Option<Id>,
    cookies: &BTreeMap<Id, String>,
) -> RequestBuilder {
    let (method, path, body) = in_http(kind, cookies);
    let mut request = client.request(method, format!("{server}{path}"));
    request = request.header(ACCEPT, "application/json");
    if !body.is_null() {
        request = request.json(&body);
    }
    match id {
        Some(id) => request.header(COOKIE, format!("sid={}", cookies[&id])),
        None => request,
    }
}

/// Status, body and the value of the cookie that is set, which is empty if it is removed.
pub(crate) async fn answer(
    request: RequestBuilder,
) -> Result<(u16, Value, Option<String>), reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let lines: Vec<_> = response
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    assert!(lines.len() <= 1, "{lines:?}");
    let cookie = lines.first().map(|line| {
        let line = line.to_str().expect("ASCII");
        let pair = line
            .split(';')
            .next()
            .and_then(|pair| pair.strip_prefix("sid="));
        pair.expect("the session's cookie").to_owned()
    });
    let body = response.text().await?;
    Ok((
        status,
        serde_json::from_str(&body).unwrap_or(Value::Null),
        cookie,
    ))
}

fn in_http(kind: &Kind, cookies: &BTreeMap<Id, String>) -> (Method, &'static str, Value) {
    let set = |key: &str, value: Value, ms: u32| json!({ "key": key, "value": value, "ms": ms });
    let (path, body) = match kind {
        Kind::Read => return (Method::GET, "/api/session", Value::Null),
        Kind::Take => return (Method::GET, "/users", Value::Null),
        Kind::Set(key, value, ms) => ("/api/slow_set", set(key, json!(value), *ms)),
        Kind::Flash(number) => ("/api/slow_set", set("flash_message", flash(*number), 0)),
        Kind::Add(product) => ("/api/add_to_cart", json!({ "product_id": product })),
        Kind::Remove(product) => ("/api/remove_from_cart", json!({ "product_id": product })),
        Kind::Clear => ("/api/clear_cart", json!({})),
        Kind::Prefer(Preference::Theme(number)) => (
            "/api/update_preferences",
            json!({ "theme": number.to_string() }),
        ),
        Kind::Prefer(Preference::Language(number)) => (
            "/api/update_preferences",
            json!({ "language": number.to_string() }),
        ),
        Kind::LogIn(user) => (
            "/api/login",
            json!({ "email": user.email(), "password": "guest" }),
        ),
        Kind::LogOut => ("/api/logout", json!({})),
        Kind::Regenerate => ("/api/regenerate", json!({})),
        Kind::Revoke(target) => (
            "/api/sessions/revoke",
            json!({ "handle": handle(&cookies[target]) }),
        ),
        Kind::RevokeOthers => ("/api/sessions/revoke_others", json!({})),
    };
    (Method::POST, path, body)
}

/// What of an answer the model knows.
pub(crate) fn seen(kind: &Kind, mut body: Value) -> Value {
    match kind {
        Kind::Take => body["flash"].take(),
        Kind::Clear
        | Kind::LogIn(_)
        | Kind::LogOut
        | Kind::Regenerate
        | Kind::Revoke(_)
        // How many it ended: there may be sessions that no answer has told of.
        | Kind::RevokeOthers => Value::Null,
        _ => body,
    }
}

/// A session's public name: the hash of its id, which is the end of its cookie, cut to 128 bits.
fn handle(cookie: &str) -> String {
    let id = &cookie[cookie.len() - 32..];
    let digest = Sha256::digest(id);
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
