//! The example server beside Flask.

#[path = "../support/example_server.rs"]
#[allow(dead_code)]
mod server;

use serde_json::json;

use crate::{
    python,
    there::There,
    visitor::{KEY, Visitor},
};

#[tokio::test]
async fn the_example_server_shares_its_login() {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    let here = server::Server::spawn(server::command().env("FLASK_SECRET_KEY", KEY));
    let port = here
        .url("")
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let visitor = Visitor::at(port.expect("a port"), there.port);

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
