//! `cache_for`: what may be old and what may not.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};
use wiz_session::{
    Clock, Ended, Error, Handle, Record, SessionStore, WizSession, WizSessionLayer,
    forward_session_store,
    test_util::{Fault, StoreMethod, TestStore},
};

use crate::support::{Browser, Pushing, key, settle};

const SECOND: Duration = Duration::from_secs(1);
const CACHE_FOR: Duration = Duration::from_secs(10);

/// Two processes on one store, each with a cache.
struct Site {
    store: TestStore,
    clock: Clock,
    processes: [WizSessionLayer; 2],
}

impl Site {
    fn new() -> Self {
        let store = TestStore::new();
        Self::on(&store, store.clone())
    }

    fn on(store: &TestStore, shared: impl SessionStore + Clone) -> Self {
        let clock = Clock::manual();
        let process = |store| {
            let builder = WizSessionLayer::builder(store, key(1));
            let builder = builder.clock(clock.clone()).cache_for(CACHE_FOR);
            builder.build().expect("the settings are valid")
        };
        Self {
            store: store.clone(),
            processes: [shared.clone(), shared].map(process),
            clock,
        }
    }

    /// One browser that each process knows. It has a session with `a = 1`, and both have it in their cache.
    async fn visitor(&self) -> [Browser; 2] {
        let mut one = Browser::new(self.processes[0].clone());
        one.write("a", 1).await;
        let mut two = one.through(self.processes[1].clone());
        assert_eq!(two.read("a").await, Some(1));
        assert_eq!(one.read("a").await, Some(1));
        self.store.take_calls();
        [one, two]
    }
}

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

/// Answers the next load late: with what was true when it was asked.
#[derive(Clone)]
struct Late(TestStore, Arc<Mutex<Option<Gate>>>);

impl SessionStore for Late {
    forward_session_store!(self => self.0, except [load]);

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let gate = self.1.lock().unwrap().take();
        let loaded = self.0.load(handle).await;
        if let Some(gate) = gate {
            gate.notified().await;
        }
        loaded
    }
}

type Gate = Arc<Notify>;

#[tokio::test]
async fn a_load_under_way_while_its_session_ends_or_changes_is_not_kept() {
    for ends in [false, true] {
        let store = TestStore::new();
        let next_load = Arc::new(Mutex::new(None));
        let site = Site::on(&store, Late(store.clone(), Arc::clone(&next_load)));
        let [mut one, _] = site.visitor().await;
        site.clock.advance(CACHE_FOR);
        let gate = Gate::default();
        *next_load.lock().unwrap() = Some(Arc::clone(&gate));
        let mut tab = one.clone();
        let reads = tab.read::<u32>("a");
        let writes = async {
            settle().await;
            one.visit(async |session| match ends {
                false => session.set("a", 2).unwrap(),
                true => session.clear(),
            })
            .await;
            gate.notify_one();
        };
        let (read, ()) = tokio::join!(reads, writes);
        assert_eq!(read, Some(1), "it was asked before");
        let expected = if ends { None } else { Some(2) };
        assert_eq!(tab.read::<u32>("a").await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_feed_an_old_read_is_over_at_once() {
    let store = TestStore::new();
    let site = Site::on(&store, Pushing::new(store.clone()));
    let [mut one, mut two] = site.visitor().await;
    settle().await;
    for n in 2..10 {
        one.write("a", n).await;
        settle().await;
        assert_eq!(two.read("a").await, Some(n));
    }
    one.visit(async |session| session.regenerate()).await;
    settle().await;
    assert_eq!(two.read::<u32>("a").await, None);
}

#[tokio::test(start_paused = true)]
async fn with_every_message_lost_a_read_is_as_old_as_the_cache_at_the_most() {
    let store = TestStore::new();
    let shared = Pushing::new(store.clone());
    let site = Site::on(&store, shared.clone());
    let [mut one, mut two] = site.visitor().await;
    settle().await;
    shared.lose_messages(true);
    one.write("a", 2).await;
    settle().await;
    assert_eq!(two.read("a").await, Some(1));
    site.clock.advance(CACHE_FOR);
    assert_eq!(two.read("a").await, Some(2));
    one.write("a", 3).await;
    shared.gap();
    settle().await;
    assert_eq!(two.read("a").await, Some(3), "a gap empties the cache");
}

#[tokio::test(start_paused = true)]
async fn a_feed_tells_another_process_at_once() {
    let store = TestStore::new();
    let shared = Pushing::new(store.clone());
    let site = Site::on(&store, shared.clone());
    let [mut one, mut two] = site.visitor().await;
    let mut kept = None;
    two.visit(async |session| kept = Some(session)).await;
    let socket: WizSession = kept.expect("the handler ran");
    let (changed, ended) = (tokio::spawn(socket.changed()), tokio::spawn(socket.ended()));
    settle().await;
    assert!(!changed.is_finished());
    one.write("a", 2).await;
    settle().await;
    assert!(changed.is_finished());
    shared.lose_messages(true);
    one.visit(async |session| session.clear()).await;
    settle().await;
    assert!(!ended.is_finished());
    shared.gap();
    settle().await;
    assert_eq!(
        timeout(SECOND, ended).await.unwrap().unwrap(),
        Ended::LoggedOut
    );
}
