use std::{future::pending, sync::Arc};

use super::request::RequestSession;
use crate::{commit::Base, store::Ended, watch::Watch};

/// Being told when the session ends or changes.
impl RequestSession {
    pub(crate) async fn ended(&self) -> Ended {
        loop {
            let Some(watch) = self.watch_own().await else {
                return self.why_ended();
            };
            let why = watch.ended().await;
            // This handle may have moved it: that is its own session still.
            self.let_commit_land().await;
            if self.view(|state| match state.base.live() {
                Some(stored) => stored.handle == watch.handle(),
                None => true,
            }) {
                return why;
            }
        }
    }

    pub(crate) async fn changed(&self) {
        loop {
            let Some(watch) = self.watch_own().await else {
                return pending().await;
            };
            let known = || {
                self.view(|state| {
                    let stored = state.base.live();
                    let own = stored.filter(|stored| stored.handle == watch.handle());
                    own.map_or(u64::MAX, |stored| stored.record.version().get())
                })
            };
            let version = watch.changed_since(known()).await;
            // It may be what this handle has committed.
            self.let_commit_land().await;
            if version > known() {
                return;
            }
        }
    }

    /// Watches the session, and waits for one if there is none yet. `None` if it is over.
    async fn watch_own(&self) -> Option<Arc<Watch>> {
        loop {
            let live = self.view(|state| {
                let stored = state.base.live();
                stored.map(|stored| (stored.handle, stored.record.expires()))
            });
            let Some((handle, expires_at)) = live else {
                let is_over = self.view(|state| state.is_ended());
                let was_watched = self.loaded().watch.lock().clone();
                if is_over || was_watched.is_some() {
                    return was_watched;
                }
                tokio::time::sleep(self.config.watchers.interval()).await;
                continue;
            };
            let mut watch = self.loaded().watch.lock();
            let known = watch.take_if(|watch| watch.handle() != handle);
            let watch = watch.get_or_insert_with(|| {
                Arc::new(self.config.watchers.watch(handle, Some(expires_at)))
            });
            let watch = Arc::clone(watch);
            drop(known);
            return Some(watch);
        }
    }

    fn why_ended(&self) -> Ended {
        self.view(|state| match state.base {
            Base::Gone => Ended::Moved,
            _ => Ended::LoggedOut,
        })
    }

    /// A commit of this session that is under way is either known when this returns, or takes too long.
    async fn let_commit_land(&self) {
        let _lock = self.io_lock().await;
    }
}
