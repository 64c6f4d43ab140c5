//! Ending a session, and giving it a new id.

use std::time::Duration;

use http::{StatusCode, header::CACHE_CONTROL};
use wiz_session::{CookieOptions, SameSite};

use crate::support::{Fault, Site, StoreMethod};

#[tokio::test]
async fn clear_removes_the_cookie_as_it_was_set_and_kills_the_id() {
    let all = CookieOptions::new("__Secure-shop")
        .path("/app")
        .domain("example.com")
        .same_site(SameSite::None)
        .partitioned(true);
    for options in [
        CookieOptions::default(),
        CookieOptions::insecure("sid"),
        all,
    ] {
        let site = Site::with(|builder| builder.cookie(options));
        let mut browser = site.browser();
        let set = browser.write("a", 1).await.cookie();
        let mut replayed = browser.clone();
        site.store.take_calls();

        let reply = browser.visit(async |session| session.clear()).await;
        assert_eq!(
            site.store.take_calls(),
            [StoreMethod::Load, StoreMethod::Delete]
        );
        assert_eq!(reply.lines(CACHE_CONTROL), ["no-store"]);
        let removal = reply.cookie();
        let mut expected = set;
        expected.set_value("");
        expected.set_max_age(cookie::time::Duration::ZERO);
        assert_eq!(removal, expected);
        assert!(!browser.has_cookies());

        assert_eq!(replayed.read::<u32>("a").await, None);
        assert_eq!(replayed.handle().await, None);
        assert_eq!(site.sessions().await, 0);
    }
}

#[tokio::test]
async fn clear_without_a_cookie_sends_none() {
    let site = Site::new();
    let reply = site
        .browser()
        .visit(async |session| {
            session.set("a", 1)?;
            session.clear();
            assert!(session.is_empty());
            Ok::<_, wiz_session::Error>(())
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn clear_then_write_begins_a_new_session() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut old = browser.clone();
    let former = browser.handle().await;
    site.store.take_calls();

    let reply = browser
        .visit(async |session| {
            session.clear();
            assert!(session.is_new() && session.is_empty());
            session.set("b", 2)
        })
        .await;
    assert_eq!(reply.cookie().max_age(), None);
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Delete, StoreMethod::Create]
    );
    assert_ne!(browser.handle().await, former);
    assert_eq!(browser.read::<u32>("a").await, None);
    assert_eq!(browser.read("b").await, Some(2));
    assert_eq!(old.handle().await, None);
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn the_last_of_clears_and_writes_counts() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.clear();
            session.set("b", 2)?;
            session.regenerate();
            session.clear();
            session.regenerate();
            Ok::<_, wiz_session::Error>(())
        })
        .await;
    assert!(reply.cookie().value().is_empty());
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn whatever_comes_before_a_clear_is_over() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.set("x", 1)?;
            session.regenerate();
            session.remember(Duration::from_secs(3600));
            session.clear();
            session.log_in("alice");
            session.set("y", 1)?;
            session.clear();
            session.regenerate();
            session.set("z", 1)
        })
        .await;
    assert_eq!(reply.cookie().max_age(), None);
    browser
        .visit(async |session| {
            assert_eq!((session.keys(), session.user()), (vec!["z".into()], None));
        })
        .await;
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn regenerate_keeps_the_data_and_the_absolute_deadline() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut old = browser.clone();
    let former = browser.handle().await;
    let created_at = created_at(&mut browser).await;
    for _ in 0..35 {
        site.pass(20);
        browser.read::<u32>("a").await;
    }
    site.store.take_calls();

    let reply = browser
        .visit(async |session| {
            session.set("b", 2)?;
            session.regenerate();
            Ok::<_, wiz_session::Error>(())
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(reply.lines(CACHE_CONTROL), ["no-store"]);
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Create, StoreMethod::Replace]
    );
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(1), Some(2))
    );
    assert_ne!(browser.handle().await, former);
    assert_eq!(self::created_at(&mut browser).await, created_at);
    old.visit(async |session| assert!(session.is_new() && session.is_empty()))
        .await;
    assert_eq!(site.sessions().await, 1);

    site.pass(19);
    assert_eq!(browser.read("a").await, Some(1), "11 hours and 59 minutes");
    site.pass(1);
    assert_eq!(browser.read::<u32>("a").await, None, "12 hours");
}

async fn created_at(browser: &mut crate::support::Browser) -> Option<std::time::SystemTime> {
    let mut at = None;
    browser
        .visit(async |session| at = session.created_at())
        .await;
    at
}

#[tokio::test]
async fn the_old_id_neither_writes_nor_loses_the_new_cookie_for_a_while() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut late = browser.clone();
    browser.visit(async |session| session.regenerate()).await;

    let reply = late
        .visit(async |session| {
            assert!(session.is_empty() && session.is_new());
            session.set("b", 2)?;
            session.remember(Duration::from_secs(3600));
            session.regenerate();
            Ok::<_, wiz_session::Error>(())
        })
        .await;
    reply.is_ok_without_cookie();
    let reply = late
        .visit(async |session| {
            session.clear();
            session.set("b", 2)
        })
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(browser.read::<u32>("b").await, None);
    assert_eq!(site.sessions().await, 1);

    site.clock.advance(Duration::from_secs(31));
    let reply = late.write("b", 2).await;
    assert_eq!(
        reply.cookie().value(),
        late.value(),
        "by now it is just unknown"
    );
    assert_eq!(site.sessions().await, 2);
}

#[tokio::test]
async fn a_login_from_the_old_id_succeeds() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut late = browser.clone();
    browser.visit(async |session| session.log_in("alice")).await;
    let reply = late
        .visit(async |session| {
            session.log_in("alice");
            session.set("b", 2)
        })
        .await;
    assert_eq!(reply.cookie().value(), late.value());
    assert_eq!(
        (late.read::<u32>("a").await, late.read("b").await),
        (None, Some(2))
    );
    assert_eq!(site.layer.sessions().list("alice").await.unwrap().len(), 2);
}

#[tokio::test]
async fn regenerating_nothing_creates_nothing() {
    let site = Site::new();
    let regenerate = async |session: wiz_session::WizSession| session.regenerate();
    site.browser()
        .visit(regenerate)
        .await
        .is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);

    let reply = site
        .browser()
        .visit(async |session| {
            session.regenerate();
            session.set("a", 1)
        })
        .await;
    assert!(!reply.cookie().value().is_empty());
    assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
}

#[tokio::test]
async fn a_regeneration_that_fails_leaves_the_old_session() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let attempt = async |session: wiz_session::WizSession| {
        session.set("b", 2)?;
        session.regenerate();
        Ok::<_, wiz_session::Error>(())
    };
    for verb in [StoreMethod::Create, StoreMethod::Replace] {
        site.store.fault(verb, Fault::Fail);
        let reply = browser.visit(attempt).await;
        site.store.heal();
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(reply.cookies().is_empty());
        assert_eq!(
            (browser.read("a").await, browser.read::<u32>("b").await),
            (Some(1), None)
        );
    }

    let reply = browser
        .visit(async |session| {
            attempt(session).await.unwrap();
            StatusCode::BAD_GATEWAY
        })
        .await;
    assert_eq!(
        (reply.status, reply.cookies()),
        (StatusCode::BAD_GATEWAY, vec![])
    );
    assert_eq!(
        (browser.read("a").await, browser.read::<u32>("b").await),
        (Some(1), None)
    );
}

/// As after a change of the cookie's path or domain, when a browser sends both.
#[tokio::test]
async fn a_logout_ends_the_sessions_of_all_cookies_of_its_name() {
    for names in [["alice", "bob"], ["bob", "alice"]] {
        let site = Site::new();
        let mut browsers = Vec::new();
        for name in names {
            browsers.push(site.logged_in(name).await);
        }
        let pairs = browsers
            .iter()
            .map(|browser| format!("__Host-sid={}", browser.value()));
        let line = pairs.collect::<Vec<_>>().join("; ");
        let mut user = None;
        let reply = site
            .visit_with(&[line.as_bytes()], async |session| {
                user = session.user();
                assert!(session.log_out());
            })
            .await;
        assert_eq!(user.as_deref(), Some(names[0]), "the first one counts");
        assert!(reply.cookie().value().is_empty());
        assert_eq!(site.sessions().await, 0);
        for browser in &mut browsers {
            assert_eq!(browser.user().await, None);
        }
    }
}

#[tokio::test]
async fn a_logout_with_a_dead_cookie_ends_the_live_session_of_another_of_its_name() {
    let site = Site::new();
    let dead = site.logged_in("alice").await;
    dead.clone().visit(async |session| session.clear()).await;
    let mut live = site.logged_in("bob").await;
    let line = format!("__Host-sid={}; __Host-sid={}", dead.value(), live.value());
    let reply = site
        .visit_with(&[line.as_bytes()], async |session| {
            assert!(session.log_out());
        })
        .await;
    assert!(reply.cookie().value().is_empty());
    assert_eq!(live.user().await, None);
}
