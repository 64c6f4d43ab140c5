//! Sessions that outlive the browser.

use std::time::Duration;

use http::header::SET_COOKIE;

use crate::support::{Browser, Fault, Site, StoreMethod};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn only_a_remembered_session_has_a_max_age() {
    let site = Site::new();
    let mut browser = site.browser();
    assert_eq!(browser.write("a", 1).await.cookie().max_age(), None);

    let reply = browser
        .visit(async |session| session.remember(30 * DAY))
        .await;
    let remembered = reply.cookie();
    assert_eq!(remembered.max_age(), Some(cookie::time::Duration::days(30)));
    let reply = browser.visit(async |session| session.regenerate()).await;
    assert_eq!(reply.cookie().max_age(), remembered.max_age());
}

#[tokio::test]
async fn a_remembered_session_slides_with_each_use_and_its_cookie_with_it() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| session.remember(30 * DAY))
        .await;
    let month = Some(cookie::time::Duration::days(30));
    for _ in 0..10 {
        site.clock.advance(2 * DAY);
        let soon = browser.visit(async |_session| ()).await;
        soon.is_ok_without_cookie();
        site.clock.advance(27 * DAY);
        let reply = browser.visit(async |_session| ()).await;
        let cookie = reply.cookie();
        assert_eq!((cookie.value(), cookie.max_age()), (browser.value(), month));
    }
    site.clock.advance(20 * DAY);
    let reply = browser.write("b", 1).await;
    assert_eq!(reply.cookie().max_age(), month, "a write is a use as well");
    site.clock.advance(30 * DAY);
    assert_eq!(browser.read::<u32>("a").await, None);
}

/// Also where the touch is done and its answer is lost.
#[tokio::test]
async fn a_login_keeps_its_cookie_beside_a_touch_of_the_session_that_it_moves() {
    for is_answered in [true, false] {
        for site in Site::with_and_without_cache() {
            moves_before_its_touch(&site, is_answered).await;
        }
    }
}

async fn moves_before_its_touch(site: &Site, is_answered: bool) {
    let log_in = async |browser: &mut Browser| {
        let login = browser.visit(async |session| {
            session.log_in("alice");
            session.remember(30 * DAY);
        });
        login.await.is_ok();
    };
    let mut browser = site.browser();
    log_in(&mut browser).await;
    site.clock.advance(4 * DAY);
    let (mut tab, former) = (browser.clone(), browser.value().to_owned());
    let gate = site.store.pause(StoreMethod::Touch);
    let login = async {
        gate.reached().await;
        log_in(&mut browser).await;
        if !is_answered {
            site.store.fault(StoreMethod::Touch, Fault::DoneThenFail);
        }
        gate.open();
    };
    let (used, ()) = tokio::join!(tab.visit(async |_session| ()), login);
    used.is_ok_without_cookie();
    assert_eq!(site.store.calls_of(StoreMethod::Touch), 1);
    assert_ne!(browser.value(), former);
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    assert_eq!(tab.user().await, None, "its cookie is the former one");
}

#[tokio::test]
async fn remembering_again_renews() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    for _ in 0..3 {
        let reply = browser
            .visit(async |session| session.remember(30 * DAY))
            .await;
        assert_eq!(
            reply.cookie().max_age(),
            Some(cookie::time::Duration::days(30))
        );
        site.clock.advance(DAY);
    }
    let expires = browser.expires_at().await.unwrap();
    assert_eq!(expires, site.clock.now() + 29 * DAY);
}

#[tokio::test]
async fn nothing_moves_the_end_of_a_remembered_session_beyond_its_limit() {
    let site = Site::with(|builder| builder.remember_limit(50 * DAY));
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.log_in("alice");
            session.remember(30 * DAY);
        })
        .await;
    site.clock.advance(25 * DAY);
    let reply = browser
        .visit(async |session| session.remember(60 * DAY))
        .await;
    assert_eq!(
        reply.cookie().max_age(),
        Some(cookie::time::Duration::days(25))
    );
    site.clock.advance(25 * DAY - Duration::from_millis(1));
    assert_eq!(browser.read("a").await, Some(1));
    site.clock.advance(Duration::from_millis(1));
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_login_that_is_remembered_sets_one_cookie_and_restarts_at_the_next() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.log_in("alice");
            session.remember(2 * DAY);
        })
        .await;
    assert_eq!(
        reply.cookie().max_age(),
        Some(cookie::time::Duration::days(2))
    );
    site.clock.advance(DAY);
    let reply = browser.visit(async |session| session.log_in("alice")).await;
    assert_eq!(
        reply.cookie().max_age(),
        Some(cookie::time::Duration::days(2))
    );
    let reply = browser.visit(async |session| session.log_in("bob")).await;
    assert_eq!(reply.cookie().max_age(), None, "bob did not ask for it");
}

#[tokio::test]
async fn remembering_for_no_time_takes_it_back() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(async |session| session.remember(DAY)).await;
    let reply = browser.visit(async |session| session.forget()).await;
    assert_eq!(
        (reply.cookie().value(), reply.cookie().max_age()),
        (browser.value(), None)
    );
    site.pass(30);
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_cookie_kept_for_longer_opens_nothing() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            session.remember(DAY);
            session.set("a", 1)
        })
        .await;
    // The browser keeps no track of the age: it is one that edited it away.
    site.clock.advance(DAY);
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_session_is_remembered_for_a_second_at_least() {
    for how_long in [Duration::from_nanos(1), Duration::from_millis(900)] {
        let site = Site::new();
        let reply = site
            .browser()
            .visit(async |session| {
                session.set("a", 1).unwrap();
                session.remember(how_long);
            })
            .await;
        assert!(
            reply.lines(SET_COOKIE)[0].ends_with("Max-Age=1"),
            "{how_long:?}"
        );
        assert_eq!(site.sessions().await, 1);
    }
}

/// What the request takes after the commit costs the cookie no second.
#[tokio::test]
async fn the_rest_of_a_second_counts_as_one() {
    for (later, expected) in [(0, 60), (1, 60), (999, 60), (1_000, 59), (1_001, 59)] {
        let site = Site::new();
        let reply = site
            .browser()
            .visit(async |session| {
                session.set("a", 1).unwrap();
                session.remember(Duration::from_secs(60));
                session.save().await.unwrap();
                site.clock.advance(Duration::from_millis(later));
            })
            .await;
        let max_age = reply.cookie().max_age();
        let expected = cookie::time::Duration::seconds(expected);
        assert_eq!(max_age, Some(expected), "{later} ms later");
    }
}
