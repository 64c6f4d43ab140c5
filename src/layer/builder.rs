use std::{fmt, num::NonZeroUsize, ops::RangeInclusive, sync::Arc, time::Duration};

use ::cookie::Key;

use super::WizSessionLayer;
use crate::{
    cache::CacheSettings,
    commit::Policy,
    cookie::{CookieOptions, Keys, SessionCookie},
    device::DeviceSettings,
    drive::{Queue, Revoker},
    error::ConfigError,
    expiry::Expiry,
    observe,
    session::LayerConfig,
    store::{SessionStore, StoreClient},
    time::Clock,
    watch::{WatchConfig, Watchers},
};

/// The settings of a [`WizSessionLayer`], from [`WizSessionLayer::builder`].
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
    keys: Keys,
    cookie: CookieOptions,
    next_cookie: Option<CookieOptions>,
    previous_cookies: Vec<CookieOptions>,
    expiry: Expiry,
    /// Whether the application gave it. A default is raised to fit the other timeouts.
    has_absolute_timeout: bool,
    has_remember_limit: bool,
    max_bytes: usize,
    store_timeout: Duration,
    clock: Clock,
    watch_interval: Duration,
    cache: CacheSettings,
    max_sessions_per_user: Option<usize>,
    bearer: bool,
    device: DeviceSettings,
}

/// Wraps the store, once the time limit of its calls and the clock are known.
type OpenStore = dyn FnOnce(Duration, &Clock) -> StoreClient + Send + Sync;

impl WizSessionLayerBuilder {
    pub(super) fn new(store: impl SessionStore, key: Key) -> Self {
        Self {
            store: Box::new(|timeout, clock| StoreClient::new(store, timeout, clock)),
            keys: key.into(),
            cookie: CookieOptions::default(),
            next_cookie: None,
            previous_cookies: Vec::new(),
            expiry: Expiry::default(),
            has_absolute_timeout: false,
            has_remember_limit: false,
            max_bytes: 64 * 1024,
            store_timeout: Duration::from_secs(5),
            clock: Clock::system(),
            watch_interval: Duration::from_secs(10),
            cache: CacheSettings::default(),
            max_sessions_per_user: None,
            bearer: false,
            device: DeviceSettings::default(),
        }
    }

    /// The cookie's name and attributes. Defaults to `__Host-sid; HttpOnly; SameSite=Lax; Secure; Path=/`.
    pub fn cookie(mut self, cookie: CookieOptions) -> Self {
        self.cookie = cookie;
        self
    }

    /// Cookies that carried the sessions before: under another name, or with another domain or path. They are still
    /// accepted. The response then sets the current cookie and removes them. Defaults to none.
    ///
    /// Where several processes share the sessions, let all of them accept the new cookie as
    /// [`next_cookie`](Self::next_cookie) before the first one sets it.
    pub fn previous_cookies(mut self, cookies: impl IntoIterator<Item = CookieOptions>) -> Self {
        self.previous_cookies = cookies.into_iter().collect();
        self
    }

    /// The cookie that will carry the sessions after the next deployment. It is accepted already, and never set. Defaults
    /// to none.
    ///
    /// This is the first of two steps by which several processes rename their cookie without a logout:
    ///
    /// ```
    /// # use wiz_session::{ConfigError, CookieOptions, Key, MemoryStore, WizSessionLayer};
    /// let (before, after) = (CookieOptions::new("sid").domain("example.com"), CookieOptions::new("__Host-shop"));
    /// # fn f(store: MemoryStore, key: Key, before: CookieOptions, after: CookieOptions) -> Result<WizSessionLayer, ConfigError> {
    /// // First deployment: everywhere, before the second begins.
    /// WizSessionLayer::builder(store, key).cookie(before).next_cookie(after).build()
    /// # }
    /// # fn g(store: MemoryStore, key: Key, before: CookieOptions, after: CookieOptions) -> Result<WizSessionLayer, ConfigError> {
    /// // Second deployment.
    /// WizSessionLayer::builder(store, key).cookie(after).previous_cookies([before]).build()
    /// # }
    /// # f(MemoryStore::new(), Key::generate(), before.clone(), after.clone())?;
    /// # g(MemoryStore::new(), Key::generate(), before, after)?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn next_cookie(mut self, cookie: CookieOptions) -> Self {
        self.next_cookie = Some(cookie);
        self
    }

    /// How long a session lives after its last use. At least one second. More than the default `absolute_timeout` raises
    /// that with it, unless [`absolute_timeout`](Self::absolute_timeout) is given too.
    ///
    /// Defaults to 30 minutes (NIST SP 800-63B, AAL2).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.expiry.idle_timeout = timeout;
        self
    }

    /// How long a session lives however much it is used, counted from its creation or its last login. At least the idle
    /// timeout. [`remember`](crate::WizSession::remember) replaces it by [`remember_limit`](Self::remember_limit).
    ///
    /// Defaults to 12 hours (NIST SP 800-63B, AAL2), or to a longer `idle_timeout`.
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.expiry.absolute_timeout = timeout;
        self.has_absolute_timeout = true;
        self
    }

    /// How long a [remembered](crate::WizSession::remember) session lives however much it is used, counted from its
    /// creation or its last login. At least the absolute timeout.
    ///
    /// Defaults to 400 days, the longest lifetime that browsers give a cookie (RFC 6265bis §5.5).
    pub fn remember_limit(mut self, limit: Duration) -> Self {
        self.expiry.remember_limit = limit;
        self.has_remember_limit = true;
        self
    }

    /// Keys that signed cookies in the past. Their cookies are still accepted, and are sent again signed with the current
    /// key. Defaults to none.
    ///
    /// Where several processes share the sessions, let all of them accept the new key as [`next_key`](Self::next_key)
    /// before the first one signs with it: a process that does not know it takes its cookies for forged.
    pub fn previous_keys(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.keys.previous = keys.into_iter().collect();
        self
    }

    /// The key that will sign after the next deployment. Its cookies are accepted already; no cookie is signed with it.
    /// Defaults to none.
    ///
    /// This is the first of the [two steps](crate::guide::security#the-key) by which several processes change their key
    /// without a logout, however long old and new processes run side by side:
    ///
    /// ```
    /// # use wiz_session::{ConfigError, Key, MemoryStore, WizSessionLayer};
    /// # fn f(store: MemoryStore, key: Key, new_key: Key) -> Result<WizSessionLayer, ConfigError> {
    /// // First deployment: everywhere, before the second begins.
    /// WizSessionLayer::builder(store, key).next_key(new_key).build()
    /// # }
    /// # fn g(store: MemoryStore, key: Key, new_key: Key) -> Result<WizSessionLayer, ConfigError> {
    /// // Second deployment.
    /// WizSessionLayer::builder(store, new_key).previous_keys([key]).build()
    /// # }
    /// ```
    pub fn next_key(mut self, key: Key) -> Self {
        self.keys.next = Some(key);
        self
    }

    /// How much a session may hold: keys, values as JSON, and the user, in bytes. A change that would exceed it is refused
    /// when it is made. From 1 byte to 1 GiB. Defaults to 64 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long to wait for each call of the store, and how long a commit retries altogether while other requests keep
    /// changing the session. A call that takes longer is an [`is_timeout`](crate::Error::is_timeout) error. The look-up of
    /// a commit whose answer was lost gets what is left of it, and a fifth of it at least. More than zero.
    ///
    /// Defaults to 5 seconds.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Activity is written to the store only when it postpones the session's end by at least this much. Smaller values
    /// make the idle timeout more exact and cost more writes. Shorter than the idle timeout.
    ///
    /// Defaults to a tenth of the idle timeout, or of the duration given to [`remember`](crate::WizSession::remember).
    pub fn touch_threshold(mut self, gain: Duration) -> Self {
        self.expiry.touch_threshold = Some(gain);
        self
    }

    /// How often sessions that are [watched](crate::WizSession::ended) are looked at: how late, with one store call more,
    /// the end of a session is noticed at the most, whatever goes wrong with the store's pushes. One statement for a
    /// thousand watched sessions each time, and none while nothing is watched. From 100 milliseconds to an hour.
    ///
    /// Defaults to 10 seconds.
    pub fn watch_interval(mut self, interval: Duration) -> Self {
        self.watch_interval = interval;
        self
    }

    /// Keeps the sessions that this process has loaded or stored in memory for so long, so that reading one takes no round
    /// trip. From one second to a minute.
    ///
    /// **What a request reads may be this old, and no older; what it writes is never lost and never revives an ended
    /// session.** A commit is a compare-and-swap on the store as ever: if the session has changed meanwhile, it is loaded and
    /// the changes are replayed. [`reload`](crate::WizSession::reload), [`is_alive`](crate::WizSession::is_alive) and what a
    /// transaction commits go by the store. So a logout at another process is noticed after this time at the latest; with
    /// a store that [pushes](crate::guide::near_cache) at once.
    ///
    /// Defaults to none. A store in this process's memory needs no cache, and gets none.
    #[cfg(feature = "cache")]
    pub fn cache_for(mut self, duration: Duration) -> Self {
        self.cache.cache_for = Some(duration);
        self
    }

    /// How much memory the sessions that [`cache_for`](Self::cache_for) keeps may take, in bytes: data and 400 bytes each.
    /// Those that are seldom used make room. At least 1 MiB. Defaults to 64 MiB.
    #[cfg(feature = "cache")]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache.max_bytes = bytes;
        self
    }

    /// How many sessions a user may have: the login that would be one more ends the one whose login is the oldest, at
    /// this process or another. At least 1. Defaults to no limit.
    ///
    /// All sessions of the user in the store count, also those of another layer on it. Which login is the oldest, the
    /// clocks of the servers that took them say: if they differ, a login right after another one may count as older.
    ///
    /// A login then costs one `list` more, and one `delete` for each session that ends. Several logins at once never leave
    /// more than this number. If the store fails between a login and that, the login stands, a `warn` event says so, and
    /// the user's next login ends what is left.
    pub fn max_sessions_per_user(mut self, sessions: usize) -> Self {
        self.max_sessions_per_user = Some(sessions);
        self
    }

    /// Also takes sessions from `Authorization: Bearer VALUE` (RFC 6750), for clients that keep no cookies, such as mobile
    /// applications: [`WizSession::token`](crate::WizSession::token) gives out the value, which is the cookie's.
    ///
    /// A request with such a token is a bearer request: its cookies are not looked at, and its response sets and removes
    /// none, even if the token turns out to be forged, or is that of another layer. What such a request begins can be
    /// kept by a [token](crate::WizSession::token) alone. A token of another form, a JWT for instance, is not ours: such a
    /// request has its cookies as ever. Responses that read the session get `Vary: Authorization` too. Defaults to `false`.
    pub fn bearer(mut self, bearer: bool) -> Self {
        self.bearer = bearer;
        self
    }

    /// Binds sessions to the device of their browser, so that a cookie which is copied out of it is worth nothing for long.
    /// See [`DeviceBinding`](crate::DeviceBinding) for a program, and the [guide](crate::guide::device_bound_sessions). Takes
    /// a Secure cookie, and a place for the layer around the outermost router, where it answers two requests of the
    /// browser itself. Defaults to none.
    ///
    /// A request with a bound session costs one MAC more, and no store call. A registration, which follows a login, is one
    /// `load` and one `replace`; a refresh, once in [`cookie_lifetime`](crate::DeviceBinding::cookie_lifetime) and
    /// browser, one `load`.
    #[cfg(feature = "dbsc")]
    pub fn device_bound(mut self, binding: crate::DeviceBinding) -> Self {
        self.device = binding.into();
        self
    }

    /// The clock that all timeouts go by. Defaults to the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the layer.
    ///
    /// # Errors
    /// If a setting is out of bounds, two settings contradict each other, or browsers would reject the cookie. The message
    /// names the values and the call that mends them.
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
        let watchers = Watchers::new(WatchConfig {
            store: store.clone(),
            clock: self.clock.clone(),
            interval: self.watch_interval,
        });
        let cache = self.cache.open(&store, &watchers);
        let others = self.next_cookie.iter().chain(&self.previous_cookies);
        let device = self.device.open(&self.cookie, others, &self.keys);
        let revoker = Revoker {
            store: store.clone(),
            clock: self.clock.clone(),
            expiry: self.expiry.clone(),
            watchers: Arc::clone(&watchers),
            cache: Arc::clone(&cache),
        };
        let config = LayerConfig {
            cache,
            revoker: Arc::new(revoker),
            max_sessions_per_user: self.max_sessions_per_user.and_then(NonZeroUsize::new),
            policy: Policy {
                expiry: self.expiry,
                is_immediate: store.is_immediate(),
            },
            watchers,
            store,
            device,
            cookie: SessionCookie::new(self.cookie, &self.keys)
                .with_others(self.next_cookie, self.previous_cookies, &self.keys)
                .with_bearer(self.bearer),
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
        self.validate_cookies()?;
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
        if !WATCH_INTERVALS.contains(&self.watch_interval) {
            return refuse(format!(
                "watch_interval is {:?}: give `.watch_interval(…)` from 100 milliseconds to an hour",
                self.watch_interval
            ));
        }
        self.cache.validate()?;
        self.device.validate(&self.cookie)?;
        if self.max_sessions_per_user == Some(0) {
            return refuse(
                "max_sessions_per_user is 0, so that no login could stand: give `.max_sessions_per_user(…)` at least 1"
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

    fn validate_cookies(&self) -> Result<(), ConfigError> {
        self.cookie.validate()?;
        for other in self.next_cookie.iter().chain(&self.previous_cookies) {
            other.validate()?;
            if other.is_same_cookie(&self.cookie) {
                return Err(ConfigError::new(format!(
                    "the cookie {} is the current one and a next or previous one too: give `.cookie(…)` or the other \
                     another name, domain or path",
                    other.cookie_name()
                )));
            }
        }
        Ok(())
    }
}

const MAX_BYTES: usize = 1 << 30;

const WATCH_INTERVALS: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(60 * 60);

impl fmt::Debug for WizSessionLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WizSessionLayerBuilder")
            .field("cookie", &self.cookie)
            .field("expiry", &self.expiry)
            .field("max_bytes", &self.max_bytes)
            .field("store_timeout", &self.store_timeout)
            .field("watch_interval", &self.watch_interval)
            .finish_non_exhaustive()
    }
}
