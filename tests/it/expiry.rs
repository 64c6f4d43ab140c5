//! When a session ends by itself. The clock is moved; nothing sleeps.

use std::time::Duration;

use http::StatusCode;
use wiz_session::{Clock, SessionStore, WizSessionLayer};

use crate::support::{Browser, Fault, Site, StoreMethod, key};

#[tokio::test]
async fn a_session_that_was_silent_too_long_is_gone_though_not_swept() {
    for site in Site::with_and_without_cache() {
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
}

#[tokio::test]
async fn a_request_that_found_its_session_alive_has_its_changes_stored_though_it_expires_meanwhile()
{
    for minutes in [2, 31, 40, 12 * 60 + 1] {
        for site in Site::with_and_without_cache() {
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
    for site in Site::with_and_without_cache() {
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
}

/// Its client may have logged in meanwhile, which the cookie of the former session would undo.
#[tokio::test]
async fn the_cookie_of_a_session_that_was_swept_is_not_sent_for_what_was_saved_before() {
    for saves_twice in [true, false] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        browser
            .visit(async |session| session.remember(Duration::from_secs(30 * 60)))
            .await;
        site.pass(20);
        let reply = browser
            .visit(async |session| {
                session.set("b", 2).unwrap();
                session.save().await.unwrap();
                site.pass(40);
                let now = site.clock.now();
                let swept = site.store.sessions().delete_expired(now, 10).await;
                assert_eq!(swept.unwrap(), 1);
                session.set("c", 3).unwrap();
                if saves_twice {
                    assert!(session.save().await.unwrap_err().is_gone());
                }
            })
            .await;
        assert_eq!(
            (reply.status, reply.cookies().len()),
            (StatusCode::CONFLICT, 0)
        );
    }
}

#[tokio::test]
async fn a_read_alone_revives_no_session_that_expired_meanwhile() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        browser
            .visit(async |_session| site.pass(31))
            .await
            .is_ok_without_cookie();
        assert_eq!(browser.read::<u32>("a").await, None);
    }
}

#[tokio::test]
async fn use_prolongs_a_session_until_its_absolute_deadline() {
    for site in Site::with_and_without_cache() {
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
}

#[tokio::test]
async fn only_requests_that_read_the_session_count_as_use() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        site.pass(29);
        let service = tower::Layer::layer(&site.layer, crate::support::ignore(()));
        browser.send(service, Default::default()).await;
        assert_eq!(site.store.take_calls(), []);
        site.pass(1);
        assert_eq!(browser.read::<u32>("a").await, None);
    }
}

#[tokio::test]
async fn a_touch_is_written_once_in_a_tenth_of_the_idle_timeout() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let created = browser.expires_at().await.unwrap();
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
        browser.expires_at().await,
        Some(created + Duration::from_secs(3 * 60))
    );
    browser.read::<u32>("a").await;
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load]
    );
}

#[tokio::test]
async fn a_write_counts_as_a_touch() {
    for site in Site::with_and_without_cache() {
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
}

#[tokio::test]
async fn touch_after_replaces_the_tenth() {
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
async fn at_the_absolute_deadline_there_is_nothing_left_to_touch() {
    let site = Site::with(|builder| builder.absolute_timeout(Duration::from_secs(30 * 60)));
    let mut browser = site.visitor().await;
    site.pass(29);
    browser.read::<u32>("a").await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
}

#[tokio::test]
async fn a_login_restarts_the_absolute_deadline() {
    for site in Site::with_and_without_cache() {
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
}

#[tokio::test]
async fn expires_at_is_what_the_store_knows() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let handle = browser.handle().await.unwrap();
        site.pass(7);
        browser.read::<u32>("a").await;
        let record = site.record(handle).await.unwrap();
        assert_eq!(browser.expires_at().await, Some(record.expires_at()));
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
}

#[tokio::test]
async fn a_long_request_is_touched_by_the_time_of_its_answer() {
    for site in Site::with_and_without_cache() {
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
}

#[tokio::test]
async fn a_clock_never_goes_back() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        site.clock.advance(Duration::MAX);
        site.clock.advance(Duration::MAX);
        assert_eq!(browser.read::<u32>("a").await, None, "it has expired");
    }
}

#[tokio::test]
async fn a_session_in_use_lives_until_its_absolute_deadline() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        site.clock.advance(Duration::from_secs(20));
        for half in 1..1439 {
            site.clock.advance(Duration::from_secs(30));
            assert_eq!(
                browser.read("a").await,
                Some(1),
                "half minute {half} of 1440"
            );
        }
    }
}

#[tokio::test]
async fn what_a_server_wrote_whose_clock_was_years_ahead_is_nobodys_session() {
    let decade = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    for remembered in [false, true] {
        for site in Site::with_and_without_cache() {
            site.clock.advance(decade);
            let mut browser = site.browser();
            browser
                .visit(async |session| {
                    session.log_in("alice");
                    if remembered {
                        session.remember(Duration::from_secs(30 * 24 * 60 * 60));
                    }
                })
                .await;
            assert_eq!(browser.user().await.as_deref(), Some("alice"));
            let right = WizSessionLayer::builder(site.store.clone(), key(1)).clock(Clock::manual());
            let mut at_the_right_time = browser.through(right.build().unwrap());
            assert_eq!(at_the_right_time.user().await, None);
            let reply = at_the_right_time.write("a", 1).await;
            assert_eq!(reply.cookie().value(), at_the_right_time.value());
            assert_eq!(at_the_right_time.read("a").await, Some(1));
        }
    }
}
