//! Beside a Flask application, whose part is played by the codec of its cookie. `tests/flask` runs the real one.

use std::{convert::Infallible, time::Duration};

use axum::{body::Body, extract::Request};
use futures_util::FutureExt;
use http::{
    Response, StatusCode,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{
    FlashLevel, WizSession,
    flask::{FlaskBridge, FlaskBridgeBuilder, FlaskCookie, FlaskData, FlaskUser, MIRROR_KEY},
};

use crate::support::{Browser, Log, Reply, Site, StoreMethod};

/// Two applications behind one host name.
struct Pair {
    site: Site,
    bridge: FlaskBridge,
    flask: FlaskCookie,
}

const KEY: &str = "a key of Flask's";
const COOKIE: &str = "session";
const OWN_COOKIE: &str = "__Host-sid";

impl Pair {
    /// All keys are shared.
    fn new() -> Self {
        Self::with(FlaskBridgeBuilder::share_all)
    }

    fn with(settings: impl FnOnce(FlaskBridgeBuilder) -> FlaskBridgeBuilder) -> Self {
        Self {
            site: Site::new(),
            bridge: settings(FlaskBridge::builder(KEY)).build().unwrap(),
            flask: FlaskCookie::builder(KEY).build().unwrap(),
        }
    }

    /// A request here, whose handler does this and answers with this status.
    async fn answer<F>(&self, browser: &mut Browser, status: u16, handler: F) -> Reply
    where
        F: Fn(&WizSession) + Clone + Send + Sync + 'static,
    {
        let service = service_fn(move |request: Request| {
            let handler = handler.clone();
            async move {
                let session = WizSession::from_extensions(request.extensions()).await;
                handler(&session.unwrap());
                let response = Response::builder().status(status);
                Ok::<_, Infallible>(response.body(String::new()).unwrap())
            }
        });
        let service = self.site.layer.layer(self.bridge.layer(service));
        let service = service.map_response(|response: Response<_>| response.map(Body::new));
        browser.send(service, Request::default()).await
    }

    async fn here<F>(&self, browser: &mut Browser, handler: F) -> Reply
    where
        F: Fn(&WizSession) + Clone + Send + Sync + 'static,
    {
        let reply = self.answer(browser, 200, handler).await;
        assert_eq!(reply.status, 200);
        reply
    }

    /// What a handler here is told.
    async fn ask<R: Send + 'static>(
        &self,
        browser: &mut Browser,
        question: impl Fn(&WizSession) -> R + Clone + Send + Sync + 'static,
    ) -> R {
        let (sender, receiver) = std::sync::mpsc::channel();
        let told = move |session: &WizSession| sender.send(question(session)).unwrap();
        self.here(browser, told).await;
        receiver.recv().unwrap()
    }

    async fn user(&self, browser: &mut Browser) -> Option<String> {
        self.ask(browser, WizSession::user).await
    }

    async fn get(&self, browser: &mut Browser, key: &'static str) -> Option<Value> {
        self.ask(browser, |session| session.get_value(key)).await
    }

    /// What Flask sees.
    fn there(&self, browser: &Browser) -> FlaskData {
        let cookie = browser.cookie(COOKIE);
        let data = cookie.and_then(|value| self.flask.decode(value, self.site.clock.now()));
        data.unwrap_or_default()
    }

    /// A request there.
    fn change_there(&self, browser: &mut Browser, change: impl FnOnce(&mut FlaskData)) {
        let mut data = self.there(browser);
        change(&mut data);
        match data.is_empty() {
            true => browser.lose(COOKIE),
            false => {
                let value = self.flask.encode(&data, self.site.clock.now());
                browser.keep(COOKIE, &value);
            }
        }
    }

    fn set_there(&self, browser: &mut Browser, key: &str, value: Value) {
        self.change_there(browser, |data| data.set(key, value).unwrap());
    }

    fn get_there(&self, browser: &Browser, key: &str) -> Option<Value> {
        self.there(browser).get(key).unwrap()
    }

    /// A browser that has been here and there, with this user logged in.
    async fn logged_in(&self, user: u64) -> Browser {
        let mut browser = self.site.browser();
        self.set_there(&mut browser, "user_id", user.into());
        assert_eq!(self.user(&mut browser).await, Some(user.to_string()));
        browser
    }
}

fn without_key(data: &FlaskData, key: &str) -> FlaskData {
    let mut rest = FlaskData::default();
    for other in data.keys().filter(|other| other != key) {
        rest.set(&other, data.get::<Value>(&other).unwrap())
            .unwrap();
    }
    rest
}

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
async fn a_logout_on_either_side_is_one_on_both() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| {
        session.log_out();
    })
    .await;
    assert!(!browser.has_cookies());

    let mut browser = pair.logged_in(1).await;
    browser.lose(COOKIE);
    assert_eq!(pair.user(&mut browser).await, None);
    assert!(!browser.has_cookies());
    assert_eq!(
        pair.site.sessions().await,
        0,
        "it has ended, and is not only hidden"
    );
}

/// Neither to a copy nor to a request that was on its way.
#[tokio::test]
async fn the_cookie_that_came_with_a_logout_here_opens_nothing_here() {
    let pair = Pair::new();
    for clears in [false, true] {
        let mut browser = pair.logged_in(1).await;
        pair.site.clock.advance(Duration::from_secs(1));
        let mut late = browser.clone();
        let mut copy = browser.clone();
        copy.lose(OWN_COOKIE);
        let log_out = move |session: &WizSession| {
            session.log_out();
            if !clears {
                session.set("theme", "dark").unwrap();
            }
        };
        pair.here(&mut browser, log_out).await;
        for visitor in [&mut late, &mut copy] {
            let reply = pair
                .here(visitor, |session| session.set("a", 1).unwrap())
                .await;
            assert!(!reply.lines(SET_COOKIE).join("\n").contains("user_id"));
            assert_eq!(pair.user(visitor).await, None);
            assert_eq!(pair.get_there(visitor, "user_id"), None, "it was replaced");
        }
        // A new login is another cookie.
        let mut again = pair.logged_in(1).await;
        assert_eq!(pair.user(&mut again).await.as_deref(), Some("1"));
        pair.site.clock.advance(Duration::from_secs(1));
    }
}

/// A response that was on its way at the logout brings Flask's cookie back.
#[tokio::test]
async fn a_response_that_comes_after_a_logout_revives_no_login() {
    let pair = Pair::new();
    for logs_out_there in [false, true] {
        let mut browser = pair.logged_in(1).await;
        let mut tab = browser.clone();
        pair.here(&mut tab, |session| session.set("a", 1).unwrap())
            .await;
        let late = tab.cookie(COOKIE).unwrap();
        match logs_out_there {
            true => browser.lose(COOKIE),
            false => drop(pair.here(&mut browser, |session| session.clear()).await),
        }
        assert_eq!(pair.user(&mut browser).await, None);
        browser.keep(COOKIE, late);
        assert_eq!(pair.user(&mut browser).await, None);
        assert!(!browser.has_cookies(), "it is taken away again");
        assert_eq!(pair.site.sessions().await, 0);
    }
}

#[tokio::test]
async fn a_session_that_was_revoked_does_not_begin_again_by_flasks_cookie() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    pair.site.pass(10);
    pair.site.layer.sessions().revoke_user("1").await.unwrap();
    assert_eq!(pair.user(&mut browser).await, None);
    assert_eq!(browser.cookie(COOKIE), None);
}

/// The answer to an earlier request of the page comes after that of the login.
#[tokio::test]
async fn a_login_that_is_overtaken_holds() {
    let pair = Pair::new();
    for user in [1, 2] {
        let mut browser = pair.site.browser();
        pair.here(&mut browser, |session| session.set("a", 1).unwrap())
            .await;
        let mut tab = browser.clone();
        pair.here(&mut tab, |session| session.set("b", 1).unwrap())
            .await;
        pair.here(&mut browser, move |session| session.log_in(user))
            .await;
        browser.keep(COOKIE, tab.cookie(COOKIE).unwrap());
        assert_eq!(pair.user(&mut browser).await, Some(user.to_string()));
        assert_eq!(pair.get_there(&browser, "user_id"), Some(json!(user)));

        // Long after it, that is another browser's cookie, or one that was planted.
        browser.keep(COOKIE, tab.cookie(COOKIE).unwrap());
        pair.site.pass(2);
        assert_eq!(pair.user(&mut browser).await, None);
    }
}

#[tokio::test]
async fn a_login_at_flask_in_the_second_of_a_logout_here_is_one() {
    let pair = Pair::new();
    for _ in 0..3 {
        let mut browser = pair.logged_in(1).await;
        let log_out = |session: &WizSession| {
            session.log_out();
        };
        pair.here(&mut browser, log_out).await;
        assert!(!browser.has_cookies());
    }
}

#[tokio::test]
async fn a_logout_at_flask_that_leaves_a_value_starts_anew_here() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("secret", 1).unwrap())
        .await;
    let cookie = browser.cookie(OWN_COOKIE).map(str::to_owned);
    pair.change_there(&mut browser, |data| {
        *data = FlaskData::default();
        data.set("theme", "dark").unwrap();
    });
    assert_eq!(pair.user(&mut browser).await, None);
    assert_eq!(pair.get(&mut browser, "secret").await, None);
    assert_eq!(pair.get(&mut browser, "theme").await, Some(json!("dark")));
    assert_ne!(browser.cookie(OWN_COOKIE), cookie.as_deref());
    assert_eq!(pair.site.sessions().await, 1);
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

/// The response that comes last may be the one that was made first.
#[tokio::test]
async fn a_response_that_was_overtaken_loses_nothing() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let mut tab = browser.clone();
    pair.here(&mut tab, |session| session.set("a", 1).unwrap())
        .await;
    pair.here(&mut browser, |session| session.set("b", 2).unwrap())
        .await;
    for number in 0..20 {
        pair.here(&mut browser, move |session| {
            session.set("c", number).unwrap()
        })
        .await;
    }
    browser.keep(COOKIE, tab.cookie(COOKIE).unwrap());
    assert_eq!(pair.get_there(&browser, "b"), None);
    assert_eq!(pair.get(&mut browser, "b").await, Some(json!(2)));
    assert_eq!(
        pair.get_there(&browser, "b"),
        Some(json!(2)),
        "Flask is told again"
    );
}

/// A page of Flask's sends several requests here at once, each with the cookie that Flask has just written.
#[tokio::test]
async fn requests_with_a_cookie_that_was_taken_over_lose_nothing() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.set_there(&mut browser, "theme", json!("dark"));
    pair.site.clock.advance(Duration::from_secs(1));
    let mut tab = browser.clone();
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    pair.here(&mut tab, |session| session.set("b", 2).unwrap())
        .await;
    for browser in [&mut browser, &mut tab] {
        assert_eq!(pair.get(browser, "a").await, Some(json!(1)));
        assert_eq!(pair.get(browser, "b").await, Some(json!(2)));
        assert_eq!(pair.get(browser, "theme").await, Some(json!("dark")));
    }
    // What Flask writes after it counts, though it is the same again.
    pair.set_there(&mut browser, "a", json!(3));
    pair.change_there(&mut browser, |data| {
        *data = without_key(&without_key(data, "a"), "b")
    });
    assert_eq!(pair.get(&mut browser, "a").await, None);
}

/// Both changed something before they heard of each other.
#[tokio::test]
async fn changes_of_different_keys_on_both_sides_are_both_kept() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    let own = pair.site.layer.clone();
    let mut beside = browser.through(own);
    beside.write("a", 2).await; // a socket, say
    pair.set_there(&mut browser, "b", json!(3));
    assert_eq!(pair.get(&mut browser, "a").await, Some(json!(2)));
    assert_eq!(pair.get(&mut browser, "b").await, Some(json!(3)));
    assert_eq!(pair.get_there(&browser, "a"), Some(json!(2)));
}

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

#[tokio::test]
async fn a_slow_request_revives_no_login_that_ended_meanwhile() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let sessions = pair.site.layer.sessions();
    let change = move |session: &WizSession| {
        session.set("a", 1).unwrap();
        // Another request logs out while this one is at work.
        let revoked = sessions.revoke(session.handle().unwrap()).now_or_never();
        assert!(revoked.expect("memory answers at once").unwrap());
    };
    let reply = pair.here(&mut browser, change).await;
    assert_eq!(reply.lines(SET_COOKIE), [""; 0]);
    assert_eq!(pair.site.sessions().await, 0);
}

/// The first requests of a page come with Flask's cookie alone, and each begins a session.
#[tokio::test]
async fn a_slow_request_begins_no_session_of_a_login_that_ended_meanwhile() {
    let pair = std::sync::Arc::new(Pair::new());
    let mut browser = pair.logged_in(1).await;
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    let mut slow = browser.clone();
    slow.lose(OWN_COOKIE);
    let (other, tab) = (pair.clone(), browser.clone());
    let change = move |session: &WizSession| {
        session.set("b", 1).unwrap();
        let (other, mut tab) = (other.clone(), tab.clone());
        let log_out = async move { drop(other.here(&mut tab, |session| session.clear()).await) };
        assert!(log_out.now_or_never().is_some(), "memory answers at once");
    };
    pair.here(&mut slow, change).await;
    assert!(!slow.has_cookies());
    assert_eq!(pair.site.sessions().await, 0);
}

#[tokio::test]
async fn a_failed_request_tells_flask_nothing_but_a_logout() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    for status in [500, 503, 408] {
        let reply = pair
            .answer(&mut browser, status, |session| session.set("a", 1).unwrap())
            .await;
        assert_eq!(reply.lines(SET_COOKIE), [""; 0]);
        assert_eq!(pair.get(&mut browser, "a").await, None);
    }
    let mut visitor = pair.site.browser();
    pair.set_there(&mut visitor, "user_id", json!(2));
    pair.answer(&mut visitor, 500, |_| ()).await;
    assert_eq!(visitor.cookie(OWN_COOKIE), None);
    assert_eq!(
        pair.user(&mut visitor).await.as_deref(),
        Some("2"),
        "at the next request"
    );

    pair.answer(&mut browser, 500, |session| session.clear())
        .await;
    assert!(!browser.has_cookies());
}

#[tokio::test]
async fn a_session_that_was_cleared_and_begun_again_keeps_nothing_of_flasks() {
    let pair = Pair::with(|bridge| bridge);
    let mut browser = pair.logged_in(1).await;
    pair.set_there(&mut browser, "theme", json!("dark"));
    let anew = |session: &WizSession| {
        session.clear();
        session.set("own", 1).unwrap();
    };
    pair.here(&mut browser, anew).await;
    assert!(pair.there(&browser).is_empty());
    assert_eq!(pair.get(&mut browser, "own").await, Some(json!(1)));
    assert_eq!(pair.user(&mut browser).await, None);
}

/// A request that was sent before the browser got the new cookie.
#[tokio::test]
async fn a_late_request_does_not_log_in_beside_a_session_that_moved() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    let mut late = browser.clone();
    pair.here(&mut browser, |session| session.regenerate())
        .await;
    let reply = pair
        .here(&mut late, |session| assert_eq!(session.user(), None))
        .await;
    assert_eq!(reply.lines(SET_COOKIE), [""; 0]);
    assert_eq!(pair.site.sessions().await, 1);
}

#[tokio::test]
async fn a_session_that_expired_begins_again_while_flasks_lives() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.site.pass(31);
    assert_eq!(pair.user(&mut browser).await.as_deref(), Some("1"));
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
async fn the_bridge_fails_closed() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    browser.lose(COOKIE);
    pair.site.store.fail(StoreMethod::Load);
    let unreached = |_: &WizSession| panic!("the session is not known");
    let reply = pair.answer(&mut browser, 200, unreached).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);

    let service = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(String::new())));
    let response = pair.bridge.layer(service).oneshot(Request::default()).await;
    assert_eq!(
        response.unwrap().status(),
        StatusCode::INTERNAL_SERVER_ERROR,
        "no session layer"
    );
}

#[tokio::test]
async fn a_request_without_cookies_costs_nothing() {
    let pair = Pair::new();
    let service = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(Body::empty())));
    let service = pair.site.layer.layer(pair.bridge.layer(service));
    let service = service.map_response(|response| response.map(Body::new));
    let reply = pair.site.browser().send(service, Request::default()).await;
    assert!(!reply.headers.contains_key(VARY) && !reply.headers.contains_key(SET_COOKIE));
    assert_eq!(pair.site.store.take_calls(), []);
}

#[tokio::test]
async fn what_is_shared_is_one_write() {
    let pair = Pair::new();
    let mut browser = pair.logged_in(1).await;
    pair.site.store.take_calls();
    pair.here(&mut browser, |session| session.set("a", 1).unwrap())
        .await;
    assert_eq!(
        pair.site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    pair.here(&mut browser, |_| ()).await;
    assert_eq!(pair.site.store.take_calls(), [StoreMethod::Load]);
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

#[tokio::test]
async fn a_client_with_a_token_has_nothing_to_do_with_flask() {
    let site = Site::with(|builder| builder.bearer(true));
    let bridge = FlaskBridge::builder(KEY).share_all().build().unwrap();
    let service = || {
        let handler = service_fn(async |request: Request| {
            let session = WizSession::from_extensions(request.extensions())
                .await
                .unwrap();
            if session.user().is_none() {
                session.log_in("alice");
            }
            let token = session.token().await.unwrap().unwrap_or_default();
            Ok::<_, Infallible>(Response::new(token))
        });
        let service = site.layer.layer(bridge.layer(handler));
        service.map_response(|response: Response<_>| response.map(Body::new))
    };
    let mut client = site.browser();
    let reply = client.send(service(), Request::default()).await;
    reply.is_ok_without_cookie();
    let mut request = Request::default();
    let bearer = format!("Bearer {}", reply.body).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let again = client.send(service(), request).await;
    again.is_ok_without_cookie();
    assert_eq!(again.body, reply.body, "and is still logged in");
}
