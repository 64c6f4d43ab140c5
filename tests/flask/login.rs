//! One login on both sides, and one logout.

use serde_json::{Value, json};
use wiz_session::flask::FlaskUser;

use crate::{
    python,
    there::There,
    visitor::{KEY, Visitor},
};

/// Wiz's session has methods where Flask's is a dictionary, and the user's row is its keys.
async fn log_in_there(visitor: &Visitor, there: &There) {
    match there.is_wiz {
        true => visitor.there("session.set(id=7, name='Alice')").await,
        false => visitor.there("session.update(id=7, name='Alice')").await,
    };
}

async fn log_in_and_out(there: &There) {
    let settings =
        |bridge: wiz_session::flask::FlaskBridgeBuilder| bridge.user(FlaskUser::key("id"));
    let visitor = Visitor::with(there, settings).await;

    // In there.
    log_in_there(&visitor, there).await;
    assert_eq!(visitor.user().await, "7", "{}", there.log());
    assert_eq!(visitor.values().await, json!({ "id": 7, "name": "Alice" }));
    assert_eq!(visitor.cookies(), ["session", "sid"]);
    // Out here.
    visitor.here("log_out").await;
    assert_eq!(visitor.there("pass").await, "{}");
    assert_eq!(visitor.cookies(), [""; 0]);

    // In here, where `name` is the server's alone, as Flask never had it.
    visitor.here("log_in/8").await;
    visitor.set("name", &json!("Bob")).await;
    assert_eq!(visitor.there("pass").await, "{'id': 8}");
    // Out there.
    assert_eq!(visitor.there("session.clear()").await, "{}");
    assert!(visitor.has_no_login(&visitor.here("show").await));
    assert_eq!(visitor.cookies(), [""; 0]);

    // Another user, one after the other, in there and out there.
    log_in_there(&visitor, there).await;
    visitor.set("secret", &json!(1)).await;
    visitor
        .there(if there.is_wiz {
            "session.set(id=9)"
        } else {
            "session['id'] = 9"
        })
        .await;
    assert_eq!(visitor.user().await, "9");
    assert_eq!(visitor.values().await["secret"], Value::Null);
    visitor
        .there(if there.is_wiz {
            "session.delete('id')"
        } else {
            "del session['id']"
        })
        .await;
    assert_eq!(visitor.user().await, Value::Null);
}

#[tokio::test]
async fn with_flask_3_0() {
    log_in_and_out(&There::flask(python::wiz(), KEY, &[])).await;
}

#[tokio::test]
async fn with_flask_3_1() {
    log_in_and_out(&There::flask(python::flask_3_1(), KEY, &[])).await;
}

#[tokio::test]
async fn with_wiz() {
    log_in_and_out(&There::wiz(KEY)).await;
}

#[tokio::test]
async fn a_value_under_the_users_key_is_a_login_on_neither_side() {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    let visitor = Visitor::of(&there).await;
    visitor.set("user_id", &json!(1)).await;
    visitor.set("theme", &json!("dark")).await;
    assert_eq!(visitor.there("pass").await, "{'theme': 'dark'}");
    assert_eq!(visitor.user().await, Value::Null);
    visitor.here("log_in/5").await;
    visitor.set("user_id", &json!(1)).await;
    assert_eq!(
        visitor.there("pass").await,
        "{'theme': 'dark', 'user_id': 5}"
    );
    assert_eq!(visitor.user().await, "5");
}

#[tokio::test]
async fn a_key_is_changed_there_first_and_then_here() {
    let old = There::flask(python::flask_3_1(), KEY, &[]);
    let visitor = Visitor::of(&old).await;
    visitor.there("session['user_id'] = 7").await;
    assert_eq!(visitor.user().await, "7");
    visitor.set("a", &json!(1)).await;

    // Here the old one signs still, and the new one is accepted: as fallbacks are all that is not the first.
    let both = |bridge: wiz_session::flask::FlaskBridgeBuilder| {
        bridge.share_all().fallback_keys(["a new key"])
    };
    let new = There::flask(python::flask_3_1(), "a new key", &[KEY]);
    let visitor = visitor.moved_to(&new);
    assert_eq!(
        visitor.there("session['b'] = 2").await,
        "{'a': 1, 'b': 2, 'user_id': 7}"
    );
    let next = Visitor::with(&new, both).await;
    next.there("session['user_id'] = 7").await;
    assert_eq!(next.user().await, "7");
    next.set("c", &json!(3)).await;
    assert_eq!(next.there("pass").await, "{'c': 3, 'user_id': 7}");

    // Without it the visitor is nobody, and no error.
    assert!(visitor.has_no_login(&visitor.here("show").await));
}

#[tokio::test]
async fn messages_are_shown_once_on_either_side() {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    let visitor = Visitor::of(&there).await;
    visitor
        .there("flash('Saved', 'success'); flash(Markup('<b>No</b>'))")
        .await;
    let expected = json!([
        { "level": "success", "message": "Saved" },
        { "level": "info", "message": "<b>No</b>" },
    ]);
    assert_eq!(visitor.here("flashes").await, expected);
    assert_eq!(visitor.there("assert messages() == []").await, "{}");

    visitor.here("flash/Careful").await;
    visitor.there("flash('Twice')").await;
    let seen = "assert messages() == [('warning', 'Careful'), ('message', 'Twice')], messages()";
    visitor.there(seen).await;
    assert_eq!(visitor.here("flashes").await, json!([]));
}

#[tokio::test]
async fn a_permanent_session_stays_one() {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    let visitor = Visitor::of(&there).await;
    visitor
        .there("session.permanent = True; session['user_id'] = 7")
        .await;
    visitor.set("a", &json!(1)).await;
    let seen = visitor.there("assert session.permanent").await;
    assert_eq!(seen, "{'_permanent': True, 'a': 1, 'user_id': 7}");
    assert_eq!(visitor.user().await, "7");
}
