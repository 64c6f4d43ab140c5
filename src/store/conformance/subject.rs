//! The store that is tested. Whatever it is asked, it has to answer, in time, and at once if it says that it does.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, SystemTime},
};

use super::{
    rule::{self, Rule},
    samples::{Kept, handle, kept},
    settings::Conformance,
};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Cursor, Feed, Page, Replaced, SessionStore, Status},
    time::Timestamp,
};

/// Clones share it.
pub(super) struct Subject<S>(Arc<Shared<S>>);

struct Shared<S> {
    /// One store, or several over the same engine, which take turns.
    stores: Vec<S>,
    turn: AtomicUsize,
    settings: Conformance,
    /// What is left of the time to wait for calls that others hold up, see `drive`.
    patience: AtomicU64,
}

impl<S> Clone for Subject<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: SessionStore> Subject<S> {
    pub(super) fn new(stores: Vec<S>, settings: Conformance) -> Self {
        for store in &stores {
            store.use_clock(&settings.clock);
        }
        Self(Arc::new(Shared {
            stores,
            turn: AtomicUsize::new(0),
            settings,
            patience: AtomicU64::new(1_000),
        }))
    }

    pub(super) fn settings(&self) -> &Conformance {
        &self.0.settings
    }

    /// The time, in whole milliseconds as layers pass it.
    pub(super) fn now(&self) -> SystemTime {
        Timestamp::from(self.0.settings.clock.now()).into()
    }

    /// How long to wait for a call that a paused one may hold up. It shrinks, lest a store with one lock for all take
    /// minutes.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis((self.0.patience.load(Relaxed) / 20).max(1))
    }

    pub(super) fn lost_patience(&self) {
        let spend = |left: u64| Some(left.saturating_sub(left.div_ceil(20)));
        let _always = self.0.patience.fetch_update(Relaxed, Relaxed, spend);
    }

    fn store(&self) -> &S {
        let turn = self.0.turn.fetch_add(1, Relaxed);
        &self.0.stores[turn % self.0.stores.len()]
    }

    /// What a call answers. It has to.
    async fn answer<T>(
        &self,
        method: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> T {
        match self.outcome(method, call).await {
            Ok(answer) => answer,
            Err(error) => rule::failed(method, &error),
        }
    }

    async fn outcome<T>(
        &self,
        method: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let mut call = pin!(call);
        let call = poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Pending if S::IMMEDIATE => {
                rule::IMMEDIATE.broken(format_args!("{method} kept its caller waiting"))
            }
            answer => answer,
        });
        let limit = self.0.settings.answers_within;
        match tokio::time::timeout(limit, call).await {
            Ok(outcome) => outcome,
            Err(_) => rule::CANCEL_SAFE.broken(format_args!(
                "{method} did not answer within {limit:?}: is a lock or a connection held by a call that was dropped?"
            )),
        }
    }

    pub(super) async fn create(&self, handle: Handle, record: &Record) -> Created {
        self.answer("create", self.store().create(handle, record))
            .await
    }

    pub(super) async fn load(&self, handle: Handle) -> Option<Record> {
        self.answer("load", self.store().load(handle)).await
    }

    /// For records that cannot be read.
    pub(super) async fn try_load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.outcome("load", self.store().load(handle)).await
    }

    pub(super) async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Replaced {
        self.answer("replace", self.store().replace(handle, expected, record))
            .await
    }

    pub(super) async fn touch(&self, handle: Handle, expires_at: SystemTime) -> bool {
        self.answer("touch", self.store().touch(handle, expires_at))
            .await
    }

    pub(super) async fn delete(&self, handle: Handle) -> bool {
        self.answer("delete", self.store().delete(handle)).await
    }

    /// For records that cannot be read.
    pub(super) async fn try_delete(&self, handle: Handle) -> Result<bool, Error> {
        self.outcome("delete", self.store().delete(handle)).await
    }

    pub(super) async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Replaced {
        let store = self.store();
        let call = store.regenerate(old, expected, tombstone, new, record);
        self.answer("regenerate", call).await
    }

    pub(super) async fn delete_expired(&self, now: SystemTime, limit: usize) -> u64 {
        self.answer("delete_expired", self.store().delete_expired(now, limit))
            .await
    }

    /// Empties a store whose lists would otherwise take longer and longer.
    pub(super) async fn tidy(&self) {
        if self.settings().lists_read_all {
            self.empty().await;
        }
    }

    pub(super) async fn empty(&self) {
        let late = Timestamp::from_millis(Timestamp::LATEST).into();
        while self.delete_expired(late, 10_000).await > 0 {}
    }

    pub(super) async fn list(&self, user: &str) -> Vec<(Handle, Record)> {
        self.answer("list", self.store().list(user)).await
    }

    /// For records that cannot be read.
    pub(super) async fn try_list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.outcome("list", self.store().list(user)).await
    }

    pub(super) async fn delete_user(&self, user: &str, except: Option<Handle>) -> u64 {
        self.answer("delete_user", self.store().delete_user(user, except))
            .await
    }

    pub(super) async fn count(&self, now: SystemTime) -> u64 {
        self.answer("count", self.store().count(now)).await
    }

    pub(super) async fn push(&self, feed: Feed) {
        self.store().push(feed).await;
    }

    pub(super) async fn look(&self, handles: &[Handle]) -> Vec<Option<Status>> {
        self.answer("look", self.store().look(handles)).await
    }

    /// For stores that have none.
    pub(super) async fn try_scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.outcome("scan", self.store().scan(after, limit)).await
    }

    /// Creates a session under an unused handle.
    pub(super) async fn insert(&self, record: &Record) -> Handle {
        let handle = handle();
        let created = self.create(handle, record).await;
        rule::INSERT_OR_UPDATE.equal(created, Created::Created, "create of an unused handle");
        self.keeps(rule::VISIBLE, handle, record, "load after create")
            .await;
        handle
    }

    /// Loads a record that has to be this one, with its version.
    pub(super) async fn keeps(&self, rule: Rule, handle: Handle, record: &Record, what: &str) {
        let loaded = self.load(handle).await;
        let (loaded, expected) = (loaded.as_ref().map(kept), Some(kept(record)));
        rule.equal(loaded, expected, what);
    }

    pub(super) async fn keeps_nothing(&self, rule: Rule, handle: Handle, what: &str) {
        let loaded = self.load(handle).await;
        rule.equal(loaded.as_ref().map(kept), None::<Kept>, what);
    }
}
