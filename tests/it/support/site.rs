use std::time::Duration;

use wiz_session::{
    Clock, Handle, Key, Record, SessionStore, WizSessionLayer, WizSessionLayerBuilder,
};

use super::{Browser, TestStore, Yielding};

/// A layer on a store that is watched, with a clock that the test moves.
pub(crate) struct Site {
    pub(crate) store: TestStore,
    pub(crate) clock: Clock,
    pub(crate) layer: WizSessionLayer,
}

impl Site {
    /// With the defaults.
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With the defaults, and then with a cache too: what holds for the one holds for the other.
    pub(crate) fn with_and_without_cache() -> [Self; 2] {
        let cache_for = Duration::from_secs(10);
        [
            Self::new(),
            Self::with(|builder| builder.cache_for(cache_for)),
        ]
    }

    /// With other settings.
    pub(crate) fn with(
        settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
    ) -> Self {
        Self::launch(TestStore::new(), Clock::manual(), key(1), settings)
    }

    /// The same store and clock behind another layer.
    pub(crate) fn relaunched(
        &self,
        key: Key,
        settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
    ) -> Self {
        Self::launch(self.store.clone(), self.clock.clone(), key, settings)
    }

    fn launch(
        store: TestStore,
        clock: Clock,
        key: Key,
        settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
    ) -> Self {
        let builder = WizSessionLayer::builder(store.clone(), key).clock(clock.clone());
        let layer = settings(builder).build().expect("the settings are valid");
        Self {
            store,
            clock,
            layer,
        }
    }

    /// A browser that was never here.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.layer.clone())
    }

    /// A browser with a session that holds `a = 1`. The calls that made it are not counted.
    pub(crate) async fn visitor(&self) -> Browser {
        let mut browser = self.browser();
        browser.write("a", 1).await;
        self.store.take_calls();
        browser
    }

    /// A browser in which this user is logged in. The calls that did it are not counted.
    pub(crate) async fn logged_in(&self, user: impl ToString) -> Browser {
        let mut browser = self.browser();
        browser.visit(async |session| session.log_in(user)).await;
        self.store.take_calls();
        browser
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(60 * minutes));
    }

    /// What is stored of a session. Not counted as a call.
    pub(crate) async fn record(&self, handle: Handle) -> Option<Record> {
        let stored = self.store.sessions().load(handle).await;
        stored.expect("memory does not fail")
    }

    /// How many sessions live. Not counted as a call.
    pub(crate) async fn sessions(&self) -> u64 {
        let count = self.unwatched().sessions().count().await;
        count.expect("memory counts")
    }

    /// A layer on the same sessions whose calls are neither counted nor fail.
    pub(crate) fn unwatched(&self) -> WizSessionLayer {
        self.layer_on(Yielding::new(self.store.sessions().clone()))
    }

    /// A layer on the same sessions whose store lets others go first at each call.
    pub(crate) fn yielding(&self) -> WizSessionLayer {
        self.layer_on(Yielding::new(self.store.clone()))
    }

    fn layer_on(&self, store: impl SessionStore) -> WizSessionLayer {
        let builder = WizSessionLayer::builder(store, key(1)).clock(self.clock.clone());
        builder.build().expect("the settings are valid")
    }
}

/// A key that is the same in every test.
pub(crate) fn key(byte: u8) -> Key {
    Key::from(&[byte; 64])
}
