//! D. Expiry. The clock is moved; nothing sleeps.

use std::time::{Duration, SystemTime};

use http::{StatusCode, header::SET_COOKIE};
use wiz_session::SessionStore;

use crate::support::{Browser, Fault, Site, StoreMethod};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn expires_at(browser: &mut Browser) -> Option<SystemTime> {
    let mut at = None;
    browser
        .visit(async |session| at = session.expires_at())
        .await;
    at
}

#[tokio::test]
async fn d26_a_session_that_was_silent_too_long_is_gone_though_not_swept() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let handle = browser.handle().await.unwrap();
    site.clock
        .advance(Duration::from_millis(30 * 60 * 1000 - 1));
    site.store.fault(StoreMethod::Touch, Fault::Fail);
    assert_eq!(browser.read("a").await, Some(1), "a millisecond before");
    site.clock.advance(Duration::from_millis(1));
    assert_eq!(browser.read::<u32>("a").await, None);
    assert!(site.record(handle).await.is_some(), "still there");

    browser.write("b", 2).await;
    assert_ne!(browser.handle().await, Some(handle));
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_request_that_found_its_session_alive_has_its_changes_stored_though_it_expires_meanwhile()
{
    for minutes in [2, 31, 40, 12 * 60 + 1] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        let reply = browser
            .visit(async |session| {
                site.pass(minutes);
                session.set("b", 2)
            })
            .await;
        reply.is_ok_without_cookie();
        let stored = (minutes < 12 * 60).then_some(2);
        assert_eq!(browser.read("b").await, stored, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn a_session_last_used_a_moment_before_its_end_takes_a_long_request() {
    let site = Site::with(|builder| builder.idle_timeout(Duration::from_secs(300)));
    let mut browser = site.visitor().await;
    site.clock.advance(Duration::from_secs(290));
    browser
        .visit(async |session| {
            site.clock.advance(Duration::from_secs(20));
            session.reload().await?;
            session.set("b", 2)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_session_that_was_swept_while_its_request_worked_is_409_if_changes_are_lost_with_it() {
    let site = Site::new();
    for changes in [true, false] {
        let mut browser = site.visitor().await;
        let reply = browser
            .visit(async |session| {
                site.pass(40);
                let now = site.clock.now();
                let swept = site.store.sessions().delete_expired(now, 10).await;
                assert_eq!(swept.unwrap(), 1);
                if changes {
                    session.set("b", 2).unwrap();
                }
            })
            .await;
        let status = if changes {
            StatusCode::CONFLICT
        } else {
            StatusCode::OK
        };
        assert_eq!((reply.status, reply.cookies().len()), (status, 0));
    }
}

#[tokio::test]
async fn a_read_alone_revives_no_session_that_expired_meanwhile() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |_session| site.pass(31))
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn d27_use_prolongs_a_session_until_its_absolute_deadline() {
    let site = Site::new();
    let mut reader = site.visitor().await;
    let mut writer = site.visitor().await;
    for minute in (20..=700).step_by(20) {
        site.pass(20);
        assert_eq!(reader.read("a").await, Some(1), "minute {minute}");
        writer.write("b", minute).await;
    }
    site.pass(19);
    assert_eq!(reader.read("a").await, Some(1));
    assert_eq!(writer.read("a").await, Some(1));
    site.pass(1);
    assert_eq!(reader.read::<u32>("a").await, None);
    assert_eq!(writer.read::<u32>("a").await, None);
}

#[tokio::test]
async fn d27_only_requests_that_read_the_session_count_as_use() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.pass(29);
    let service = tower::Layer::layer(&site.layer, crate::support::ignore(()));
    browser.send(service, Default::default()).await;
    assert_eq!(site.store.take_calls(), []);
    site.pass(1);
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn d28_a_touch_is_written_once_in_a_tenth_of_the_idle_timeout() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let created = expires_at(&mut browser).await.unwrap();
    site.clock.advance(Duration::from_millis(3 * 60 * 1000 - 1));
    for _ in 0..50 {
        browser.read::<u32>("a").await;
    }
    assert_eq!(site.store.take_calls(), [StoreMethod::Load; 51]);

    site.clock.advance(Duration::from_millis(1));
    let reply = browser.visit(async |_| ()).await;
    reply.is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Touch]
    );
    assert_eq!(
        expires_at(&mut browser).await,
        Some(created + Duration::from_secs(3 * 60))
    );
    browser.read::<u32>("a").await;
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load]
    );
}

#[tokio::test]
async fn d28_a_write_counts_as_a_touch() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.pass(10);
    browser.write("b", 2).await;
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    site.pass(2);
    browser.read::<u32>("a").await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
    site.pass(27);
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn d28_touch_after_replaces_the_tenth() {
    let site = Site::with(|builder| builder.touch_threshold(Duration::from_secs(60)));
    let mut browser = site.visitor().await;
    site.clock.advance(Duration::from_secs(59));
    browser.read::<u32>("a").await;
    site.clock.advance(Duration::from_secs(1));
    browser.read::<u32>("a").await;
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load, StoreMethod::Touch]
    );
}

#[tokio::test]
async fn d28_at_the_absolute_deadline_there_is_nothing_left_to_touch() {
    let site = Site::with(|builder| builder.absolute_timeout(Duration::from_secs(30 * 60)));
    let mut browser = site.visitor().await;
    site.pass(29);
    browser.read::<u32>("a").await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
}

#[tokio::test]
async fn d29_only_a_remembered_session_has_a_max_age() {
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
    let expires = expires_at(&mut browser).await.unwrap();
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
async fn d29_a_login_that_is_remembered_sets_one_cookie_and_restarts_at_the_next() {
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
async fn d29_remembering_for_no_time_takes_it_back() {
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
async fn d30_a_cookie_kept_for_longer_opens_nothing() {
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

/// DESIGN §3.6.
#[tokio::test]
async fn a_login_restarts_the_absolute_deadline() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let stay = async |browser: &mut Browser, hours| {
        for _ in 0..3 * hours {
            site.pass(20);
            browser.read::<u32>("a").await;
        }
    };
    stay(&mut browser, 11).await;
    browser.visit(async |session| session.log_in("alice")).await;
    stay(&mut browser, 11).await;
    assert_eq!(
        browser.read("a").await,
        Some(1),
        "22 hours after the beginning"
    );
    stay(&mut browser, 1).await;
    assert_eq!(
        browser.read::<u32>("a").await,
        None,
        "12 hours after the login"
    );
}

#[tokio::test]
async fn expires_at_is_what_the_store_knows() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let handle = browser.handle().await.unwrap();
    site.pass(7);
    browser.read::<u32>("a").await;
    let record = site.record(handle).await.unwrap();
    assert_eq!(expires_at(&mut browser).await, Some(record.expires_at()));
    let reply = browser
        .visit(async |session| {
            site.pass(5);
            session.set("b", 2)?;
            session.save().await?;
            assert!(session.expires_at() > Some(record.expires_at()));
            Ok::<_, wiz_session::Error>(StatusCode::NO_CONTENT)
        })
        .await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn d28_a_long_request_is_touched_by_the_time_of_its_answer() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.pass(2);
    browser
        .visit(async |_| {
            site.pass(2);
            tokio::task::yield_now().await;
        })
        .await;
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Touch]
    );
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

#[tokio::test]
async fn a_clock_never_goes_back() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.clock.advance(Duration::MAX);
    site.clock.advance(Duration::MAX);
    assert_eq!(browser.read::<u32>("a").await, None, "it has expired");
}
