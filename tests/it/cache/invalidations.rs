use std::sync::{Arc, Mutex};

use tokio::{sync::Notify, time::timeout};
use wiz_session::{
    Ended, Error, Handle, Record, SessionStore, Version, WizSession, forward_session_store,
    store::Replaced,
    test_util::{StoreMethod, TestStore},
};

use super::{CACHE_FOR, SECOND, Site};
use crate::support::{Pushing, settle};

/// Does what the next load or write asks at once, and answers late.
#[derive(Clone)]
struct Late<S> {
    store: S,
    next: Arc<Mutex<Option<(StoreMethod, Gate)>>>,
}

type Gate = Arc<Notify>;

impl<S> Late<S> {
    fn new(store: S) -> Self {
        Self {
            store,
            next: Arc::default(),
        }
    }

    /// The next call of this method is answered when the gate opens.
    fn next(&self, method: StoreMethod) -> Gate {
        let gate = Gate::default();
        *self.next.lock().unwrap() = Some((method, Arc::clone(&gate)));
        gate
    }

    fn gate(&self, method: StoreMethod) -> Option<Gate> {
        let next = self.next.lock().unwrap().take_if(|next| next.0 == method);
        next.map(|(_, gate)| gate)
    }
}

impl<S: SessionStore> SessionStore for Late<S> {
    forward_session_store!(self => self.store, except [load, replace]);

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let gate = self.gate(StoreMethod::Load);
        let loaded = self.store.load(handle).await;
        if let Some(gate) = gate {
            gate.notified().await;
        }
        loaded
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let gate = self.gate(StoreMethod::Replace);
        let replaced = self.store.replace(handle, expected, record).await;
        if let Some(gate) = gate {
            gate.notified().await;
        }
        replaced
    }
}

#[tokio::test]
async fn a_load_under_way_while_its_session_ends_or_changes_is_not_kept() {
    for ends in [false, true] {
        let store = TestStore::new();
        let late = Late::new(store.clone());
        let site = Site::on(&store, late.clone());
        let [mut one, _] = site.visitor().await;
        site.clock.advance(CACHE_FOR);
        let gate = late.next(StoreMethod::Load);
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
async fn a_write_answered_after_the_news_of_a_later_one_is_not_kept() {
    let store = TestStore::new();
    let late = Late::new(Pushing::new(store.clone()));
    let site = Site::on(&store, late.clone());
    let [mut one, mut two] = site.visitor().await;
    settle().await;
    let gate = late.next(StoreMethod::Replace);
    let writes_later = async {
        settle().await;
        one.write("a", 3).await;
        settle().await;
        gate.notify_one();
    };
    tokio::join!(two.write("a", 2), writes_later);
    assert_eq!(two.read("a").await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_write_answered_after_the_news_of_itself_is_kept() {
    let store = TestStore::new();
    let late = Late::new(Pushing::new(store.clone()));
    let site = Site::on(&store, late.clone());
    let [_, mut two] = site.visitor().await;
    settle().await;
    let gate = late.next(StoreMethod::Replace);
    let opens = async {
        settle().await;
        gate.notify_one();
    };
    tokio::join!(two.write("a", 2), opens);
    site.store.take_calls();
    assert_eq!(two.read("a").await, Some(2));
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn what_happened_before_the_subscription_is_seen_when_it_stands() {
    for ends in [false, true] {
        let store = TestStore::new();
        let shared = Pushing::subscribing(store.clone());
        let site = Site::on(&store, shared.clone());
        let [mut one, mut two] = site.visitor().await;
        settle().await;
        one.visit(async |session| match ends {
            false => session.set("a", 2).unwrap(),
            true => session.clear(),
        })
        .await;
        settle().await;
        assert_eq!(two.read("a").await, Some(1), "it is not subscribed to yet");
        shared.confirm(100);
        settle().await;
        let expected = if ends { None } else { Some(2) };
        assert_eq!(two.read("a").await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_that_are_subscribed_to_are_looked_at_together() {
    let store = TestStore::new();
    let shared = Pushing::subscribing(store.clone());
    let site = Site::on(&store, shared.clone());
    for _ in 0..100 {
        site.visitor().await;
    }
    settle().await;
    site.store.take_calls();
    shared.confirm(1000);
    settle().await;
    let looks = site.store.calls_of(StoreMethod::Look);
    assert!((2..10).contains(&looks), "{looks} for 200 entries");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_listened_for_once_the_layer_is_gone() {
    let store = TestStore::new();
    let shared = Pushing::new(store.clone());
    let site = Site::on(&store, shared.clone());
    drop(site.visitor().await);
    settle().await;
    assert_eq!(shared.listeners(), 2);
    drop(site);
    tokio::time::sleep(SECOND * 60).await;
    assert_eq!(shared.listeners(), 0);
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
