use std::{fmt, sync::Arc, time::Duration};

use ::cookie::Key;

use super::WizSessionLayer;
use crate::{
    cookie::{CookieOptions, SessionCookie},
    error::ConfigError,
    expiry::Expiry,
    observe,
    session::{Queue, Shared},
    store::{ErasedStore, SessionStore},
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
    store: Box<dyn ErasedStore>,
    key: Key,
    previous_keys: Vec<Key>,
    cookie: CookieOptions,
    expiry: Expiry,
    max_bytes: usize,
    store_timeout: Duration,
    clock: Clock,
}

impl WizSessionLayerBuilder {
    pub(super) fn new(store: impl SessionStore, key: Key) -> Self {
        Self {
            store: Box::new(store),
            key,
            previous_keys: Vec::new(),
            cookie: CookieOptions::default(),
            expiry: Expiry::default(),
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
    pub fn build(self) -> Result<WizSessionLayer, ConfigError> {
        self.validate()?;
        observe::describe();
        self.store.use_clock(&self.clock);
        let shared = Shared {
            store: self.store,
            cookie: SessionCookie::new(self.cookie, &self.key, &self.previous_keys),
            expiry: self.expiry,
            clock: self.clock,
            max_bytes: self.max_bytes,
            store_timeout: self.store_timeout,
            queue: Queue::default(),
        };
        Ok(WizSessionLayer {
            shared: Arc::new(shared),
        })
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.cookie.validate()?;
        let Expiry {
            idle_timeout,
            absolute_timeout,
            touch_threshold,
        } = self.expiry;
        let checks = [
            (
                idle_timeout >= Duration::from_secs(1),
                "idle_timeout must be at least one second",
            ),
            (
                absolute_timeout >= idle_timeout,
                "absolute_timeout must not be shorter than idle_timeout",
            ),
            (
                touch_threshold.is_none_or(|gain| gain < idle_timeout),
                "touch_threshold must be shorter than idle_timeout",
            ),
            (
                self.store_timeout > Duration::ZERO,
                "store_timeout must be longer than zero",
            ),
            (
                (1..=1 << 30).contains(&self.max_bytes),
                "max_bytes must be from 1 byte to 1 GiB",
            ),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(ConfigError::new(why)),
            None => Ok(()),
        }
    }
}

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
