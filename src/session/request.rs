use std::{
    cell::Cell,
    sync::{Arc, atomic::Ordering},
};

use once_cell::race::OnceBox;

use super::{
    config::LayerConfig,
    headers_sent::HeadersSent,
    load::{self, Loaded},
    shared::{Locked, Shared},
};
#[cfg(any(
    feature = "redis",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql"
))]
#[cfg(feature = "flask")]
use crate::id::{Handle, SessionId};
use crate::{
    commit::{Found, SessionState},
    cookie::{CookieHeader, Verified},
    drive::{Driver, UserLimit},
    error::Error,
    observe,
};

/// The session of one request, from the unread cookie to the commit. Shared by the layer and all extracted handles.
///
/// It is made for every request, so it is small: what only a session in use needs is behind a pointer.
pub(crate) struct RequestSession {
    pub(crate) config: Arc<LayerConfig>,
    cookies: CookieHeader,
    /// The session of another cookie, whose layer is outside of this one's.
    outer: Option<Arc<Self>>,
    pub(super) loaded: OnceBox<Loaded>,
    /// The session that another application's cookie names, which comes before those of the cookies of our own.
    #[cfg(feature = "flask")]
    named: OnceBox<Verified>,
    /// Set only while another handle to this session exists; without one nobody could observe it.
    pub(super) headers_sent: HeadersSent,
}

impl RequestSession {
    pub(crate) fn new(
        config: Arc<LayerConfig>,
        cookies: CookieHeader,
        outer: Option<Arc<Self>>,
    ) -> Self {
        Self {
            config,
            cookies,
            outer,
            loaded: OnceBox::new(),
            #[cfg(feature = "flask")]
            named: OnceBox::new(),
            headers_sent: HeadersSent::default(),
        }
    }

    pub(crate) fn cookies(&self) -> &CookieHeader {
        &self.cookies
    }

    pub(crate) fn outer(&self) -> Option<&Arc<Self>> {
        self.outer.as_ref()
    }

    /// Reads the session unless that was done.
    pub(crate) async fn load(&self) -> Result<(), Error> {
        if self.loaded.get().is_some() {
            return Ok(());
        }
        let loaded = load::load(&self.config, &self.cookies, self.named(), true).await?;
        // If another extractor of this request was faster, its result counts.
        if self.loaded.set(loaded).is_ok() && self.headers_sent.is_marked() {
            self.edit(SessionState::mark_headers_sent);
        }
        Ok(())
    }

    /// Before the session is loaded: it is this one, if that lives. If its client has no cookie for it yet, it gets one.
    #[cfg(any(
        feature = "redis",
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql"
    ))]
    #[cfg(feature = "flask")]
    pub(crate) fn name(&self, id: SessionId, handle: Handle, needs_cookie: bool) {
        let named = Verified {
            id,
            handle,
            outdated: needs_cookie,
        };
        // A bridge within another one has nothing to add.
        let _first = self.named.set(Box::new(named));
    }

    pub(super) fn named(&self) -> Option<&Verified> {
        #[cfg(feature = "flask")]
        return self.named.get();
        #[cfg(not(feature = "flask"))]
        None
    }

    /// Whether the request has asked for the session.
    #[cfg(feature = "flask")]
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.get().is_some()
    }

    pub(super) fn loaded(&self) -> &Loaded {
        self.loaded
            .get()
            .expect("a session is loaded before anybody gets hold of it")
    }

    /// The session as it was found, as long as nobody asks for more than that. It takes no lock.
    #[inline]
    pub(super) fn unchanged(&self) -> Option<&Found> {
        let loaded = self.loaded();
        (!loaded.shared.is_made()).then_some(&loaded.found)
    }

    /// Looks at the state, under its lock: `look` must neither run code of the application's nor wait.
    #[inline]
    pub(crate) fn view<R>(&self, look: impl FnOnce(&mut SessionState) -> R) -> R {
        look(&mut self.lock().state)
    }

    /// Looks at the session as it was found, or at the [state](Self::view) that was made of it.
    #[inline]
    pub(super) fn look<R>(
        &self,
        found: impl FnOnce(&Found) -> R,
        state: impl FnOnce(&mut SessionState) -> R,
    ) -> R {
        match self.unchanged() {
            Some(unchanged) => found(unchanged),
            None => self.view(state),
        }
    }

    /// Changes the state, under the same conditions.
    #[inline]
    pub(crate) fn edit<R>(&self, change: impl FnOnce(&mut SessionState) -> R) -> R {
        change(&mut self.lock_to_edit().state)
    }

    #[inline]
    pub(super) fn lock_to_edit(&self) -> Locked<'_> {
        let mut shared = self.lock();
        shared.note_change();
        EDITS.set(EDITS.get().wrapping_add(1));
        shared
    }

    #[inline]
    pub(super) fn lock(&self) -> Locked<'_> {
        let loaded = self.loaded();
        loaded.shared.lock(|| {
            let state = SessionState::of(&loaded.found, self.config.max_bytes);
            Shared::new(state)
        })
    }

    pub(super) fn note_insecure_origin(&self) {
        self.loaded().is_insecure.store(true, Ordering::Relaxed);
    }

    /// Whether the client will drop a `Secure` cookie.
    pub(crate) fn is_of_insecure_origin(&self) -> bool {
        self.loaded().is_insecure.load(Ordering::Relaxed)
    }

    /// Ends the session, and those of further cookies that the client sent. Answers whether it had one of its own.
    pub(crate) fn clear(&self) -> bool {
        let loaded = self.loaded();
        let others = load::others(&self.config, &self.cookies, &loaded.lookups);
        let mut shared = self.lock_to_edit();
        shared.rolled_back = false;
        shared.state.clear(loaded.presented, others)
    }

    /// Changes the state without its lock, for what may run closures of the application's, which may use this session.
    pub(super) fn swap_unlocked(
        &self,
        mut change: impl FnMut(&mut SessionState) -> Result<(), Error>,
    ) -> Result<(), Error> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let (revision, mut state) = {
                let shared = self.lock();
                (shared.revision, shared.state.clone())
            };
            let changed = change(&mut state);
            let mut shared = self.lock();
            if shared.revision == revision {
                shared.revision += 1;
                std::mem::swap(&mut shared.state, &mut state);
                // What it was before is dropped after the lock.
                drop(shared);
                return changed;
            }
        }
        Err(Error::conflict())
    }

    /// What an update that is refused leaves as it was, though its closure has used the session.
    pub(crate) fn savepoint(&self) -> Savepoint {
        let shared = self.lock();
        Savepoint {
            state: shared.state.clone(),
            revision: shared.revision,
            edits: EDITS.get(),
        }
    }

    /// Takes back what this thread has done since, unless others have changed the session as well.
    pub(crate) fn restore(&self, savepoint: Savepoint) {
        let Savepoint {
            mut state,
            revision,
            edits,
        } = savepoint;
        let own_edits = EDITS.get().wrapping_sub(edits);
        let mut shared = self.lock();
        if own_edits > 0 && shared.revision == revision + own_edits {
            shared.revision += 1;
            std::mem::swap(&mut shared.state, &mut state);
        }
        drop(shared);
    }

    pub(super) fn driver(&self) -> Driver<'_> {
        let config = &*self.config;
        Driver {
            store: &config.store,
            queue: &config.queue,
            clock: &config.clock,
            policy: &config.policy,
            watchers: &config.watchers,
            cache: &config.cache,
            user_limit: config.max_sessions_per_user.map(|most| UserLimit {
                most,
                revoker: &config.revoker,
            }),
            time_limit: config.store_timeout,
        }
    }

    /// Whether the layer holds the only handle: then no I/O can be in flight, and no one can observe the state.
    pub(super) fn is_last_handle(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1
    }
}

thread_local! {
    /// How often this thread has changed the state of a session.
    static EDITS: Cell<u64> = const { Cell::new(0) };
}

/// A state to return to.
pub(crate) struct Savepoint {
    state: SessionState,
    revision: u64,
    edits: u64,
}

impl Drop for RequestSession {
    fn drop(&mut self) {
        if self.headers_sent.get_mut() && self.loaded.get().is_some() && self.unchanged().is_none()
        {
            // The lock is let go of before the event, as everywhere.
            let unsaved = {
                let shared = self.lock();
                let handle = shared.state.base.live().map(|stored| stored.handle);
                shared.state.has_changes().then_some(handle)
            };
            if let Some(handle) = unsaved {
                observe::unsaved(handle);
            }
        }
    }
}
