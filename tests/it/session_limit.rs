//! `max_sessions_per_user`: the login that is one too many ends the oldest.

use wiz_session::{MemoryStore, WizSession, WizSessionLayer};

use crate::support::{Browser, Site, StoreMethod, key};

fn site(most: usize) -> Site {
    Site::with(|builder| builder.max_sessions_per_user(most))
}

async fn users(browsers: &mut [Browser]) -> Vec<bool> {
    let mut users = Vec::new();
    for browser in browsers {
        users.push(browser.user().await.is_some());
    }
    users
}

#[tokio::test]
async fn the_login_that_is_one_too_many_ends_the_oldest() {
    let site = site(2);
    let mut bob = site.logged_in("bob").await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        browsers.push(site.logged_in("alice").await);
        site.pass(1);
    }
    assert_eq!(users(&mut browsers).await, [false, true, true]);
    // It is the login that counts, not the use.
    browsers[1]
        .visit(async |session| session.log_in("alice"))
        .await;
    site.pass(1);
    browsers.push(site.logged_in("alice").await);
    assert_eq!(users(&mut browsers).await, [false, true, false, true]);
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn it_holds_in_a_store_that_answers_at_once_and_however_the_login_is_committed() {
    for most in [1, 2] {
        let layer = WizSessionLayer::builder(MemoryStore::new(), key(1))
            .max_sessions_per_user(most)
            .build()
            .unwrap();
        for n in 0..6 {
            let log_in = async |session: WizSession| {
                session.log_in("alice");
                match n % 2 {
                    0 => session.save().await,
                    _ => Ok(()),
                }
            };
            Browser::new(layer.clone()).visit(log_in).await.is_ok();
        }
        assert_eq!(layer.sessions().list("alice").await.unwrap().len(), most);
    }
}

#[tokio::test]
async fn a_login_costs_one_list_more_and_nothing_else_does() {
    let site = site(2);
    let mut browser = site.browser();
    browser.visit(async |session| session.log_in("alice")).await;
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Create, StoreMethod::List]
    );
    browser.write("a", 1).await;
    browser.visit(async |session| session.regenerate()).await;
    let calls = site.store.take_calls();
    assert!(!calls.contains(&StoreMethod::List), "{calls:?}");
}

#[tokio::test]
async fn a_store_that_fails_after_the_login_leaves_it_and_the_next_login_makes_up_for_it() {
    let site = site(1);
    let mut first = site.logged_in("alice").await;
    site.pass(1);
    site.store.fail(StoreMethod::List);
    let mut second = site.browser();
    second
        .visit(async |session| session.log_in("alice"))
        .await
        .is_ok();
    assert_eq!(
        (first.user().await.is_some(), second.user().await.is_some()),
        (true, true)
    );
    site.store.heal();
    site.pass(1);
    let mut third = site.logged_in("alice").await;
    assert_eq!((first.user().await, second.user().await), (None, None));
    assert_eq!(third.user().await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_client_that_leaves_after_its_login_does_not_exceed_it() {
    let site = site(1);
    site.logged_in("alice").await;
    site.pass(1);
    let gate = site.store.pause(StoreMethod::List);
    let mut browser = site.browser();
    let visit = async { browser.visit(async |session| session.log_in("alice")).await };
    tokio::select! {
        biased;
        _ = visit => panic!("it was held"),
        () = gate.reached() => {}
    }
    gate.open();
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while site.sessions().await != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the oldest is ended all the same");
}

#[test]
fn none_at_all_is_refused() {
    let builder = WizSessionLayer::builder(MemoryStore::new(), key(1)).max_sessions_per_user(0);
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("max_sessions_per_user is 0"), "{error}");
}

#[tokio::test]
async fn the_newest_can_be_kept_by_hand() {
    let site = Site::new();
    let mut browsers = Vec::new();
    for _ in 0..4 {
        browsers.push(site.logged_in("alice").await);
        site.pass(1);
    }
    let sessions = site.layer.sessions();
    assert_eq!(sessions.keep_newest("alice", 3).await.unwrap(), 1);
    assert_eq!(sessions.keep_newest("alice", 3).await.unwrap(), 0);
    assert_eq!(users(&mut browsers).await, [false, true, true, true]);
    assert_eq!(sessions.keep_newest("alice", 0).await.unwrap(), 3);
}

#[tokio::test]
async fn a_session_that_is_moving_to_a_new_id_counts_once() {
    let site = site(3);
    let mut oldest = site.logged_in("alice").await;
    site.pass(1);
    let mut moving = site.logged_in("alice").await;
    site.pass(1);
    // Its copy is there, and it is not ended yet.
    let gate = site.store.pause(StoreMethod::Replace);
    let moves = moving.visit(async |session| session.regenerate());
    let log_in = async {
        gate.reached().await;
        let mut browser = site.browser();
        browser.visit(async |session| session.log_in("alice")).await;
        let listed = site.layer.sessions().list("alice").await;
        assert_eq!(listed.unwrap().len(), 3, "under its new id alone");
        gate.open();
    };
    futures_util::future::join(moves, log_in).await;
    assert_eq!(oldest.user().await.as_deref(), Some("alice"));
    assert_eq!(moving.user().await.as_deref(), Some("alice"));
}
