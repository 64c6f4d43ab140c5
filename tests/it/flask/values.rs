//! What is shared, and how it arrives.

use serde_json::{Value, json};
use wiz_session::{FlashLevel, WizSession, flask::MIRROR_KEY};

use super::pair::{COOKIE, Pair, without_key};
use crate::support::Log;

#[tokio::test]
async fn flask_is_given_no_key_that_it_did_not_have() {
    let pair = Pair::with(|bridge| bridge);
    let mut browser = pair.logged_in(1).await;
    pair.set_there(&mut browser, "cart", json!([1]));
    let change = |session: &WizSession| {
        session.set("cart", [1, 2]).unwrap();
        session.set("secret", 1).unwrap();
    };
    pair.here(&mut browser, change).await;
    assert_eq!(pair.get_there(&browser, "cart"), Some(json!([1, 2])));
    assert_eq!(
        pair.there(&browser).keys().collect::<Vec<_>>(),
        ["cart", "user_id"]
    );
    pair.here(&mut browser, |session| {
        session.delete("cart");
    })
    .await;
    assert_eq!(pair.get_there(&browser, "cart"), None);
    pair.here(&mut browser, |session| session.set("cart", [3]).unwrap())
        .await;
    assert_eq!(
        pair.get_there(&browser, "cart"),
        Some(json!([3])),
        "it had that"
    );
}

#[tokio::test]
async fn keys_that_are_not_shared_stay_where_they_are() {
    let pair = Pair::with(|bridge| bridge.share(["cart"]));
    let mut browser = pair.logged_in(1).await;
    pair.set_there(&mut browser, "csrf", json!("x"));
    let change = |session: &WizSession| {
        assert_eq!(session.get_value("csrf"), None);
        session.set("cart", [1]).unwrap();
        session.set("own", 1).unwrap();
        session.set("csrf", "y").unwrap();
    };
    pair.here(&mut browser, change).await;
    let there = pair.there(&browser);
    assert_eq!(
        there.keys().collect::<Vec<_>>(),
        ["cart", "csrf", "user_id"]
    );
    assert_eq!(pair.get_there(&browser, "csrf"), Some(json!("x")));
    pair.here(&mut browser, |session| session.clear()).await;
    assert!(!browser.has_cookies(), "a logout ends all of it");
}

#[tokio::test]
async fn what_flask_removes_is_removed_here() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("cart", [1]).unwrap())
        .await;
    pair.change_there(&mut browser, |data| *data = without_key(data, "cart"));
    assert_eq!(pair.get(&mut browser, "cart").await, None);
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn values_that_json_lacks_survive() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let values = json!({
        "tuple": { " t": [1, { " t": [] }] },
        "bytes": { " b": "AAE=" },
        "markup": { " m": "<b>" },
        "uuid": { " u": "00112233445566778899aabbccddeeff" },
        "date": { " d": "Wed, 01 Jan 2025 00:00:00 GMT" },
        "escaped": { " di": { " t__": [1] } },
        "nan": { " f": "NaN" },
        "장바구니": ["\u{1f6d2}", null],
        "_permanent": true,
    });
    for (key, value) in values.as_object().unwrap() {
        pair.set_there(&mut browser, key, value.clone());
    }
    let before = pair.there(&browser);
    pair.here(&mut browser, |session| session.set("more", 1).unwrap())
        .await;
    assert_eq!(without_key(&pair.there(&browser), "more"), before);
    let mut seen = pair.ask(&mut browser, WizSession::to_map).await;
    for key in ["user_id", "more", MIRROR_KEY] {
        assert!(seen.remove(key).is_some(), "{key}");
    }
    assert_eq!(Value::Object(seen), values);
}

#[tokio::test]
async fn messages_are_shown_on_either_side() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let message =
        json!([{ " t": ["danger", { " m": "<b>no</b>" }] }, { " t": ["success", "yes"] }]);
    pair.set_there(&mut browser, "_flashes", message.clone());
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    assert_eq!(
        pair.get_there(&browser, "_flashes"),
        Some(message),
        "unchanged"
    );
    let flashes = pair.ask(&mut browser, |session| session.take_flashes().unwrap());
    let flashes: Vec<_> = flashes
        .await
        .iter()
        .map(|f| (f.level(), f.message().to_owned()))
        .collect();
    let expected = [
        (FlashLevel::Error, "<b>no</b>"),
        (FlashLevel::Success, "yes"),
    ];
    assert_eq!(
        flashes,
        expected.map(|(level, text)| (level, text.to_owned()))
    );
    assert_eq!(pair.get_there(&browser, "_flashes"), None);
    pair.here(&mut browser, |session| {
        session.flash(FlashLevel::Warning, "hm").unwrap();
    })
    .await;
    let there = pair.get_there(&browser, "_flashes");
    assert_eq!(there, Some(json!([{ " t": ["warning", "hm"] }])));
}

#[tokio::test]
async fn what_is_too_large_stays_here_and_is_told() {
    let log = Log::capture();
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    let before = browser.cookie(COOKIE).map(str::to_owned);
    let fill = |session: &WizSession| {
        let noise: Vec<u64> = (0..1000).map(|_| fastrand::u64(..)).collect();
        session.set("noise", noise).unwrap();
    };
    pair.here(&mut browser, fill).await;
    assert_eq!(browser.cookie(COOKIE), before.as_deref());
    assert!(
        log.text().contains("session too large for a Flask cookie"),
        "{}",
        log.text()
    );
    assert!(pair.get(&mut browser, "noise").await.is_some());
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("1"));
    // Flask goes on with what it has.
    pair.set_there(&mut browser, "b", json!(2));
    assert_eq!(pair.get(&mut browser, "b").await, Some(json!(2)));
    assert!(pair.get(&mut browser, "noise").await.is_some());

    // A login is told all the same.
    let mut browser = pair.site.browser();
    pair.here(&mut browser, fill).await;
    assert_eq!(browser.cookie(COOKIE), None);
    pair.here(&mut browser, |session| session.log_in(5)).await;
    assert_eq!(pair.there(&browser).keys().collect::<Vec<_>>(), ["user_id"]);
    assert!(pair.get(&mut browser, "noise").await.is_some());
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("5"));
    pair.here(&mut browser, |session| {
        session.delete("noise");
    })
    .await;
    pair.here(&mut browser, |session| session.set("c", 1).unwrap())
        .await;
    assert_eq!(pair.get_there(&browser, "c"), Some(json!(1)));
}
