use std::{fmt, sync::Arc, time::Duration};

use ::cookie::Key;

use super::WizSessionLayer;
use crate::{
    commit::Policy,
    cookie::{CookieOptions, SessionCookie},
    drive::Queue,
    error::ConfigError,
    expiry::Expiry,
    observe,
    session::LayerConfig,
    store::{SessionStore, StoreClient},
    time::Clock,
};

/// Settings of a [`WizSessionLayer`], from [`WizSessionLayer::builder`].
///
/// ```
/// use std::time::Duration;
/// use wiz_session::{Clock, CookieOptions, Key, MemoryStore, WizSessionLayer};
///
/// let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
///     .previous_keys([Key::generate()])
///     .cookie(CookieOptions::new("__Host-shop"))
///     .idle_timeout(Duration::from_secs(15 * 60))
///     .absolute_timeout(Duration::from_secs(8 * 60 * 60))
///     .touch_threshold(Duration::from_secs(60))
///     .max_bytes(16 * 1024)
///     .store_timeout(Duration::from_secs(2))
///     .clock(Clock::system())
///     .build()?;
/// # Ok::<(), wiz_session::ConfigError>(())
/// ```
///
/// Why the defaults are as they are: [security](crate::guide::security), [expiry](crate::guide::expiry).
#[must_use]
pub struct WizSessionLayerBuilder {
    store: Box<OpenStore>,
    key: Key,
    previous_keys: Vec<Key>,
    cookie: CookieOptions,
    expiry: Expiry,
    /// Given by the application: a default makes way for the other timeouts.
    has_absolute_timeout: bool,
    has_remember_limit: bool,
    max_bytes: usize,
    store_timeout: Duration,
    clock: Clock,
}

/// The store, once it is known for how long to wait for it and whose time it goes by.
type OpenStore = dyn FnOnce(Duration, &Clock) -> StoreClient + Send + Sync;

impl WizSessionLayerBuilder {
    pub(super) fn new(store: impl SessionStore, key: Key) -> Self {
        Self {
            store: Box::new(|timeout, clock| StoreClient::new(store, timeout, clock)),
            key,
            previous_keys: Vec::new(),
            cookie: CookieOptions::default(),
            expiry: Expiry::default(),
            has_absolute_timeout: false,
            has_remember_limit: false,
            max_bytes: 64 * 1024,
            store_timeout: Duration::from_secs(5),
            clock: Clock::system(),
        }
    }

    /// The cookie's name and attributes. Defaults to `__Host-sid; HttpOnly; SameSite=Lax; Secure; Path=/`.
    pub fn cookie(mut self, cookie: CookieOptions) -> Self {
        self.cookie = cookie;
        self
    }

    /// How long a session lives that nobody uses. At least a second. Defaults to 30 minutes (NIST SP 800-63B, AAL2).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.expiry.idle_timeout = timeout;
        self
    }

    /// How long a session lives however much it is used, from its beginning or the last login. At least the idle
    /// timeout. Defaults to 12 hours (NIST SP 800-63B, AAL2).
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.expiry.absolute_timeout = timeout;
        self.has_absolute_timeout = true;
        self
    }

    /// For how long a session can be [remembered](crate::WizSession::remember) however much it is used, from its
    /// beginning or the last login. At least the absolute timeout. Defaults to 400 days, the longest life that browsers
    /// give a cookie (RFC 6265bis §5.5).
    pub fn remember_limit(mut self, limit: Duration) -> Self {
        self.expiry.remember_limit = limit;
        self.has_remember_limit = true;
        self
    }

    /// Keys that signed cookies in the past. Such a cookie is still taken, and signed anew with the present key.
    /// Defaults to none.
    pub fn previous_keys(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.previous_keys = keys.into_iter().collect();
        self
    }

    /// How much a session may hold, keys and values together as JSON. From 1 byte to 1 GiB. Defaults to 64 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long to wait for the store, at each call, and altogether while other requests keep changing the session.
    /// More than zero. Defaults to 5 seconds.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// How much longer a session must have to live, by being used now, for that to be stored. Shorter than the idle
    /// timeout. Defaults to a tenth of it.
    pub fn touch_threshold(mut self, gain: Duration) -> Self {
        self.expiry.touch_threshold = Some(gain);
        self
    }

    /// Where to read the time. Defaults to the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// If a setting is out of its bounds, or the cookie contradicts itself.
    pub fn build(mut self) -> Result<WizSessionLayer, ConfigError> {
        let expiry = &mut self.expiry;
        if !self.has_absolute_timeout {
            expiry.absolute_timeout = expiry.absolute_timeout.max(expiry.idle_timeout);
        }
        if !self.has_remember_limit {
            expiry.remember_limit = expiry.remember_limit.max(expiry.absolute_timeout);
        }
        self.validate()?;
        observe::describe();
        let store = (self.store)(self.store_timeout, &self.clock);
        let config = LayerConfig {
            policy: Policy {
                expiry: self.expiry,
                is_immediate: store.is_immediate(),
            },
            store,
            cookie: SessionCookie::new(self.cookie, &self.key, &self.previous_keys),
            clock: self.clock,
            max_bytes: self.max_bytes,
            store_timeout: self.store_timeout,
            queue: Queue::default(),
        };
        Ok(WizSessionLayer {
            config: Arc::new(config),
        })
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.cookie.validate()?;
        let Expiry {
            idle_timeout: idle,
            absolute_timeout: absolute,
            remember_limit: limit,
            touch_threshold: threshold,
        } = self.expiry;
        let refuse = |why: String| Err(ConfigError::new(why));
        if idle < Duration::from_secs(1) {
            return refuse(format!(
                "idle_timeout is {idle:?}: give `.idle_timeout(…)` at least a second"
            ));
        }
        if absolute < idle {
            return refuse(format!(
                "absolute_timeout, {absolute:?}, is shorter than idle_timeout, {idle:?}: raise it by \
                 `.absolute_timeout(…)`, or lower the other by `.idle_timeout(…)`"
            ));
        }
        if limit < absolute {
            return refuse(format!(
                "remember_limit, {limit:?}, is shorter than absolute_timeout, {absolute:?}: raise it by \
                 `.remember_limit(…)`, or lower the other by `.absolute_timeout(…)`"
            ));
        }
        if let Some(threshold) = threshold
            && threshold >= idle
        {
            return refuse(format!(
                "touch_threshold, {threshold:?}, is not shorter than idle_timeout, {idle:?}, so that sessions in use would \
                 expire: lower it by `.touch_threshold(…)`, or raise the other by `.idle_timeout(…)`"
            ));
        }
        if self.store_timeout.is_zero() {
            return refuse(
                "store_timeout is zero: give `.store_timeout(…)` the time that the store may take"
                    .to_owned(),
            );
        }
        if !(1..=MAX_BYTES).contains(&self.max_bytes) {
            return refuse(format!(
                "max_bytes is {}: give `.max_bytes(…)` from 1 byte to 1 GiB",
                self.max_bytes
            ));
        }
        Ok(())
    }
}

const MAX_BYTES: usize = 1 << 30;

impl fmt::Debug for WizSessionLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WizSessionLayerBuilder")
            .field("cookie", &self.cookie)
            .field("expiry", &self.expiry)
            .field("max_bytes", &self.max_bytes)
            .field("store_timeout", &self.store_timeout)
            .finish_non_exhaustive()
    }
}
