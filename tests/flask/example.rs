//! The examples beside Flask.

#[path = "../support/example_server.rs"]
#[allow(dead_code)]
mod server;

use serde_json::json;

use crate::{
    python,
    there::There,
    visitor::{KEY, Visitor},
};

/// Flask and the example server, for as long as they are held, and a visitor of both.
fn both() -> (There, server::Server, Visitor) {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    let here = server::Server::spawn(server::command().env("FLASK_SECRET_KEY", KEY));
    let port = here
        .url("")
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let visitor = Visitor::at(port.expect("a port"), there.port);
    (there, here, visitor)
}

#[tokio::test]
async fn the_example_server_shares_its_login() {
    let (_there, _here, visitor) = both();
    visitor.there("session['user_id'] = 123").await;
    assert_eq!(visitor.get("api/check_session").await["logged_in"], true);
    assert_eq!(visitor.get("api/session").await, json!({ "user_id": 123 }));
    visitor
        .post("api/add_to_cart", &json!({ "product_id": 7 }))
        .await;
    assert_eq!(visitor.there("pass").await, "{'cart': [7], 'user_id': 123}");
    visitor.post("api/logout", &json!({})).await;
    assert_eq!(visitor.there("pass").await, "{}");

    let alice = json!({ "email": "alice@example.com", "password": "wonderland" });
    visitor.post("api/login", &alice).await;
    let seen = "{'is_admin': True, 'user_email': 'alice@example.com', 'user_id': 123}";
    assert_eq!(visitor.there("pass").await, seen);
    visitor.there("session.clear()").await;
    assert_eq!(
        visitor.get("api/check_session").await,
        json!({ "logged_in": false })
    );
    let forged = json!({ "key": "user_id", "value": 123, "ms": 0 });
    visitor.post("api/slow_set", &forged).await;
    assert_eq!(
        visitor.get("api/check_session").await,
        json!({ "logged_in": false })
    );
    assert_eq!(visitor.there("pass").await, "{}");
}

/// Their responses come in any order, and most requests are sent with a cookie of Flask's that is outdated by then.
#[tokio::test]
async fn a_hundred_requests_at_once_lose_nothing() {
    let (_there, _here, visitor) = both();
    visitor.there("session['user_id'] = 123").await;
    assert_eq!(visitor.get("api/check_session").await["logged_in"], true);

    let add = async |product: usize| {
        let body = json!({ "product_id": product });
        visitor.post("api/add_to_cart", &body).await["count"].as_u64()
    };
    let counts = futures_util::future::join_all((1..=100).map(add)).await;
    let mut counts: Vec<_> = counts.into_iter().flatten().collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=100).collect::<Vec<_>>());
    assert_eq!(
        visitor.get("api/get_cart").await.as_array().map(Vec::len),
        Some(100)
    );
    let seen = "assert sorted(session['cart']) == list(range(1, 101)), session";
    visitor.there(seen).await;
}

/// The whole of it with one command.
#[tokio::test]
async fn the_example_with_a_proxy_shares_its_login() {
    let mut example = std::process::Command::new(server::example("flask"));
    example.env("PORT", "0").env("PYTHON", python::flask_3_1());
    let mut example = server::Server::spawn(&mut example);
    let client = reqwest::Client::builder().cookie_store(true).build();
    let client = client.expect("a plain client");
    let text = async |request: reqwest::RequestBuilder| {
        request
            .send()
            .await
            .expect("it answers")
            .text()
            .await
            .expect("text")
    };
    let up = async || text(client.get(example.url("/"))).await;
    while up().await.contains("not yet") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let page = text(client.post(example.url("/login")).form(&[("user_id", "7")])).await;
    assert!(page.contains("Flask's. You are user 7"), "{page}");
    let page = text(client.post(example.url("/cart")).form(&[("item", "1")])).await;
    assert!(page.contains("axum's. You are user 7, with [1]"), "{page}");
    assert!(up().await.contains("1 in the"));
    let page = text(client.post(example.url("/account/logout"))).await;
    assert!(
        page.contains("Flask's. You are nobody") && page.contains("0 in the"),
        "{page}"
    );
    let page = text(client.get(example.url("/cart"))).await;
    assert!(page.contains("axum's. You are nobody, with []"), "{page}");
    // It stops Flask too.
    example.signal("INT");
    assert!(example.exited_cleanly());
}
