use std::{fmt, sync::Arc, time::Duration};

use cookie::Key;

use super::{
    super::{
        cookie::{FlaskCookie, FlaskCookieBuilder},
        user::FlaskUser,
    },
    codec::Codec,
    cookies::Cookies,
    ids::Ids,
    serialization::FlaskSerialization,
    store::{FlaskSessionStore, Inner},
};
use crate::{
    cookie::{CookieFinder, CookieOptions},
    error::ConfigError,
    store::Blobs,
    time::Clock,
};

/// The settings of a [`FlaskSessionStore`], from [`FlaskSessionStore::builder`]. They are those of the Flask application.
///
/// ```no_run
/// use std::time::Duration;
/// use wiz_session::{Key, flask::{FlaskSerialization, FlaskSessionStore, FlaskUser}};
///
/// # #[cfg(feature = "redis")]
/// # fn f(redis: wiz_session::RedisStore) -> Result<(), wiz_session::ConfigError> {
/// let store = FlaskSessionStore::builder(&Key::generate())
///     .key_prefix("shop:")
///     .serialization(FlaskSerialization::Json)
///     .lifetime(Duration::from_secs(7 * 24 * 60 * 60))
///     .user(FlaskUser::text_key("_user_id"))
///     .redis(redis)?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct FlaskSessionStoreBuilder {
    key: Key,
    prefix: String,
    serialization: FlaskSerialization,
    lifetime: Duration,
    permanent: bool,
    user: FlaskUser,
    options: CookieOptions,
    signer: Option<FlaskCookieBuilder>,
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    table: String,
}

impl FlaskSessionStore {
    /// With Flask-Session's defaults. The key may be the layer's, and has to be the same in every process; with another one
    /// the sessions that began here have other handles.
    pub fn builder(key: &Key) -> FlaskSessionStoreBuilder {
        FlaskSessionStoreBuilder {
            key: key.clone(),
            prefix: "session:".to_owned(),
            serialization: FlaskSerialization::default(),
            lifetime: Duration::from_secs(31 * 24 * 60 * 60),
            permanent: true,
            user: FlaskUser::default(),
            options: CookieOptions::insecure("session"),
            signer: None,
            #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
            table: "sessions".to_owned(),
        }
    }
}

impl FlaskSessionStoreBuilder {
    /// `SESSION_KEY_PREFIX`. Defaults to `session:`.
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// `SESSION_SERIALIZATION_FORMAT`, for new records. Those that are there keep their own. Defaults to
    /// [`FlaskSerialization::MsgPack`].
    pub fn serialization(mut self, serialization: FlaskSerialization) -> Self {
        self.serialization = serialization;
        self
    }

    /// `PERMANENT_SESSION_LIFETIME`. At least one second. Defaults to 31 days.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// `SESSION_PERMANENT`. Defaults to true.
    pub fn permanent(mut self, permanent: bool) -> Self {
        self.permanent = permanent;
        self
    }

    /// How Flask's session says who is logged in. Defaults to the key `user_id`.
    pub fn user(mut self, user: FlaskUser) -> Self {
        self.user = user;
        self
    }

    /// `SESSION_COOKIE_NAME`, `…_DOMAIN`, `…_PATH`, `…_SECURE` and so on: name, domain and path have to be the same on both
    /// sides, or there are two cookies. Defaults to `session; HttpOnly; SameSite=Lax; Path=/`, which also travels over plain
    /// HTTP, as Flask's does.
    pub fn cookie(mut self, options: CookieOptions) -> Self {
        self.options = options;
        self
    }

    /// `SESSION_USE_SIGNER`, with Flask's `SECRET_KEY`. Defaults to off: Flask-Session's cookie is the bare id.
    pub fn use_signer(mut self, secret_key: impl AsRef<[u8]>) -> Self {
        self.signer = Some(FlaskCookie::builder(secret_key).salt("flask-session"));
        self
    }

    /// `SESSION_SQLALCHEMY_TABLE`. Defaults to `sessions`.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// `SESSION_TYPE = "redis"`, over the server of this store. It takes Redis 6.2 or newer, or Valkey.
    ///
    /// # Errors
    /// Of a cluster. Cookie options that contradict each other, a lifetime below a second, a secret key that is empty or is
    /// `season-wiz-secret`.
    #[cfg(feature = "redis")]
    pub fn redis(self, redis: crate::store::RedisStore) -> Result<FlaskSessionStore, ConfigError> {
        if redis.is_cluster() {
            return Err(ConfigError::new(
                "Flask-Session keeps its sessions on one Redis server: give `.redis(…)` a store that is not of a cluster",
            ));
        }
        self.over(Arc::new(redis))
    }

    /// `SESSION_TYPE = "sqlalchemy"`, in the database of this store, whose own table it does not need.
    ///
    /// # Errors
    /// Cookie options that contradict each other, a lifetime below a second, a secret key that is empty or is
    /// `season-wiz-secret`, a table's name with other characters than lower-case letters, digits and `_`.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(
        self,
        sqlite: &crate::store::SqliteStore,
    ) -> Result<FlaskSessionStore, ConfigError> {
        let blobs = sqlite.blobs(&self.table)?;
        self.over(blobs)
    }

    /// `SESSION_TYPE = "sqlalchemy"`, in the database of this store, whose own table it does not need.
    ///
    /// # Errors
    /// Cookie options that contradict each other, a lifetime below a second, a secret key that is empty or is
    /// `season-wiz-secret`, a table's name with other characters than lower-case letters, digits and `_`.
    #[cfg(feature = "postgres")]
    pub fn postgres(
        self,
        postgres: &crate::store::PostgresStore,
    ) -> Result<FlaskSessionStore, ConfigError> {
        let blobs = postgres.blobs(&self.table)?;
        self.over(blobs)
    }

    /// `SESSION_TYPE = "sqlalchemy"`, in the database of this store, whose own table it does not need. Flask-Session's
    /// table takes no session of more than 64 KB there.
    ///
    /// # Errors
    /// Cookie options that contradict each other, a lifetime below a second, a secret key that is empty or is
    /// `season-wiz-secret`, a table's name with other characters than lower-case letters, digits and `_`.
    #[cfg(feature = "mysql")]
    pub fn mysql(self, mysql: &crate::store::MySqlStore) -> Result<FlaskSessionStore, ConfigError> {
        let blobs = mysql.blobs(&self.table)?;
        self.over(blobs)
    }

    fn over(self, blobs: Arc<dyn Blobs>) -> Result<FlaskSessionStore, ConfigError> {
        self.options.validate()?;
        if self.lifetime < Duration::from_secs(1) {
            return Err(ConfigError::new(format!(
                "the lifetime of Flask's cookie is {:?}: give `.lifetime(…)` at least a second",
                self.lifetime
            )));
        }
        let signer = self.signer.map(FlaskCookieBuilder::build).transpose()?;
        Ok(FlaskSessionStore::new(Inner {
            blobs,
            ids: Ids::new(&self.key),
            prefix: self.prefix.into(),
            cookies: Cookies {
                finder: CookieFinder::new(self.options.cookie_name()),
                options: self.options,
                signer,
                max_age: self.permanent.then_some(self.lifetime),
            },
            codec: Codec {
                serialization: self.serialization,
                user: self.user,
                lifetime: self.lifetime,
                permanent: self.permanent,
            },
            scans: tokio::sync::Mutex::default(),
            clock: Clock::system().into(),
            expiry: std::sync::OnceLock::new(),
        }))
    }
}

impl fmt::Debug for FlaskSessionStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskSessionStoreBuilder")
            .field("prefix", &self.prefix)
            .field("serialization", &self.serialization)
            .field("lifetime", &self.lifetime)
            .field("permanent", &self.permanent)
            .field("user", &self.user)
            .field("cookie", &self.options)
            .finish_non_exhaustive()
    }
}
