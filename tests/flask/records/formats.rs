//! msgpack, JSON, signed ids; and pickles, which are refused.

use serde_json::json;
use wiz_session::{
    SessionStore,
    flask::{FlaskSerialization, FlaskUser},
};

use super::engine::{Both, Database, Engine};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_keeps_its_format_and_a_new_one_has_the_one_that_is_set() {
    for (there, here, own, first) in [
        ("json", FlaskSerialization::Json, b'{', b'{'),
        ("json", FlaskSerialization::MsgPack, b'{', 0x83),
        ("msgpack", FlaskSerialization::Json, 0x83, b'{'),
        ("msgpack", FlaskSerialization::MsgPack, 0x83, 0x83),
    ] {
        let database = Database::new(Engine::Redis);
        let setting = format!("SESSION_SERIALIZATION_FORMAT={there}");
        let settings =
            |builder: wiz_session::flask::FlaskSessionStoreBuilder| builder.serialization(here);
        let both = Both::with(&database, &[&setting], settings).await;
        let visitor = both.visitor();
        visitor.there("session['a'] = 1.5").await;
        visitor.set("a", &json!({ "장": [1, null, 0.5] })).await;
        let id = visitor.cookie("session").expect("an id");
        assert_eq!(database.bytes(&id).await[0], own, "{there}");
        assert_eq!(visitor.there("pass").await, "{'a': {'장': [1, None, 0.5]}}");
        let visitor = both.visitor();
        visitor.here("log_in/7").await;
        let id = visitor.cookie("session").expect("an id");
        assert_eq!(id.len(), 43);
        assert_eq!(database.bytes(&id).await[0], first, "{there}");
        visitor.set("a", &json!(1)).await;
        assert_eq!(
            visitor.there("session['b'] = 2").await,
            "{'a': 1, 'b': 2, 'user_id': 7}"
        );
        assert_eq!(visitor.values().await, json!({ "a": 1, "b": 2 }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pickle_is_refused_with_advice_and_stays() {
    let database = Database::new(Engine::Redis);
    let both = Both::of(&database).await;
    let visitor = both.visitor();
    visitor.there("session['user_id'] = 7").await;
    // `pickle.dumps({"user_id": 7})`
    let pickle = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x07user_id\x94K\x07s.";
    database.spoil(pickle).await;
    let handle = both.sessions.list("7").await.expect_err("it may be theirs");
    let text = format!(
        "{handle} {}",
        std::error::Error::source(&handle).map_or_else(String::new, ToString::to_string)
    );
    assert!(
        handle.is_store() && text.contains("SESSION_SERIALIZATION_FORMAT"),
        "{text}"
    );
    assert_eq!(visitor.status("show").await, 503);
    // Flask-Session reads it, and writes msgpack in its place.
    assert_eq!(
        visitor.there("session['a'] = 1").await,
        "{'a': 1, 'user_id': 7}"
    );
    assert_eq!(visitor.user().await, "7");
    for damaged in [
        &b"\x81\xa1a"[..],
        b"{\"a\":",
        b"\xc1",
        b"[]",
        b"\x90",
        b"\x81\xa4_wiz\xa1x",
    ] {
        database.spoil(damaged).await;
        assert_eq!(visitor.status("show").await, 503, "{damaged:?}");
    }
    // It can be ended all the same.
    let mut page = both.store.scan(None, 10).await.expect("a page");
    while page.sessions.is_empty() {
        // Of other tests' keys.
        let next = page.next.expect("the record is there");
        page = both.store.scan(Some(&next), 10).await.expect("a page");
    }
    let (handle, record) = &page.sessions[0];
    assert!(record.is_err());
    assert!(both.sessions.revoke(*handle).await.expect("it ends"));
    assert!(database.ids().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_may_be_signed() {
    let settings = |builder: wiz_session::flask::FlaskSessionStoreBuilder| {
        builder
            .use_signer("a secret of Flask's")
            .user(FlaskUser::text_key("_user_id"))
    };
    let database = Database::new(Engine::Redis);
    let both = Both::with(&database, &["SESSION_USE_SIGNER=1"], settings).await;
    let visitor = both.visitor();
    visitor.there("session['_user_id'] = '7'").await;
    assert_eq!(visitor.user().await, "7");
    visitor.here("log_in/8").await;
    assert_eq!(visitor.there("pass").await, "{'_user_id': '8'}");
    assert_eq!(visitor.user().await, "8");
    // A bare id is none.
    let signed = visitor.cookie("session").expect("an id");
    let (bare, _) = signed.split_once('.').expect("a signature");
    let intruder = both.visitor();
    for id in [
        bare.to_owned(),
        format!("{bare}.AAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        intruder.plant("session", Some(&id));
        assert!(intruder.has_no_login(&intruder.here("show").await), "{id}");
    }
}
