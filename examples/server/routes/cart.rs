//! The cart.

use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use wiz_session::WizSession;

use crate::error::Result;
use crate::input::Input;
use crate::model::{Cart, Product, Users};

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/api/products", get(products))
        .route("/api/add_to_cart", post(add_to_cart))
        .route("/api/remove_from_cart", post(remove_from_cart))
        .route("/api/get_cart", get(get_cart))
        .route("/api/clear_cart", post(clear_cart))
}

#[derive(Deserialize)]
struct Choice {
    product_id: i64,
}

/// What the page offers to put into the cart.
async fn products() -> Json<Vec<Product>> {
    Json(Product::all())
}

async fn add_to_cart(session: WizSession, Input(choice): Input<Choice>) -> Result<Json<Value>> {
    let cart = Cart::of(&session).add(choice.product_id).await?;
    Ok(Json(json!({ "cart": cart, "count": cart.len() })))
}

async fn remove_from_cart(
    session: WizSession,
    Input(choice): Input<Choice>,
) -> Result<Json<Value>> {
    let cart = Cart::of(&session).remove(choice.product_id).await?;
    Ok(Json(json!({ "cart": cart })))
}

async fn get_cart(session: WizSession) -> Result<Json<Vec<Product>>> {
    Ok(Json(Cart::of(&session).products()?))
}

async fn clear_cart(session: WizSession) -> Json<Value> {
    Cart::of(&session).clear();
    Json(json!({ "message": "Cart cleared" }))
}
