use std::{sync::Arc, time::Duration};

use wiz_session::{Clock, Key, WizSessionLayer, WizSessionLayerBuilder};

use super::{Browser, Probe};

/// A layer on a store that is watched, with a clock that the test moves.
pub(crate) struct Site {
    pub(crate) store: Arc<Probe>,
    pub(crate) clock: Clock,
    pub(crate) layer: WizSessionLayer,
}

impl Site {
    /// With the defaults.
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With other settings.
    pub(crate) fn with(
        settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
    ) -> Self {
        Self::launch(Arc::default(), Clock::manual(), key(1), settings)
    }

    /// The same store and clock behind another layer.
    pub(crate) fn relaunched(
        &self,
        key: Key,
        settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
    ) -> Self {
        Self::launch(Arc::clone(&self.store), self.clock.clone(), key, settings)
    }

    fn launch(
        store: Arc<Probe>,
        clock: Clock,
        key: Key,
        settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
    ) -> Self {
        let builder = WizSessionLayer::builder(Arc::clone(&store), key).clock(clock.clone());
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
        self.store.calls();
        browser
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(60 * minutes));
    }

    /// How many sessions live. Not counted as a call.
    pub(crate) async fn sessions(&self) -> u64 {
        self.store
            .uncounted(self.layer.sessions().count())
            .await
            .expect("the store counts")
    }
}

/// A key that is the same in every test.
pub(crate) fn key(byte: u8) -> Key {
    Key::from(&[byte; 64])
}
