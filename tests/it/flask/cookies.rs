//! Flask's cookie itself.

use std::time::Duration;

use http::header::SET_COOKIE;
use serde_json::json;
use wiz_session::flask::{FlaskBridge, FlaskCookie};

use super::pair::{COOKIE, KEY, OWN_COOKIE, Pair};
use crate::support::Site;

#[tokio::test]
async fn a_cookie_that_is_not_good_is_an_anonymous_visitor() {
    let pair = Pair::new();
    let browser = pair.logged_in(1).await;
    let value = browser.cookie(COOKIE).unwrap();
    let (flask, now) = (&pair.flask, pair.site.clock.now());
    let month = Duration::from_secs(32 * 24 * 60 * 60);
    let data = pair.there(&browser);
    let foreign = FlaskCookie::builder("other").build().unwrap();
    let bad = [
        value.replace('.', "A."),
        "x".to_owned(),
        String::new(),
        "a".repeat(100_000),
        flask.encode(&data, now - month),
        flask.encode(&data, now + Duration::from_secs(2)),
        foreign.encode(&data, now),
    ];
    for bad in bad {
        for keeps_own in [false, true] {
            let mut visitor = pair.logged_in(1).await;
            if !keeps_own {
                visitor.lose(OWN_COOKIE);
            }
            visitor.keep(COOKIE, &bad);
            assert_eq!(pair.user(&mut visitor).await, None, "{bad:.40}");
            assert_eq!(visitor.cookie(OWN_COOKIE), None);
        }
    }
}

#[tokio::test]
async fn the_first_cookie_that_verifies_counts() {
    let pair = Pair::new();
    let browser = pair.logged_in(1).await;
    let good = browser.cookie(COOKIE).unwrap();
    let mut visitor = pair.site.browser();
    visitor.keep(COOKIE, &format!("forged; {COOKIE}={good}"));
    assert_eq!(pair.user(&mut visitor).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_key_is_changed_on_both_sides() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    let rotated = Pair {
        site: pair.site,
        bridge: FlaskBridge::builder("new")
            .fallback_keys([KEY])
            .share_all()
            .build()
            .unwrap(),
        flask: FlaskCookie::builder("new").build().unwrap(),
    };
    assert_eq!(rotated.user(&mut browser).await.as_deref(), Some("1"));
    rotated
        .here(&mut browser, |session| session.set("a", 2).unwrap())
        .await;
    assert_eq!(
        rotated.get_there(&browser, "a"),
        Some(json!(2)),
        "signed by the new key"
    );
}

#[tokio::test]
async fn a_permanent_cookie_is_one_and_is_sent_again_in_time() {
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    let pair = Pair {
        site: Site::with(|layer| layer.idle_timeout(month)),
        ..Pair::new()
    };
    let mut browser = pair.logged_in(1).await;
    pair.set_there(&mut browser, "_permanent", json!(true));
    let reply = pair
        .here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    let line = reply.lines(SET_COOKIE).join("\n");
    assert!(
        line.contains("session=") && line.contains("Max-Age=2678400"),
        "{line}"
    );
    pair.site.pass(3 * 24 * 60);
    let reply = pair.here(&mut browser, |_| ()).await;
    assert!(!reply.lines(SET_COOKIE).join("\n").contains("session="));
    pair.site.pass(24 * 60);
    let reply = pair.here(&mut browser, |_| ()).await;
    assert!(
        reply.lines(SET_COOKIE).join("\n").contains("session="),
        "a tenth has passed"
    );
}

#[test]
fn a_public_key_is_refused_by_name() {
    for (key, reason) in [
        ("", "is empty"),
        ("season-wiz-secret", "`season-wiz-secret`"),
    ] {
        let refused = FlaskBridge::builder(key).build().unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
        let fallback = FlaskBridge::builder("a").fallback_keys([key]).build();
        assert!(fallback.is_err());
    }
}
