//! A login on either side.

use http::header::CACHE_CONTROL;
use serde_json::json;
use wiz_session::{
    WizSession,
    flask::{FlaskData, FlaskUser},
};

use super::pair::{COOKIE, Pair};

#[tokio::test]
async fn a_login_at_flask_is_one_here() {
    let pair = Pair::new();
    let mut browser = pair.site.browser();
    pair.set_there(&mut browser, "user_id", json!(123));
    pair.set_there(&mut browser, "name", json!("앨리스"));
    let before = pair.there(&browser);
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("123"));
    assert_eq!(pair.get(&mut browser, "user_id").await, Some(json!(123)));
    assert_eq!(pair.get(&mut browser, "name").await, Some(json!("앨리스")));
    assert_eq!(pair.there(&browser), before);
    let sent = browser.cookie(COOKIE).map(str::to_owned);
    pair.set_there(&mut browser, "theme", json!("dark"));
    let written = browser.cookie(COOKIE).map(str::to_owned);
    assert_eq!(pair.get(&mut browser, "theme").await, Some(json!("dark")));
    assert_eq!(
        browser.cookie(COOKIE),
        written.as_deref(),
        "what Flask writes later is left alone"
    );
    assert_ne!(sent, written);
    assert_eq!(pair.site.sessions().await, 1);
}

#[tokio::test]
async fn a_login_here_is_one_at_flask() {
    let pair = Pair::with(|bridge| bridge);
    let mut browser = pair.site.browser();
    let reply = pair.here(&mut browser, |session| session.log_in(7)).await;
    assert_eq!(reply.lines(CACHE_CONTROL), ["no-store"]);
    assert_eq!(pair.get_there(&browser, "user_id"), Some(json!(7)));
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("7"));
    pair.here(&mut browser, |session| session.log_in("bob"))
        .await;
    assert_eq!(pair.get_there(&browser, "user_id"), Some(json!("bob")));
}

#[tokio::test]
async fn another_user_at_flask_finds_nothing_of_the_former_here() {
    let pair = Pair::with(|bridge| bridge);
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("secret", 1).unwrap())
        .await;
    pair.set_there(&mut browser, "user_id", json!(2));
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("2"));
    assert_eq!(pair.get(&mut browser, "secret").await, None);
    assert_eq!(pair.site.sessions().await, 1);
}

#[tokio::test]
async fn what_a_visitor_had_here_stays_at_a_login_there() {
    let pair = Pair::with(|bridge| bridge);
    let mut browser = pair.site.browser();
    pair.set_there(&mut browser, "theme", json!("dark"));
    pair.here(&mut browser, |session| session.set("cart", [1]).unwrap())
        .await;
    pair.change_there(&mut browser, |data| {
        *data = FlaskData::default(); // `clear`, then `set`, as wiz's recipe has it
        data.set("user_id", 1).unwrap();
    });
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("1"));
    assert_eq!(pair.get(&mut browser, "cart").await, Some(json!([1])));
    assert_eq!(pair.get(&mut browser, "theme").await, None);
}

#[tokio::test]
async fn a_value_under_the_users_key_is_a_login_on_neither_side() {
    let pair = Pair::new();
    let mut browser = pair.site.browser();
    let forge = |session: &WizSession| session.set("user_id", 1).unwrap();
    pair.here(&mut browser, forge).await;
    assert_eq!(pair.user(&mut browser).await, None);
    assert_eq!(pair.get_there(&browser, "user_id"), None);
    pair.set_there(&mut browser, "theme", json!("dark"));
    pair.here(&mut browser, forge).await;
    assert_eq!(pair.user(&mut browser).await, None);
    assert_eq!(pair.get_there(&browser, "user_id"), None);

    let mut browser = pair.logged_in(7).await;
    pair.here(&mut browser, forge).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("7"));
    assert_eq!(pair.get_there(&browser, "user_id"), Some(json!(7)));
    pair.here(&mut browser, |session| {
        session.delete("user_id");
    })
    .await;
    assert_eq!(pair.get_there(&browser, "user_id"), Some(json!(7)));
}

#[tokio::test]
async fn a_session_of_before_the_bridge_meets_flask() {
    let pair = Pair::new();
    // Logged in here, before there was a bridge.
    let mut browser = pair.site.logged_in(1).await;
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("1"));
    assert_eq!(pair.get_there(&browser, "user_id"), Some(json!(1)));

    let mut browser = pair.site.logged_in(1).await;
    pair.set_there(&mut browser, "csrf", json!("x"));
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("1"));
    assert_eq!(pair.get_there(&browser, "user_id"), Some(json!(1)));

    let mut browser = pair.site.logged_in(1).await;
    pair.set_there(&mut browser, "user_id", json!(2));
    assert_eq!(
        pair.user(&mut browser).await.as_deref(),
        Some("2"),
        "Flask's counts"
    );
}

#[tokio::test]
async fn users_are_found_as_flask_has_them() {
    for (value, user) in [
        (json!(123), Some("123")),
        (json!("123"), Some("123")),
        (json!(-5), Some("-5")),
        (json!("alice"), Some("alice")),
        (json!(""), None),
        (json!(null), None),
        (json!(1.5), None),
        (json!(true), None),
        (json!([1]), None),
    ] {
        let pair = Pair::new();
        let mut browser = pair.site.browser();
        pair.set_there(&mut browser, "user_id", value.clone());
        assert_eq!(pair.user(&mut browser).await.as_deref(), user, "{value}");
        pair.here(&mut browser, |session| session.set("a", 1).unwrap())
            .await;
        if user.is_some() {
            assert_eq!(
                pair.get_there(&browser, "user_id"),
                Some(value),
                "as it was"
            );
        }
    }
    let pair = Pair::with(|bridge| bridge.user(FlaskUser::text_key("_user_id")));
    let mut browser = pair.site.browser();
    pair.here(&mut browser, |session| session.log_in(7)).await;
    assert_eq!(pair.get_there(&browser, "_user_id"), Some(json!("7")));
}

#[tokio::test]
async fn a_session_that_expired_begins_again_while_flasks_lives() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.site.pass(31);
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("1"));
}
