//! `ended` and `changed`: whoever holds a session is told.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;
use wiz_session::{
    Ended, Key, WizSession, WizSessionLayer,
    test_util::{Fault, StoreMethod, TestStore},
};

use crate::support::{Browser, Pushing, Site, settle};

/// Far more than an interval, and no time at all where the runtime's clock is paused.
const LONG: Duration = Duration::from_secs(60 * 60);

/// A handle that has outlived its request.
async fn kept(browser: &mut Browser) -> WizSession {
    let mut kept = None;
    browser.visit(async |session| kept = Some(session)).await;
    kept.expect("the handler ran")
}

async fn ended(session: &WizSession) -> Option<Ended> {
    timeout(LONG, session.ended()).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_logout_in_another_tab_ends_it_at_once() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    settle().await;
    assert!(!told.is_finished());
    browser
        .visit(async |session| assert!(session.log_out()))
        .await;
    settle().await;
    assert!(told.is_finished(), "without waiting for a look");
    assert_eq!(told.await.unwrap(), Ended::LoggedOut);
}

#[tokio::test(start_paused = true)]
async fn a_login_moves_it() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    settle().await;
    browser.visit(async |session| session.log_in("alice")).await;
    settle().await;
    assert_eq!(told.now_or_never().expect("told").unwrap(), Ended::Moved);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_ends_it_with_its_reason() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    for by_user in [false, true] {
        let mut browser = site.logged_in("alice").await;
        let socket = kept(&mut browser).await;
        let told = tokio::spawn(socket.ended());
        settle().await;
        match by_user {
            false => drop(sessions.revoke(socket.handle().unwrap()).await.unwrap()),
            true => drop(sessions.revoke_user("alice").await.unwrap()),
        }
        settle().await;
        assert_eq!(told.now_or_never().expect("told").unwrap(), Ended::Revoked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_failed_gives_a_later_logout_no_name() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    settle().await;
    site.store.fault(StoreMethod::Delete, Fault::Fail);
    let sessions = site.layer.sessions();
    sessions.revoke(socket.handle().unwrap()).await.unwrap_err();
    site.store.heal();
    settle().await;
    assert!(!told.is_finished(), "it lives");
    browser
        .visit(async |session| assert!(session.log_out()))
        .await;
    settle().await;
    let told = told.now_or_never().expect("told").unwrap();
    assert_eq!(told, Ended::LoggedOut);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_whose_answer_is_lost_is_one() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    settle().await;
    site.store.fault(StoreMethod::Delete, Fault::DoneThenFail);
    let sessions = site.layer.sessions();
    sessions.revoke(socket.handle().unwrap()).await.unwrap_err();
    settle().await;
    assert_eq!(told.now_or_never().expect("told").unwrap(), Ended::Revoked);
}

#[tokio::test(start_paused = true)]
async fn others_are_revoked_and_the_own_one_lives() {
    let site = Site::new();
    let (mut here, mut there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let (own, other) = (kept(&mut here).await, kept(&mut there).await);
    let told = [&own, &other].map(|session| tokio::spawn(session.ended()));
    settle().await;
    site.layer.sessions().revoke_others(&own).await.unwrap();
    settle().await;
    assert_eq!(told.map(|told| told.is_finished()), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn an_expiry_ends_it_on_time() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    settle().await;
    site.pass(29);
    settle().await;
    assert!(!told.is_finished());
    site.pass(1);
    settle().await;
    assert_eq!(told.now_or_never().expect("told").unwrap(), Ended::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_use_by_another_request_postpones_the_expiry() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    settle().await;
    site.pass(20);
    browser.read::<u32>("a").await;
    site.pass(20);
    settle().await;
    assert!(!told.is_finished(), "it was used twenty minutes ago");
    site.pass(10);
    settle().await;
    assert!(told.is_finished());
}

#[tokio::test(start_paused = true)]
async fn waiting_is_no_use() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    for _ in 0..30 {
        settle().await;
        site.pass(1);
        drop(timeout(Duration::from_secs(60), socket.changed()).await);
    }
    settle().await;
    assert!(told.is_finished());
    assert_eq!(site.store.calls_of(StoreMethod::Touch), 0);
}

/// As if by another process: not through this layer.
#[tokio::test(start_paused = true)]
async fn what_another_process_does_is_seen_by_the_next_look() {
    let site = Site::new();
    let elsewhere = site.unwatched();
    let mut browser = site.logged_in("alice").await;
    let socket = kept(&mut browser).await;
    let mut other = browser.through(elsewhere.clone());
    assert!(
        timeout(LONG, socket.changed()).await.is_err(),
        "nothing has happened"
    );
    other.write("a", 2).await;
    assert!(
        timeout(Duration::from_secs(11), socket.changed())
            .await
            .is_ok()
    );
    socket.reload().await.unwrap();
    assert_eq!(socket.get("a").unwrap(), Some(2));
    assert!(
        timeout(LONG, socket.changed()).await.is_err(),
        "it is known by now"
    );

    other.visit(async |session| session.regenerate()).await;
    let told = timeout(Duration::from_secs(11), socket.ended()).await;
    assert_eq!(told, Ok(Ended::Moved));
    let socket = kept(&mut other.at(&site)).await;
    elsewhere.sessions().revoke_user("alice").await.unwrap();
    let told = timeout(Duration::from_secs(11), socket.ended()).await;
    assert_eq!(told, Ok(Ended::LoggedOut), "who did it cannot be told");
}

#[tokio::test(start_paused = true)]
async fn a_change_in_another_tab_is_told_at_once_and_the_own_one_is_not() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    for n in 0..10 {
        let told = tokio::spawn(socket.changed());
        settle().await;
        socket.set("own", n).unwrap();
        socket.save().await.unwrap();
        settle().await;
        assert!(!told.is_finished(), "that was its own");
        browser.write("other", n).await;
        settle().await;
        assert!(told.is_finished());
        socket.reload().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_between_two_waits_is_not_missed() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    assert!(socket.changed().now_or_never().is_none());
    browser.write("a", 2).await;
    assert!(socket.changed().now_or_never().is_some());
    assert!(
        socket.changed().now_or_never().is_some(),
        "it is not reloaded yet"
    );
    socket.reload().await.unwrap();
    assert!(socket.changed().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_change_before_the_first_wait_is_not_missed() {
    let site = Site::new();
    let mut browser = site.logged_in("alice").await;
    let (first, second) = (kept(&mut browser).await, kept(&mut browser).await);
    browser.write("a", 2).await;
    assert!(timeout(LONG, first.changed()).await.is_ok());
    browser
        .visit(async |session| assert!(session.log_out()))
        .await;
    assert_eq!(ended(&second).await, Some(Ended::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn a_handle_follows_its_own_new_id() {
    follows_its_own_new_id(Site::new().layer).await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_told_of_its_own_new_id_before_it_is_answered_follows_it() {
    let store = Pushing::new(TestStore::new());
    follows_its_own_new_id(WizSessionLayer::new(store, Key::generate())).await;
}

async fn follows_its_own_new_id(layer: WizSessionLayer) {
    let mut browser = Browser::new(layer);
    browser.write("a", 1).await;
    let mut told = None;
    browser
        .visit(async |session| {
            told = Some(tokio::spawn(session.ended()));
            settle().await;
            session.log_in("alice");
        })
        .await;
    settle().await;
    let told = told.expect("the handler ran");
    assert!(!told.is_finished(), "its session lives on");
    browser
        .visit(async |session| assert!(session.log_out()))
        .await;
    settle().await;
    assert_eq!(
        told.now_or_never().expect("told").unwrap(),
        Ended::LoggedOut
    );
}

#[tokio::test(start_paused = true)]
async fn a_visitor_waits_for_a_session_first() {
    let site = Site::new();
    let mut browser = site.browser();
    let mut socket = None;
    browser
        .visit(async |session| {
            session.set("a", 1).unwrap();
            socket = Some((session.clone(), tokio::spawn(session.ended())));
        })
        .await;
    let (_session, told) = socket.expect("the handler ran");
    tokio::time::sleep(LONG).await;
    assert!(!told.is_finished());
    browser.visit(async |session| session.clear()).await;
    settle().await;
    assert!(told.is_finished());

    let visitor = kept(&mut site.browser()).await;
    assert_eq!(ended(&visitor).await, None);
    assert!(timeout(LONG, visitor.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn one_that_came_with_an_ended_session_is_told_at_once() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut old = browser.clone();
    browser.visit(async |session| session.regenerate()).await;
    let stale = kept(&mut old).await;
    assert_eq!(stale.ended().now_or_never(), Some(Ended::Moved));
    browser.visit(async |session| session.clear()).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_the_news_and_loses_none() {
    let site = Site::new();
    let elsewhere = site.unwatched();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    let told = tokio::spawn(socket.ended());
    site.store.fault(StoreMethod::Look, Fault::Fail);
    browser
        .through(elsewhere)
        .visit(async |session| session.clear())
        .await;
    tokio::time::sleep(LONG).await;
    assert!(!told.is_finished(), "a failure is no end");
    site.store.heal();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        told.now_or_never().expect("told").unwrap(),
        Ended::LoggedOut
    );
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_are_looked_at_in_ten_statements() {
    let site = Site::new();
    let sessions = site.layer.sessions();
    let watches: Vec<_> = (0..10_000_u32)
        .map(|n| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&n.to_le_bytes());
            sessions.watch(wiz_session::Handle::from_bytes(bytes))
        })
        .collect();
    settle().await;
    site.store.take_calls();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Look; 10]);
    drop(watches);
    tokio::time::sleep(LONG).await;
    assert_eq!(site.store.take_calls(), [], "nothing is watched any more");
}

#[tokio::test(start_paused = true)]
async fn watching_one_session_often_costs_one_look() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let socket = kept(&mut browser).await;
    site.store.take_calls();
    for _ in 0..100 {
        assert!(socket.ended().now_or_never().is_none());
        assert!(socket.changed().now_or_never().is_none());
        settle().await;
    }
    assert_eq!(site.store.take_calls(), [StoreMethod::Look]);
    drop(socket);
    tokio::time::sleep(LONG).await;
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_outside_sees_ends_and_changes() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let handle = browser.handle().await.expect("it has a session");
    let mut watch = site.layer.sessions().watch(handle);
    assert!(timeout(LONG, watch.changed()).await.is_err());
    browser.write("a", 2).await;
    assert!(timeout(LONG, watch.changed()).await.is_ok());
    assert!(timeout(LONG, watch.changed()).await.is_err());
    browser.visit(async |session| session.clear()).await;
    assert_eq!(timeout(LONG, watch.ended()).await, Ok(Ended::LoggedOut));
}

#[test]
fn a_runtime_that_stops_does_not_stop_the_news() {
    let site = Site::new();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let first = runtime();
    let socket = first.block_on(async {
        let mut browser = site.visitor().await;
        let socket = kept(&mut browser).await;
        assert!(socket.ended().now_or_never().is_none());
        socket
    });
    let second = runtime();
    second.block_on(async {
        let told = tokio::spawn(socket.ended());
        settle().await;
        drop(std::thread::spawn(move || drop(first)).join());
        site.pass(31);
        settle().await;
        assert!(told.is_finished());
    });
}
