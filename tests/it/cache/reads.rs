use std::time::Duration;

use wiz_session::{
    Error, WizSession,
    test_util::{Fault, StoreMethod},
};

use super::{CACHE_FOR, SECOND, Site};
use crate::support::Browser;

#[tokio::test]
async fn a_cached_read_takes_no_round_trip() {
    let site = Site::new();
    let [mut one, mut two] = site.visitor().await;
    for _ in 0..10 {
        assert_eq!(one.read("a").await, Some(1));
        assert_eq!(two.read("a").await, Some(1));
    }
    assert_eq!(site.store.take_calls(), []);
    site.clock.advance(CACHE_FOR);
    one.read::<u32>("a").await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
}

#[tokio::test]
async fn a_process_reads_what_it_has_written() {
    let site = Site::new();
    let [mut one, _] = site.visitor().await;
    for n in 2..10 {
        one.write("a", n).await;
        assert_eq!(one.read("a").await, Some(n));
    }
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Replace; 8],
        "and no load"
    );
    one.visit(async |session| session.log_in("alice")).await;
    assert_eq!(one.user().await.as_deref(), Some("alice"));
    one.visit(async |session| assert!(session.log_out())).await;
    assert_eq!(one.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_read_is_as_old_as_the_cache_at_the_most() {
    let site = Site::new();
    let [mut one, mut two] = site.visitor().await;
    site.clock.advance(CACHE_FOR - SECOND);
    one.write("a", 2).await;
    assert_eq!(two.read("a").await, Some(1), "old, as it may be");
    site.clock.advance(SECOND);
    assert_eq!(two.read("a").await, Some(2));
    one.visit(async |session| session.clear()).await;
    site.clock.advance(CACHE_FOR);
    assert_eq!(two.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_write_on_an_old_read_loses_nothing() {
    let site = Site::new();
    let [mut one, mut two] = site.visitor().await;
    for _ in 0..10 {
        for browser in [&mut one, &mut two] {
            browser
                .visit(async |session| session.update("a", |n: &mut u32| *n += 1).map(drop))
                .await
                .is_ok();
        }
    }
    site.clock.advance(CACHE_FOR);
    assert_eq!(one.read("a").await, Some(21));
}

/// What is "already there" is decided against the record at the commit, as for every handle whose data may be old.
#[tokio::test]
async fn a_write_that_changes_nothing_of_an_old_read_is_stored() {
    async fn after(
        theirs: impl AsyncFnOnce(WizSession) -> Result<(), Error>,
        ours: impl AsyncFnOnce(WizSession) -> Result<(), Error>,
    ) -> [Option<u32>; 2] {
        let site = Site::new();
        let [mut one, mut two] = site.visitor().await;
        one.visit(theirs).await.is_ok();
        two.visit(ours).await.is_ok();
        site.clock.advance(CACHE_FOR);
        [one.read("a").await, one.read("b").await]
    }
    let set = after(
        async |session| session.set("a", 2),
        async |session| session.set("a", 1),
    );
    assert_eq!(set.await, [Some(1), None]);
    let delete = after(
        async |session| session.set("b", 1),
        async |session| {
            session.delete("b");
            Ok(())
        },
    );
    assert_eq!(delete.await, [Some(1), None]);
    let update = after(
        async |session| session.set("a", 0),
        async |session| {
            let at_least_one = |n: &mut u32| *n = (*n).max(1);
            session.update("a", at_least_one).map(drop)
        },
    );
    assert_eq!(update.await, [Some(1), None]);
}

/// It takes a look to know, and no write.
#[tokio::test]
async fn a_write_that_changes_nothing_is_looked_up() {
    let site = Site::new();
    let [mut one, _] = site.visitor().await;
    one.write("a", 1).await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
    one.visit(async |session| {
        session.set("a", 2).unwrap();
        session.set("a", 1)
    })
    .await
    .is_ok();
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
}

#[tokio::test]
async fn an_old_read_revives_nothing() {
    let site = Site::new();
    let [mut one, mut two] = site.visitor().await;
    one.visit(async |session| session.clear()).await;
    let reply = two.write("a", 2).await;
    reply.is_ok_without_cookie();
    assert_eq!(two.read::<u32>("a").await, None, "the write has found out");
    assert_eq!(site.processes[0].sessions().count().await.unwrap(), 0);
}

#[tokio::test]
async fn what_has_to_be_true_goes_by_the_store() {
    let site = Site::new();
    let [mut one, mut two] = site.visitor().await;
    let kept = async |browser: &mut Browser| {
        let mut kept: Option<WizSession> = None;
        browser.visit(async |session| kept = Some(session)).await;
        kept.expect("the handler ran")
    };
    let (reloads, looks, transacts) = (
        kept(&mut two).await,
        kept(&mut two).await,
        kept(&mut two).await,
    );
    one.write("a", 2).await;
    reloads.reload().await.unwrap();
    assert_eq!(reloads.get("a").unwrap(), Some(2));
    one.write("a", 3).await;
    let seen = transacts.transaction(|tx| tx.get::<u32>("a")).await;
    assert_eq!(seen.unwrap(), Some(3));
    one.visit(async |session| session.clear()).await;
    assert!(!looks.is_alive().await.unwrap());
    assert_eq!(two.read::<u32>("a").await, None, "the look has found out");
}

#[tokio::test]
async fn a_revocation_is_known_at_once_where_it_was_made() {
    let site = Site::new();
    let mut browser = Browser::new(site.processes[0].clone());
    let sessions = site.processes[0].sessions();
    for by_user in [false, true] {
        browser.visit(async |session| session.log_in("alice")).await;
        let handle = browser.handle().await.expect("a session");
        match by_user {
            false => drop(sessions.revoke(handle).await.unwrap()),
            true => drop(sessions.revoke_user("alice").await.unwrap()),
        }
        assert_eq!(browser.user().await, None);
    }
}

#[tokio::test]
async fn a_cached_session_is_touched_as_often_as_any() {
    let site = Site::new();
    let [mut one, _] = site.visitor().await;
    for _ in 0..60 {
        site.clock.advance(SECOND * 5);
        assert_eq!(one.read("a").await, Some(1));
    }
    let touches = site.store.calls_of(StoreMethod::Touch);
    assert_eq!(touches, 1, "in five minutes of thirty");
}

#[tokio::test]
async fn a_lost_answer_leaves_nothing_old_behind() {
    let site = Site::new();
    let [mut one, _] = site.visitor().await;
    site.store.fault(StoreMethod::Replace, Fault::DoneThenFail);
    one.visit(async |session| session.update("a", |n: &mut u32| *n += 1).map(drop))
        .await
        .is_ok();
    site.store.heal();
    assert_eq!(one.read("a").await, Some(2));
    site.store.fault(StoreMethod::Delete, Fault::DoneThenFail);
    one.visit(async |session| session.clear()).await;
    site.store.heal();
    assert_eq!(one.read::<u32>("a").await, None);
}

#[tokio::test]
async fn an_end_that_another_process_has_postponed_is_no_end() {
    const IDLE: Duration = Duration::from_secs(30 * 60);
    let site = Site::new();
    let [mut one, mut two] = site.visitor().await;
    site.clock.advance(IDLE - CACHE_FOR / 2);
    two.visit(async |session| session.skip_touch()).await;
    one.read::<u32>("a").await;
    site.clock.advance(CACHE_FOR - SECOND);
    assert_eq!(two.read("a").await, Some(1), "it was used meanwhile");
}
