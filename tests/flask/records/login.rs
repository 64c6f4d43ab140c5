//! One login on both sides, and one logout.

use serde_json::{Value, json};

use super::engine::{Both, Database, Engine, on_every_engine};

on_every_engine!(
    a_login_there_is_one_here,
    a_login_here_is_one_there,
    who_logs_in_gets_a_new_id,
    all_sessions_of_a_user_end_on_both_sides,
);

async fn a_login_there_is_one_here(database: &Database) {
    let both = Both::of(database).await;
    let visitor = both.visitor();
    visitor.there("session.update(user_id=7, cart=[1])").await;
    let id = visitor.cookie("session");
    assert_eq!(visitor.user().await, "7", "{}", both.there.log());
    assert_eq!(visitor.values().await, json!({ "cart": [1] }));
    assert_eq!(visitor.cookies(), ["session", "sid"]);
    assert_eq!(visitor.cookie("session"), id, "it is the same record");

    // What either side changes the other sees.
    visitor.set("cart", &json!([1, 2])).await;
    visitor.set("theme", &json!("dark")).await;
    let seen = "{'cart': [1, 2], 'theme': 'dark', 'user_id': 7}";
    assert_eq!(visitor.there("pass").await, seen);
    visitor
        .there("session['cart'] += [3]; del session['theme']")
        .await;
    assert_eq!(visitor.values().await, json!({ "cart": [1, 2, 3] }));
    visitor.here("delete/cart").await;
    assert_eq!(visitor.there("pass").await, "{'user_id': 7}");

    // Another user, and nobody.
    visitor.there("session['user_id'] = 8").await;
    assert_eq!(visitor.user().await, "8");
    visitor.there("session.pop('user_id')").await;
    assert_eq!(visitor.user().await, Value::Null);

    // Out here.
    visitor.there("session['user_id'] = 7").await;
    assert_eq!(visitor.user().await, "7");
    let copies = ["session", "sid"].map(|name| (name, visitor.cookie(name)));
    visitor.here("log_out").await;
    assert_eq!(visitor.cookies(), [""; 0]);
    for (name, value) in copies {
        visitor.plant(name, value.as_deref());
    }
    assert_eq!(visitor.there("pass").await, "{}");
    assert!(visitor.has_no_login(&visitor.here("show").await));
}

async fn a_login_here_is_one_there(database: &Database) {
    let both = Both::of(database).await;
    let visitor = both.visitor();
    visitor.here("log_in/7").await;
    visitor.set("cart", &json!({ "a": [null] })).await;
    assert_eq!(visitor.cookies(), ["session", "sid"]);
    let seen = "{'cart': {'a': [None]}, 'user_id': 7}";
    assert_eq!(visitor.there("assert session.permanent").await, seen);
    assert_eq!(visitor.user().await, "7");

    // The one cookie alone will do, and brings the other.
    for name in ["session", "sid"] {
        let value = visitor.cookie(name);
        visitor.plant(name, None);
        assert_eq!(visitor.user().await, "7", "without {name}");
        assert!(visitor.cookie(name).is_some());
        if name == "session" {
            assert_eq!(visitor.cookie(name), value);
        }
    }

    // A value under the user's key is a login on neither side.
    visitor.set("user_id", &json!(1)).await;
    visitor.set("_permanent", &json!("mine")).await;
    assert_eq!(
        visitor.there("assert session.permanent is True").await,
        seen
    );
    assert_eq!(visitor.user().await, "7");
    assert_eq!(visitor.values().await["user_id"], 1);
    assert_eq!(visitor.values().await["_permanent"], "mine");

    // Out there.
    let copies = ["session", "sid"].map(|name| (name, visitor.cookie(name)));
    assert_eq!(visitor.there("session.clear()").await, "{}");
    assert!(visitor.has_no_login(&visitor.here("show").await));
    for (name, value) in copies {
        visitor.plant(name, value.as_deref());
        assert!(visitor.has_no_login(&visitor.here("show").await), "{name}");
    }
}

async fn who_logs_in_gets_a_new_id(database: &Database) {
    let both = Both::of(database).await;
    let (visitor, intruder) = (both.visitor(), both.visitor());
    // An id that somebody else knows, from before the login.
    intruder.there("session['bait'] = 1").await;
    let known = intruder.cookie("session");
    visitor.plant("session", known.as_deref());
    visitor.here("log_in/7").await;
    assert_ne!(visitor.cookie("session"), known);
    let seen = "{'bait': 1, 'user_id': 7}";
    assert_eq!(visitor.there("pass").await, seen);
    assert_eq!(intruder.there("pass").await, "{}");
    assert!(intruder.has_no_login(&intruder.here("show").await));

    // And there, by `regenerate`.
    let before = visitor.cookie("session");
    visitor.there("regenerate(); session['user_id'] = 8").await;
    assert_ne!(visitor.cookie("session"), before);
    intruder.plant("session", before.as_deref());
    assert_eq!(visitor.user().await, "8");
    assert!(intruder.has_no_login(&intruder.here("show").await));
    assert_eq!(visitor.there("pass").await, "{'bait': 1, 'user_id': 8}");
}

async fn all_sessions_of_a_user_end_on_both_sides(database: &Database) {
    let both = Both::of(database).await;
    let [there, seen, here, other] = [(); 4].map(|()| both.visitor());
    there.there("session['user_id'] = 7").await;
    seen.there("session['user_id'] = 7").await;
    assert_eq!(seen.user().await, "7");
    here.here("log_in/7").await;
    other.there("session['user_id'] = 8").await;
    let listed = both.sessions.list("7").await.expect("a list");
    assert_eq!(listed.len(), 3, "also those that Flask alone has seen");

    // By a process that has seen none of them.
    let handle = listed[0].handle();
    let store = &both.store;
    assert!(
        wiz_session::SessionStore::delete(store, handle)
            .await
            .expect("it ends")
    );
    assert_eq!(both.sessions.list("7").await.expect("a list").len(), 2);
    assert_eq!(both.sessions.revoke_user("7").await.expect("they end"), 2);
    for visitor in [&there, &seen, &here] {
        assert_eq!(visitor.there("pass").await, "{}");
        assert!(visitor.has_no_login(&visitor.here("show").await));
    }
    assert_eq!(other.there("pass").await, "{'user_id': 8}");
    assert_eq!(other.user().await, "8");
}

/// The handle of a session that began at Flask leads another process to it too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_not_seen_here_is_found() {
    let database = Database::new(Engine::Redis);
    let (there, key) = (database.flask(&[]), wiz_session::Key::generate());
    let [one, other] = [database.store(&key).await, database.store(&key).await];
    let visitor = crate::visitor::Visitor::at(0, there.port);
    visitor.there("session['user_id'] = 7").await;
    use wiz_session::SessionStore;
    let listed = one.list("7").await.expect("a list");
    assert!(
        other.load(listed[0].0).await.expect("an answer").is_none(),
        "by a look at all alone"
    );
    assert!(other.delete(listed[0].0).await.expect("an answer"));
    assert_eq!(visitor.there("pass").await, "{}");
}
