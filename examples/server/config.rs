//! The environment, read once and checked before anything starts: a server that comes up is
//! configured right.

use std::env::{self, VarError};
use std::str::FromStr;
use std::time::Duration;

use wiz_session::flask::FlaskBridge;
use wiz_session::{CookieOptions, DeviceBinding, Key};

use crate::tls::Identity;

const DEFAULT_PORT: u16 = 3000;
const MIN_SECRET_BYTES: usize = 32;

/// What the environment asks for.
pub(crate) struct Config {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub(crate) port: u16,
    /// Signs the session cookie.
    pub(crate) key: Key,
    /// What the cookie is called, and whether it needs TLS.
    pub(crate) cookie: CookieOptions,
    /// How long a session lives without being used, if not as the layer has it.
    pub(crate) idle_timeout: Option<Duration>,
    /// How often watched sessions are looked at, if not as the layer has it.
    pub(crate) watch_interval: Option<Duration>,
    /// How long a process may keep what it has read.
    pub(crate) cache: Option<Duration>,
    /// How many sessions a user may have.
    pub(crate) max_sessions_per_user: Option<usize>,
    /// Whether there is a guest for every number.
    pub(crate) guests: bool,
    /// Shares the login with a Flask application that has this key.
    pub(crate) flask: Option<FlaskBridge>,
    /// For HTTPS without a proxy.
    pub(crate) tls: Option<Identity>,
    /// How sessions are bound to devices, if they are.
    pub(crate) device_binding: Option<DeviceBinding>,
    /// Where sessions live, see [`store::open`](crate::store::open).
    pub(crate) store: String,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, String> {
        let tls = tls(var("TLS_CERT")?, var("TLS_KEY")?)?;
        Ok(Self {
            port: port(var("PORT")?)?,
            key: key(var("SESSION_SECRET")?)?,
            cookie: cookie(var("SECURE_COOKIE")?.as_deref(), tls.is_some())?,
            idle_timeout: seconds("IDLE_TIMEOUT")?,
            watch_interval: seconds("WATCH_INTERVAL")?,
            cache: seconds("CACHE")?,
            max_sessions_per_user: number("MAX_SESSIONS_PER_USER", "number")?,
            guests: is_on("GUESTS")?,
            flask: var("FLASK_SECRET_KEY")?.map(flask).transpose()?,
            device_binding: device_binding(tls.is_some())?,
            tls,
            store: var("STORE")?.unwrap_or_default(),
        })
    }
}

fn var(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!(
            "{name} is not UTF-8: set it to plain text, or leave it out"
        )),
    }
}

/// A number of seconds; what the layer makes of it, it says itself.
fn seconds(name: &str) -> Result<Option<Duration>, String> {
    let seconds = number(name, "number of seconds")?;
    Ok(seconds.map(Duration::from_secs))
}

fn number<T: FromStr>(name: &str, what: &str) -> Result<Option<T>, String> {
    let Some(text) = var(name)? else {
        return Ok(None);
    };
    let number = text.parse();
    number
        .map(Some)
        .map_err(|_| format!("{name} must be a whole {what}, not {text:?}"))
}

fn is_on(name: &str) -> Result<bool, String> {
    match var(name)?.as_deref() {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!("{name} must be 0 or 1, not {other:?}")),
    }
}

fn tls(certificate: Option<String>, key: Option<String>) -> Result<Option<Identity>, String> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Identity::read(&certificate, &key).map(Some),
        _ => Err("TLS_CERT and TLS_KEY belong together: set both, or none".to_owned()),
    }
}

/// Offered with TLS, and where it is asked for; then the layer says what is missing.
fn device_binding(has_tls: bool) -> Result<Option<DeviceBinding>, String> {
    let lifetime = seconds("DEVICE_COOKIE")?;
    let is_required = is_on("REQUIRE_DEVICE")?;
    if !has_tls && !is_required && lifetime.is_none() {
        return Ok(None);
    }
    let binding = match is_required {
        true => DeviceBinding::require(),
        false => DeviceBinding::offer(),
    };
    Ok(Some(match lifetime {
        Some(lifetime) => binding.cookie_lifetime(lifetime),
        None => binding,
    }))
}

fn port(value: Option<String>) -> Result<u16, String> {
    value.map_or(Ok(DEFAULT_PORT), |port| {
        port.parse()
            .map_err(|_| format!("PORT must be a number from 0 to 65535, not {port:?}"))
    })
}

fn key(secret: Option<String>) -> Result<Key, String> {
    match secret {
        Some(secret) if secret.len() >= MIN_SECRET_BYTES => Ok(Key::derive_from(secret.as_bytes())),
        Some(secret) => Err(format!(
            "SESSION_SECRET must have at least {MIN_SECRET_BYTES} bytes, it has {}: make one with \
             `openssl rand -base64 48`",
            secret.len()
        )),
        None => {
            eprintln!(
                "SESSION_SECRET is not set: the key is generated, sessions end with this process"
            );
            Ok(Key::generate())
        }
    }
}

/// Every key is shared: this is a demonstration.
fn flask(secret_key: String) -> Result<FlaskBridge, String> {
    let bridge = FlaskBridge::builder(secret_key).share_all().build();
    bridge.map_err(|error| format!("FLASK_SECRET_KEY is refused: {error}"))
}

/// Over TLS, here or at a proxy, a cookie that travels in no other way.
fn cookie(secure: Option<&str>, has_tls: bool) -> Result<CookieOptions, String> {
    match secure {
        Some("true") => Ok(CookieOptions::default()),
        None | Some("false") if has_tls => Ok(CookieOptions::default()),
        None | Some("false") => Ok(CookieOptions::insecure("sid")),
        Some(other) => Err(format!(
            "SECURE_COOKIE must be true or false, not {other:?}"
        )),
    }
}
