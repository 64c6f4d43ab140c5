use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::{
    bridge::FlaskBridge,
    cookie::{FlaskCookie, FlaskCookieBuilder, FlaskDigest},
    json,
    settings::{Settings, Shared},
    user::FlaskUser,
};
use crate::{
    cookie::{CookieFinder, CookieOptions},
    error::ConfigError,
};

/// The settings of a [`FlaskBridge`], from [`FlaskBridge::builder`]. Most of them are those of the Flask application.
///
/// ```
/// use std::time::Duration;
/// use wiz_session::{CookieOptions, flask::{FlaskBridge, FlaskUser}};
///
/// let bridge = FlaskBridge::builder("this year's SECRET_KEY")
///     .fallback_keys(["last year's"])
///     .cookie(CookieOptions::new("session"))
///     .lifetime(Duration::from_secs(7 * 24 * 60 * 60))
///     .user(FlaskUser::text_key("_user_id"))
///     .share(["cart", "_flashes"])
///     .build()?;
/// # Ok::<(), wiz_session::ConfigError>(())
/// ```
#[must_use]
pub struct FlaskBridgeBuilder {
    cookie: FlaskCookieBuilder,
    options: CookieOptions,
    user: FlaskUser,
    shared: Shared,
}

impl FlaskBridge {
    /// With Flask's `SECRET_KEY`, and otherwise with Flask's defaults.
    pub fn builder(secret_key: impl AsRef<[u8]>) -> FlaskBridgeBuilder {
        FlaskBridgeBuilder {
            cookie: FlaskCookie::builder(secret_key),
            options: CookieOptions::insecure("session"),
            user: FlaskUser::default(),
            shared: Shared::Known,
        }
    }
}

impl FlaskBridgeBuilder {
    /// `SECRET_KEY_FALLBACKS`: keys that signed cookies in the past, the newest first. They are still accepted. Defaults
    /// to none.
    pub fn fallback_keys<K: AsRef<[u8]>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.cookie = self.cookie.fallback_keys(keys);
        self
    }

    /// `SecureCookieSessionInterface.salt`. Defaults to `cookie-session`.
    pub fn salt(mut self, salt: impl Into<Cow<'static, str>>) -> Self {
        self.cookie = self.cookie.salt(salt);
        self
    }

    /// `SecureCookieSessionInterface.digest_method`. Defaults to [`FlaskDigest::Sha1`].
    pub fn digest(mut self, digest: FlaskDigest) -> Self {
        self.cookie = self.cookie.digest(digest);
        self
    }

    /// `PERMANENT_SESSION_LIFETIME`: for how long a cookie of Flask's is good, permanent or not. At least one second.
    /// Defaults to 31 days.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.cookie = self.cookie.lifetime(lifetime);
        self
    }

    /// `SESSION_COOKIE_NAME`, `…_DOMAIN`, `…_PATH`, `…_SECURE` and so on: name, domain and path have to be the same on both
    /// sides, or there are two cookies. Defaults to `session; HttpOnly; SameSite=Lax; Path=/`, which also travels over plain
    /// HTTP, as Flask's does.
    ///
    /// Let its `SameSite` be the session cookie's: where one of the two does not come along, the user is logged out.
    pub fn cookie(mut self, options: CookieOptions) -> Self {
        self.options = options;
        self
    }

    /// How Flask's session says who is logged in. Defaults to the key `user_id`.
    pub fn user(mut self, user: FlaskUser) -> Self {
        self.user = user;
        self
    }

    /// Shares these keys, in both directions, and no others. What else Flask's session holds stays there.
    ///
    /// Without this and [`share_all`](Self::share_all) all that Flask holds is read here, and a key that is set here is
    /// written to Flask's cookie only if Flask has, or had, that key: so nothing that was kept on the server becomes
    /// readable by its owner.
    pub fn share<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        let keys = keys.into_iter().map(|key| json::key(key.as_ref()));
        self.shared = Shared::Only(keys.collect());
        self
    }

    /// Shares every key. Whoever owns the session can read Flask's cookie: do this only if nothing in the session is to be
    /// kept from its user.
    pub fn share_all(mut self) -> Self {
        self.shared = Shared::All;
        self
    }

    /// The finished layer.
    ///
    /// # Errors
    /// Those of [`FlaskCookieBuilder::build`]: a secret key, or a fallback, that is empty or is `season-wiz-secret`. Cookie
    /// options that contradict each other.
    pub fn build(self) -> Result<FlaskBridge, ConfigError> {
        self.options.validate()?;
        Ok(FlaskBridge::new(Arc::new(Settings {
            cookie: self.cookie.build()?,
            finder: CookieFinder::new(self.options.cookie_name()),
            options: self.options,
            user: self.user,
            shared: self.shared,
        })))
    }
}

impl fmt::Debug for FlaskBridgeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskBridgeBuilder")
            .field("cookie", &self.cookie)
            .field("options", &self.options)
            .field("user", &self.user)
            .field("shared", &self.shared)
            .finish()
    }
}
