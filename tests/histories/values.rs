//! The values of one session, and what a request does to them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::request::{Kind, Preference, flash};

pub(crate) type Values = BTreeMap<String, Value>;

/// Does it, and gives the answer: `None` for any.
pub(crate) fn change(kind: &Kind, values: &mut Values) -> Option<Value> {
    let cart = |values: &Values| {
        let cart = values.get("cart").and_then(Value::as_array);
        cart.cloned().unwrap_or_default()
    };
    match kind {
        Kind::Read => Some(Value::Object(Map::from_iter(values.clone()))),
        Kind::Set(key, value, _) => {
            values.insert((*key).to_owned(), json!(value));
            Some(json!({ "ok": true }))
        }
        Kind::Flash(number) => {
            values.insert("flash_message".to_owned(), flash(*number));
            Some(json!({ "ok": true }))
        }
        Kind::Take => Some(values.remove("flash_message").unwrap_or(Value::Null)),
        Kind::Add(product) => {
            let mut cart = cart(values);
            if !cart.contains(&json!(product)) {
                cart.push(json!(product));
                values.insert("cart".to_owned(), json!(cart));
            }
            Some(json!({ "count": cart.len(), "cart": cart }))
        }
        Kind::Remove(product) => {
            let mut cart = cart(values);
            if cart.contains(&json!(product)) {
                cart.retain(|other| *other != json!(product));
                values.insert("cart".to_owned(), json!(cart));
            }
            Some(json!({ "cart": cart }))
        }
        Kind::Clear => {
            values.remove("cart");
            None
        }
        Kind::Prefer(preference) => {
            let former = values.get("preferences").cloned();
            let mut all = former.unwrap_or_else(
                || json!({ "theme": "light", "language": "ko", "notifications": true }),
            );
            match preference {
                Preference::Theme(number) => all["theme"] = json!(number.to_string()),
                Preference::Language(number) => all["language"] = json!(number.to_string()),
            }
            values.insert("preferences".to_owned(), all.clone());
            Some(all)
        }
        Kind::LogIn(_) | Kind::LogOut | Kind::Regenerate | Kind::Revoke(_) | Kind::RevokeOthers => {
            None
        }
    }
}
