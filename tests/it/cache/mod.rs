//! `cache_for`: what may be old and what may not.

mod invalidations;
mod reads;

use std::time::Duration;

use wiz_session::{Clock, SessionStore, WizSessionLayer, test_util::TestStore};

use crate::support::{Browser, key};

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
