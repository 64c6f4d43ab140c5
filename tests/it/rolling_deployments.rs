//! Old and new processes side by side while a setting changes, on one store and one clock.

use std::time::Duration;

use http::header::SET_COOKIE;
use wiz_session::{CookieOptions, WizSessionLayerBuilder};

use crate::support::{Browser, Site, key};

const MINUTE: Duration = Duration::from_secs(60);

/// The processes of one deployment after the other. The requests of a browser go to those of two neighbours at random,
/// as while the later one replaces the earlier one, or is rolled back.
async fn loses_nothing(deployments: &[Site]) {
    for round in 0..20 {
        let mut random = fastrand::Rng::with_seed(round);
        let mut browser = Some(deployments[0].logged_in("alice").await);
        let mut count = 0;
        for side_by_side in deployments.windows(2) {
            for _ in 0..20 {
                let process = random.choice(side_by_side).expect("there are two");
                let tab = browser.take().expect("it is put back");
                browser = Some(one_request(tab.at(process), &mut random, &mut count).await);
            }
        }
        let mut browser = browser.expect("it is put back");
        browser
            .visit(async |session| assert!(session.log_out()))
            .await;
        for process in deployments {
            assert_eq!(browser.at(process).user().await, None);
        }
    }
}

async fn one_request(mut browser: Browser, random: &mut fastrand::Rng, count: &mut u32) -> Browser {
    let action = random.u8(..10);
    browser
        .visit(async |session| {
            assert_eq!(
                session.user().as_deref(),
                Some("alice"),
                "nobody is logged out"
            );
            assert_eq!(
                session.get_or_default::<u32>("n")?,
                *count,
                "nothing is lost"
            );
            match action {
                0 => session.regenerate(),
                1 => session.log_in("alice"),
                2..6 => {
                    session.update("n", |n: &mut u32| *n += 1)?;
                    *count += 1;
                }
                _ => {}
            }
            Ok::<(), wiz_session::Error>(())
        })
        .await
        .is_ok();
    browser
}

fn site(
    first: &Site,
    signing: u8,
    settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
) -> Site {
    first.relaunched(key(signing), settings)
}

#[tokio::test]
async fn a_new_key_in_two_steps_loses_nothing() {
    let before = Site::new();
    let accepting = site(&before, 1, |builder| builder.next_key(key(2)));
    let signing = site(&before, 2, |builder| builder.previous_keys([key(1)]));
    let after = site(&before, 2, |builder| builder);
    let mut browser = before.logged_in("alice").await;
    loses_nothing(&[before, accepting, signing]).await;
    assert_eq!(
        browser.at(&after).user().await,
        None,
        "who stayed away has the old key's cookie"
    );
    browser.visit(async |_session| {}).await;
}

#[tokio::test]
async fn a_cookie_of_the_next_key_is_left_alone() {
    let before = Site::new();
    let accepting = site(&before, 1, |builder| builder.next_key(key(2)));
    let signing = site(&before, 2, |builder| builder.previous_keys([key(1)]));
    let mut browser = signing.visitor().await.at(&accepting);
    let value = browser.value().to_owned();
    assert_eq!(browser.read("a").await, Some(1));
    assert_eq!(browser.value(), value);
}

#[tokio::test]
async fn a_new_name_in_two_steps_loses_nothing() {
    let old = || CookieOptions::new("sid").domain("example.com");
    let new = || CookieOptions::new("__Host-shop");
    let before = Site::with(|builder| builder.cookie(old()));
    let accepting = site(&before, 1, |builder| {
        builder.cookie(old()).next_cookie(new())
    });
    let setting = site(&before, 1, |builder| {
        builder.cookie(new()).previous_cookies([old()])
    });
    loses_nothing(&[before, accepting, setting]).await;
}

#[tokio::test]
async fn a_new_name_and_a_new_key_at_once_lose_nothing() {
    let (old, new) = (|| CookieOptions::new("sid"), || CookieOptions::new("shop"));
    let before = Site::with(|builder| builder.cookie(old()));
    let accepting = site(&before, 1, |builder| {
        builder.cookie(old()).next_cookie(new()).next_key(key(2))
    });
    let setting = site(&before, 2, |builder| {
        builder
            .cookie(new())
            .previous_cookies([old()])
            .previous_keys([key(1)])
    });
    loses_nothing(&[before, accepting, setting]).await;
}

#[tokio::test]
async fn other_timeouts_and_sizes_lose_nothing() {
    let before = Site::new();
    let shorter = site(&before, 1, |builder| {
        builder
            .idle_timeout(10 * MINUTE)
            .max_bytes(1024)
            .touch_threshold(MINUTE)
    });
    let longer = site(&before, 1, |builder| builder.idle_timeout(60 * MINUTE));
    loses_nothing(&[before, shorter, longer]).await;
}

#[tokio::test]
async fn a_session_above_a_lower_limit_can_be_read_and_made_smaller() {
    let before = Site::new();
    let mut browser = before.visitor().await;
    browser.write("big", "x".repeat(2048)).await.is_ok();
    let mut browser = browser.at(&site(&before, 1, |builder| builder.max_bytes(1024)));
    assert_eq!(browser.read("a").await, Some(1));
    browser.write("a", 2).await.is_ok();
    browser
        .visit(async |session| {
            assert!(session.set("b", 1).is_err_and(|error| error.is_too_large()));
            assert!(session.delete("big"));
            session.set("b", 1)
        })
        .await
        .is_ok();
    assert_eq!(browser.read("b").await, Some(1));
}

#[tokio::test]
async fn the_previous_cookie_is_replaced_by_the_next_response() {
    let before = Site::with(|builder| {
        builder.cookie(CookieOptions::new("sid").domain("example.com").path("/app"))
    });
    let mut browser = before.visitor().await;
    let after = site(&before, 1, |builder| {
        let old = CookieOptions::new("sid").domain("example.com").path("/app");
        builder.previous_cookies([old])
    });
    browser = browser.at(&after);
    let reply = browser
        .visit(async |session| session.get::<u32>("a").map(drop))
        .await;
    let [removal, set] = &reply.lines(SET_COOKIE)[..] else {
        panic!("{:?}", reply.lines(SET_COOKIE))
    };
    assert!(removal.starts_with("sid=; "), "{removal}");
    for attribute in ["Domain=example.com", "Path=/app", "Max-Age=0"] {
        assert!(removal.contains(attribute), "{removal}");
    }
    assert!(set.starts_with("__Host-sid="), "{set}");
    assert_eq!(browser.read("a").await, Some(1));
    let reply = browser
        .visit(async |session| session.get::<u32>("a").map(drop))
        .await;
    assert!(reply.lines(SET_COOKIE).is_empty(), "once is enough");
}

#[tokio::test]
async fn a_logout_ends_and_removes_the_cookies_of_both_names() {
    let before = Site::with(|builder| builder.cookie(CookieOptions::new("sid")));
    let after = site(&before, 1, |builder| {
        builder
            .cookie(CookieOptions::new("shop"))
            .previous_cookies([CookieOptions::new("sid")])
    });
    let mut browser = before.logged_in("alice").await;
    let old = browser.value().to_owned();
    let mut other = after.logged_in("alice").await;
    browser = browser.at(&after);
    browser.keep("shop", other.value());
    browser
        .visit(async |session| assert!(session.log_out()))
        .await;
    assert!(!browser.has_cookies());
    browser.keep("sid", &old);
    assert_eq!(browser.user().await, None);
    assert_eq!(other.user().await, None);
}

#[tokio::test]
async fn a_value_is_valid_under_its_own_name_only() {
    let before = Site::with(|builder| builder.cookie(CookieOptions::new("sid")));
    let after = site(&before, 1, |builder| {
        builder
            .cookie(CookieOptions::new("shop"))
            .previous_cookies([CookieOptions::new("sid")])
    });
    let old = before.visitor().await;
    let mut thief = after.browser();
    thief.keep("shop", old.value());
    assert_eq!(thief.read::<u32>("a").await, None);
}

#[test]
fn a_cookie_is_not_its_own_successor() {
    for settings in [
        |builder: WizSessionLayerBuilder| builder.next_cookie(CookieOptions::default()),
        |builder: WizSessionLayerBuilder| builder.previous_cookies([CookieOptions::default()]),
    ] {
        let builder =
            wiz_session::WizSessionLayer::builder(wiz_session::MemoryStore::new(), key(1));
        let refused = settings(builder).build().map(drop).unwrap_err().to_string();
        assert!(
            refused.contains("__Host-sid is the current one"),
            "{refused}"
        );
    }
}
