//! The cart, also when it is filled by many requests at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::server::Server;

#[tokio::test]
async fn adds_each_product_once_and_keeps_the_order() {
    let server = Server::start();
    let browser = Browser::new(&server);

    assert_eq!(
        browser.add_to_cart(7).await.json(),
        json!({ "cart": [7], "count": 1 })
    );
    assert_eq!(
        browser.add_to_cart(3).await.json(),
        json!({ "cart": [7, 3], "count": 2 })
    );
    assert_eq!(
        browser.add_to_cart(7).await.json(),
        json!({ "cart": [7, 3], "count": 2 })
    );
    assert_eq!(browser.session().await, json!({ "cart": [7, 3] }));
}

#[tokio::test]
async fn accepts_any_64_bit_integer() {
    let server = Server::start();
    let browser = Browser::new(&server);

    browser.add_to_cart(i64::MIN).await;
    browser.add_to_cart(0).await;
    let max = i64::MAX.to_string();
    let answer = browser
        .form("/api/add_to_cart", &[("product_id", &max)])
        .await
        .expect(200);

    assert_eq!(
        answer.json(),
        json!({ "cart": [i64::MIN, 0, i64::MAX], "count": 3 })
    );
}

#[tokio::test]
async fn shows_known_products_in_cart_order() {
    let server = Server::start();
    let browser = Browser::new(&server);
    assert_eq!(
        browser.get("/api/get_cart").await.expect(200).json(),
        json!([])
    );

    for product in [100, 0, 101, 1] {
        browser.add_to_cart(product).await;
    }

    assert_eq!(
        browser.get("/api/get_cart").await.expect(200).json(),
        json!([
            { "id": 100, "name": "Product 100", "price": 100_000 },
            { "id": 1, "name": "Product 1", "price": 1000 },
        ])
    );
}

#[tokio::test]
async fn removes_and_clears() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for product in [1, 2, 3] {
        browser.add_to_cart(product).await;
    }

    let removed = browser
        .post("/api/remove_from_cart", json!({ "product_id": 2 }))
        .await;
    assert_eq!(removed.expect(200).json(), json!({ "cart": [1, 3] }));
    let again = browser
        .form("/api/remove_from_cart", &[("product_id", "2")])
        .await;
    assert_eq!(again.expect(200).json(), json!({ "cart": [1, 3] }));

    let cleared = browser.post("/api/clear_cart", json!({})).await.expect(200);
    assert_eq!(cleared.json(), json!({ "message": "Cart cleared" }));
    assert_eq!(browser.session().await, json!({}));
}

#[tokio::test]
async fn loses_nothing_to_a_hundred_requests_at_once() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(0).await;

    let answers = join_all((1..=100).map(|product| browser.add_to_cart(product))).await;

    let counts: BTreeSet<_> = answers.iter().map(|answer| count(&answer.json())).collect();
    assert_eq!(
        counts,
        (2..=101).collect(),
        "each request answers its own true count"
    );
    let session = browser.session().await;
    let cart = session["cart"].as_array().expect("a cart");
    let products: BTreeSet<_> = cart.iter().filter_map(Value::as_i64).collect();
    assert_eq!(cart.len(), 101);
    assert_eq!(products, (0..=100).collect());
}

#[tokio::test]
async fn has_no_duplicates_when_one_product_is_added_at_once() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(0).await;

    let answers = join_all((0..50).map(|_| browser.add_to_cart(7))).await;

    for answer in answers {
        assert_eq!(answer.json(), json!({ "cart": [0, 7], "count": 2 }));
    }
}

fn count(answer: &Value) -> u64 {
    let count = answer["count"].as_u64().expect("a count");
    assert_eq!(
        answer["cart"].as_array().map(Vec::len),
        usize::try_from(count).ok()
    );
    count
}
