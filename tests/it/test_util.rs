//! The help for the tests of applications.

use std::time::{Duration, SystemTime};

use http::{Response, header::SET_COOKIE};
use wiz_session::{
    CookieOptions, Key, MemoryStore, SessionStore, WizSessionLayer,
    test_util::{StoreMethod, TestStore, cookie_header, logged_in, session_cookie, with_session},
};

fn layer(store: impl SessionStore, cookie: CookieOptions) -> WizSessionLayer {
    let builder = WizSessionLayer::builder(store, Key::generate()).cookie(cookie);
    builder.build().expect("the settings are valid")
}

#[tokio::test]
async fn a_logged_in_cookie_is_one_for_every_layer_and_store() {
    let layers = [
        WizSessionLayer::new(MemoryStore::new(), Key::generate()),
        WizSessionLayer::new(TestStore::new(), Key::generate()),
        layer(TestStore::new(), CookieOptions::insecure("sid")),
        layer(MemoryStore::new(), CookieOptions::new("__Host-shop")),
    ];
    let names = ["__Host-sid=", "__Host-sid=", "sid=", "__Host-shop="];
    for (layer, name) in layers.iter().zip(names) {
        let cookie = logged_in(layer, "alice").await;
        assert!(cookie.to_str().unwrap().starts_with(name), "{cookie:?}");
        let user = with_session(layer, &cookie, |session| session.user()).await;
        assert_eq!(user.as_deref(), Some("alice"));
        assert_eq!(layer.sessions().list("alice").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_is_changed_in_a_peek_is_stored() {
    let layer = WizSessionLayer::new(TestStore::new(), Key::generate());
    let cookie = session_cookie(&layer, |session| session.set("n", 1)).await;
    let changed = with_session(&layer, &cookie, |session| session.set("n", 2)).await;
    changed.unwrap();
    let n = with_session(&layer, &cookie, |session| session.get::<u32>("n")).await;
    assert_eq!(n.unwrap(), Some(2));
}

#[tokio::test]
#[should_panic(expected = "no session began: put a value into it")]
async fn a_session_of_nothing_is_a_mistake() {
    let layer = WizSessionLayer::new(TestStore::new(), Key::generate());
    session_cookie(&layer, |_| Ok(())).await;
}

#[tokio::test]
#[should_panic(expected = "the session could not be stored: 503")]
async fn a_store_that_fails_gives_no_cookie() {
    let store = TestStore::new();
    store.fail(StoreMethod::Create);
    logged_in(&WizSessionLayer::new(store, Key::generate()), "alice").await;
}

#[test]
fn a_cookie_is_read_back_as_a_browser_would_send_it() {
    let table: [(&[&str], Option<&str>); 5] = [
        (&[], None),
        (&["a=1; Path=/; HttpOnly"], Some("a=1")),
        (&["a=1", "b=\"2\"; Max-Age=9"], Some("a=1; b=\"2\"")),
        (&["a=; Max-Age=0", "b=2"], Some("b=2")),
        (
            &["a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
            None,
        ),
    ];
    for (lines, expected) in table {
        let mut response = Response::new(());
        for line in lines {
            let line = line.parse().expect("a header value");
            response.headers_mut().append(SET_COOKIE, line);
        }
        let cookie = cookie_header(&response);
        assert_eq!(cookie.as_ref().map(|line| line.to_str().unwrap()), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_store_conforms() {
    wiz_session::store::conformance::run(TestStore::new()).await;
}

#[tokio::test]
async fn a_store_that_is_away_fails_at_every_verb_until_it_is_back() {
    let store = TestStore::new();
    let layer = WizSessionLayer::new(store.clone(), Key::generate());
    let cookie = logged_in(&layer, "alice").await;
    let handle = with_session(&layer, &cookie, |session| session.handle())
        .await
        .unwrap();
    let record = store.sessions().load(handle).await.unwrap().unwrap();
    let (version, now) = (record.version(), SystemTime::now());
    let works = async || {
        [
            store.create(handle, &record).await.is_ok(),
            store.load(handle).await.is_ok(),
            store.replace(handle, version, &record).await.is_ok(),
            store
                .touch(handle, now + Duration::from_secs(1))
                .await
                .is_ok(),
            store.delete_expired(now, 1).await.is_ok(),
            store.list("alice").await.is_ok(),
            store.count(now).await.is_ok(),
            store.delete_user("bob", None).await.is_ok(),
            store.delete(handle).await.is_ok(),
        ]
    };
    store.fail_all();
    store.take_calls();
    assert_eq!(works().await, [false; 9]);
    assert_eq!(store.take_calls().len(), 9);
    store.heal();
    assert_eq!(works().await, [true; 9]);
}
