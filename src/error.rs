// Over 250 lines: one type, its predicates and its messages, which have to agree.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use http::StatusCode;

/// What can go wrong with a session.
///
/// The type is opaque; its `is_…` methods classify it. As an axum response it is a [status](Self::status) with a plain
/// body that reveals nothing about the session. Messages say what to do next. They name keys and types, never a value
/// and never a session id. The guide lists [all of them](crate::guide::errors).
///
/// ```
/// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
/// match session.get::<u32>("visits") {
///     Ok(visits) => println!("{visits:?}"),
///     Err(error) if error.is_decode() => println!("stored with another type: {error}"),
///     Err(error) => return Err(error),
/// }
/// # Ok(()) }
/// ```
///
/// What a caller of [`save`](crate::WizSession::save), [`reload`](crate::WizSession::reload) or
/// [`transaction`](crate::WizSession::transaction) can do:
///
/// | | what happened | what to do |
/// |---|---|---|
/// | [`is_conflict`](Self::is_conflict) | other requests were faster each time; nothing was stored | try again |
/// | [`is_store`](Self::is_store) | the store failed; nothing was stored, unless in doubt | try again later |
/// | [`is_in_doubt`](Self::is_in_doubt) | the change may have been stored | `save` again; after a `transaction`, `reload` and look |
/// | [`is_gone`](Self::is_gone) | the session is over for this handle; nothing was stored, unless in doubt | close the socket, let the user log in |
/// | [`is_decode`](Self::is_decode), [`is_too_large`](Self::is_too_large) | the changes do not fit what another request stored | mend the value |
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    MissingLayer,
    DuplicateLayer(String),
    Store {
        source: Box<dyn StdError + Send + Sync>,
        advice: Option<&'static str>,
    },
    Timeout(Duration),
    Corrupt(Cow<'static, str>),
    Decode(Mismatch),
    Encode {
        key: String,
        source: serde_json::Error,
    },
    NotAnObject(&'static str),
    NotReadableAgain {
        key: String,
        wanted: &'static str,
        source: serde_json::Error,
    },
    Conflict,
    Gone,
    HeadersSent,
    UserType(&'static str),
    Expired,
    RolledBack,
    InDoubt(Error),
    Forgotten,
    TooLarge {
        key: Option<String>,
        limit: usize,
    },
    AliasTooLarge,
    NotLoggedIn,
    BearerIsOff,
}

/// A stored value that is not of the type asked for. It keeps no part of the value.
#[derive(Debug)]
struct Mismatch {
    key: String,
    wanted: &'static str,
    found: &'static str,
    column: usize,
}

impl Error {
    /// A failure of a session store, for implementers of [`SessionStore`](crate::SessionStore).
    ///
    /// The source must contain neither session ids nor session data, as it may be logged.
    ///
    /// ```
    /// use wiz_session::Error;
    ///
    /// let error = Error::store(std::io::Error::other("connection reset"));
    /// assert!(error.is_store());
    /// ```
    pub fn store(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::store_advised(source, None)
    }

    /// [`store`](Self::store), with advice on what to do.
    pub(crate) fn store_advised(
        source: impl Into<Box<dyn StdError + Send + Sync>>,
        advice: impl Into<Option<&'static str>>,
    ) -> Self {
        Self::from(Kind::Store {
            source: source.into(),
            advice: advice.into(),
        })
    }

    /// A stored record that cannot be read: damaged, or of a format that this version does not know. It is a
    /// [store failure](Self::is_store), so the request is answered 503 and the record is never overwritten.
    ///
    /// ```
    /// assert!(wiz_session::Error::corrupt("its version is negative").is_store());
    /// ```
    pub fn corrupt(what: impl Into<Cow<'static, str>>) -> Self {
        Self::from(Kind::Corrupt(what.into()))
    }

    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(*self.0, Kind::Corrupt(_))
    }

    pub(crate) fn missing_layer() -> Self {
        Self::from(Kind::MissingLayer)
    }

    pub(crate) fn timeout(limit: Duration) -> Self {
        Self::from(Kind::Timeout(limit))
    }

    /// Only the position is taken from the source, as its message may quote the value.
    pub(crate) fn decode<T>(key: &str, raw: &[u8], source: &serde_json::Error) -> Self {
        Self::from(Kind::Decode(Mismatch {
            key: key.to_owned(),
            wanted: std::any::type_name::<T>(),
            found: json_kind(raw),
            column: source.column(),
        }))
    }

    pub(crate) fn encode(key: &str, source: serde_json::Error) -> Self {
        Self::from(Kind::Encode {
            key: key.to_owned(),
            source,
        })
    }

    pub(crate) fn not_an_object<T>() -> Self {
        Self::from(Kind::NotAnObject(std::any::type_name::<T>()))
    }

    pub(crate) fn conflict() -> Self {
        Self::from(Kind::Conflict)
    }

    pub(crate) fn gone() -> Self {
        Self::from(Kind::Gone)
    }

    pub(crate) fn headers_sent() -> Self {
        Self::from(Kind::HeadersSent)
    }

    /// Whether the store has no such session any more.
    pub(crate) fn is_of_ended_session(&self) -> bool {
        match &*self.0 {
            Kind::Gone | Kind::Expired => true,
            Kind::InDoubt(error) => error.is_of_ended_session(),
            _ => false,
        }
    }

    /// The session expired and was swept while the request was at work.
    pub(crate) fn expired() -> Self {
        Self::from(Kind::Expired)
    }

    pub(crate) fn rolled_back() -> Self {
        Self::from(Kind::RolledBack)
    }

    /// The store's answer was lost, and the look-up failed too; or the session has ended since.
    pub(crate) fn in_doubt(error: Self) -> Self {
        Self::from(Kind::InDoubt(error))
    }

    /// More commits came after one in doubt than a record carries ids.
    pub(crate) fn forgotten() -> Self {
        Self::from(Kind::Forgotten)
    }

    pub(crate) fn duplicate_layer(cookie: &str) -> Self {
        Self::from(Kind::DuplicateLayer(cookie.to_owned()))
    }

    pub(crate) fn too_large(key: &str, limit: usize) -> Self {
        Self::from(Kind::TooLarge {
            key: Some(key.to_owned()),
            limit,
        })
    }

    pub(crate) fn user_of_another_type<T>() -> Self {
        Self::from(Kind::UserType(std::any::type_name::<T>()))
    }

    pub(crate) fn user_too_large(limit: usize) -> Self {
        Self::from(Kind::TooLarge { key: None, limit })
    }

    pub(crate) fn alias_too_large() -> Self {
        Self::from(Kind::AliasTooLarge)
    }

    pub(crate) fn bearer_is_off() -> Self {
        Self::from(Kind::BearerIsOff)
    }

    pub(crate) fn not_logged_in() -> Self {
        Self::from(Kind::NotLoggedIn)
    }

    pub(crate) fn not_readable_again<T>(key: &str, source: serde_json::Error) -> Self {
        Self::from(Kind::NotReadableAgain {
            key: key.to_owned(),
            wanted: std::any::type_name::<T>(),
            source,
        })
    }

    /// The store failed, did not answer in time, or holds a record that cannot be read. Nothing was stored, unless
    /// [`is_in_doubt`](Self::is_in_doubt).
    #[must_use]
    pub fn is_store(&self) -> bool {
        match &*self.0 {
            Kind::Store { .. } | Kind::Timeout(_) | Kind::Corrupt(_) => true,
            Kind::InDoubt(error) => error.is_store(),
            _ => false,
        }
    }

    /// The store did not answer within the layer's `store_timeout`. It is a [store failure](Self::is_store).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &*self.0 {
            Kind::Timeout(_) => true,
            Kind::InDoubt(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// The change may or may not have been stored: the store's answer was lost, and the look-up failed too or can no
    /// longer tell.
    ///
    /// Calling [`save`](crate::WizSession::save) again is right: it looks the commit up again and applies it once. Running
    /// a [transaction](crate::WizSession::transaction) again is a new transaction, which may count a second time. If it
    /// [`is_gone`](Self::is_gone) too, the session ended or moved before the look-up, and others may have seen the change.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(*self.0, Kind::InDoubt(_) | Kind::Forgotten)
    }

    /// A stored value, or the recorded user, is not of the requested type. The message names the key and the type.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(*self.0, Kind::Decode(_) | Kind::UserType(_))
    }

    /// A value has no JSON form, such as a map whose keys are not strings; or an update produced a value that does not read
    /// back as its type, such as a NaN. Nothing was changed.
    #[must_use]
    pub fn is_encode(&self) -> bool {
        matches!(
            *self.0,
            Kind::Encode { .. } | Kind::NotAnObject(_) | Kind::NotReadableAgain { .. }
        )
    }

    /// Other requests kept changing the session for as long as `store_timeout`; or an `update` closure never came to rest,
    /// because it changes its own key through the session. Nothing was stored.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(*self.0, Kind::Conflict)
    }

    /// The session is over for this handle, and its changes will not be stored: the session has ended or moved to a new
    /// id; it expired and was swept while the request was at work; the handler answered with 5xx or 408, which discarded
    /// the changes; or the [response headers are sent](Self::is_headers_sent) and a session cannot begin any more.
    ///
    /// What was [cleared](crate::WizSession::clear) is deleted all the same. Nothing of the changes was stored, unless it
    /// [`is_in_doubt`](Self::is_in_doubt) too.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match &*self.0 {
            Kind::Gone | Kind::HeadersSent | Kind::Expired | Kind::RolledBack => true,
            Kind::InDoubt(error) => error.is_gone(),
            _ => false,
        }
    }

    /// A session was to begin or to move to a new id after the response headers, which would have carried its cookie, were
    /// sent. It also counts as [`is_gone`](Self::is_gone).
    #[must_use]
    pub fn is_headers_sent(&self) -> bool {
        matches!(*self.0, Kind::HeadersSent)
    }

    /// The session would exceed `max_bytes`. Nothing was changed.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(*self.0, Kind::TooLarge { .. } | Kind::AliasTooLarge)
    }

    /// The request is that of a visitor, and what was asked for takes a user. As a response it is 401.
    #[must_use]
    pub fn is_not_logged_in(&self) -> bool {
        matches!(*self.0, Kind::NotLoggedIn)
    }

    /// The request did not pass through a session layer: a mistake in how the router is put together.
    #[must_use]
    pub fn is_missing_layer(&self) -> bool {
        matches!(*self.0, Kind::MissingLayer)
    }
}

impl Error {
    /// Whether it describes a mistake in the router, for the developer to read in the browser.
    pub(crate) fn is_about_layers(&self) -> bool {
        matches!(
            *self.0,
            Kind::MissingLayer | Kind::DuplicateLayer(_) | Kind::BearerIsOff
        )
    }

    /// Whether the commit after the handler ignores it: the client has a newer session, or the handler had failed anyway.
    pub(crate) fn is_silent(&self) -> bool {
        match &*self.0 {
            Kind::Gone | Kind::RolledBack => true,
            Kind::InDoubt(error) => error.is_silent(),
            _ => false,
        }
    }

    /// What to do about a store failure, if the store knows.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match &*self.0 {
            Kind::Store { advice, .. } => *advice,
            Kind::InDoubt(error) => error.advice(),
            _ => None,
        }
    }

    /// The status of a response that reports this error, as [`IntoResponse`](axum_core::response::IntoResponse) gives it:
    /// 503 if the store failed or other requests kept conflicting, 413 if the session is too large, 409 if it has ended or
    /// can no longer tell what was stored, 401 if a user has to log in, 500 for a mistake of the application.
    ///
    /// ```
    /// # fn f(error: wiz_session::Error) -> http::Response<String> {
    /// let mut response = http::Response::default();
    /// *response.status_mut() = error.status();
    /// # response }
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match &*self.0 {
            Kind::InDoubt(error) => error.status(),
            Kind::Store { .. } | Kind::Timeout(_) | Kind::Corrupt(_) | Kind::Conflict => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Kind::TooLarge { .. } | Kind::AliasTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Kind::Gone | Kind::HeadersSent | Kind::Expired | Kind::RolledBack | Kind::Forgotten => {
                StatusCode::CONFLICT
            }
            Kind::MissingLayer
            | Kind::DuplicateLayer(_)
            | Kind::BearerIsOff
            | Kind::Decode(_)
            | Kind::UserType(_)
            | Kind::Encode { .. }
            | Kind::NotAnObject(_)
            | Kind::NotReadableAgain { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::MissingLayer => f.write_str(
                "no session layer: add `.layer(WizSessionLayer::new(store, key))` to the router, after its routes",
            ),
            Kind::Store { .. } => {
                let advice = self.advice().unwrap_or("its `source()` says why");
                write!(f, "the session store failed: {advice}")
            }
            Kind::Timeout(limit) => write!(
                f,
                "the session store did not answer within {limit:?}: see that it is up, within reach and not overloaded"
            ),
            Kind::Corrupt(what) => write!(
                f,
                "a stored session cannot be read: {what}; end it with `Sessions::revoke` (its handle is in the log), \
                 or run the version of the application that wrote it"
            ),
            Kind::Decode(mismatch) => mismatch.fmt(f),
            Kind::Encode { key, .. } => write!(
                f,
                "the value for session key `{key}` has no JSON form: its `source()` says why; keys of maps have to be \
                 strings or numbers"
            ),
            Kind::NotAnObject(wanted) => write!(
                f,
                "`{wanted}` is not an object whose members could be session keys: give a struct or a map with names \
                 for keys, or `set` it under a key"
            ),
            Kind::Conflict => f.write_str("other requests kept changing the session; try again"),
            Kind::Gone => f.write_str(
                "the session has ended: close what still uses it, and let the user begin anew or log in",
            ),
            Kind::HeadersSent => f.write_str(
                "the response head has left without the cookie of a new session: begin it, or give it a new id, in \
                 the handler",
            ),
            Kind::UserType(wanted) => write!(
                f,
                "the user's name does not read as `{wanted}`: ask for the type that was given to `log_in`"
            ),
            Kind::Expired => f.write_str(
                "the session expired while the request was at work, and was swept: let the user begin again, or raise \
                 `idle_timeout`",
            ),
            Kind::RolledBack => f.write_str(
                "the handler answered with an error, which dropped the changes of its session: `reload` to go on with \
                 what is stored",
            ),
            Kind::InDoubt(error) if error.is_gone() => write!(
                f,
                "{error}; whether the change was stored before can no longer be told"
            ),
            Kind::InDoubt(error) => write!(
                f,
                "{error}; looking it up failed as well, so the change may have been stored"
            ),
            Kind::Forgotten => f.write_str(
                "whether the change was stored can no longer be told, as too many others came after it: `reload` and \
                 look",
            ),
            Kind::DuplicateLayer(cookie) => write!(
                f,
                "two different session layers use the cookie `{cookie}`: mount clones of one layer, or give one of them \
                 another cookie name"
            ),
            Kind::AliasTooLarge => f.write_str(
                "an alias has a name of at most 64 bytes and a value of at most 512, and a session has at most 8 of them: \
                 give a hash of a longer value",
            ),
            Kind::BearerIsOff => f.write_str(
                "this layer takes no bearer tokens: build it with `.bearer(true)` before giving one out",
            ),
            Kind::NotLoggedIn => {
                f.write_str("no user is logged in: let the client log in, or allow for visitors")
            }
            Kind::NotReadableAgain { key, wanted, .. } => write!(
                f,
                "what an update made of session key `{key}` does not read as `{wanted}` again, such as a NaN, which JSON \
                 has no number for: its `source()` says why; nothing was changed"
            ),
            Kind::TooLarge { key: None, limit } => write!(
                f,
                "with the user's name the session would exceed {limit} bytes: log in by a shorter id, or raise `max_bytes`"
            ),
            Kind::TooLarge {
                key: Some(key),
                limit,
            } => write!(
                f,
                "with session key `{key}` the session would exceed {limit} bytes: keep less in it, or raise `max_bytes`"
            ),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            wanted,
            found,
            column,
        } = self;
        if *found == "null" {
            return write!(
                f,
                "session key `{key}` holds null, which is no `{wanted}`: read it as `Option<{wanted}>`, or delete the key"
            );
        }
        write!(
            f,
            "session key `{key}` holds {found} that does not read as `{wanted}` (column {column}): read it as the type it \
             was set with, or delete the key"
        )
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &*self.0 {
            Kind::Store { source, .. } => Some(source.as_ref()),
            Kind::Encode { source, .. } | Kind::NotReadableAgain { source, .. } => Some(source),
            Kind::InDoubt(error) => error.source(),
            _ => None,
        }
    }
}

fn json_kind(raw: &[u8]) -> &'static str {
    match raw.trim_ascii_start().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A setting that contradicts another or is not safe, refused when the layer, the sweeper or the store is built. The
/// message names the values and what to change.
///
/// ```
/// use std::time::Duration;
/// use wiz_session::{Key, MemoryStore, WizSessionLayer};
///
/// let refused = WizSessionLayer::builder(MemoryStore::new(), Key::generate()).idle_timeout(Duration::ZERO).build();
/// assert_eq!(
///     refused.unwrap_err().to_string(),
///     "idle_timeout is 0ns: give `.idle_timeout(…)` at least a second"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Cow<'static, str>);

impl ConfigError {
    pub(crate) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_type_names_key_and_type_and_no_value() {
        let raw = br#""hunter2""#;
        let source = serde_json::from_slice::<u64>(raw).unwrap_err();
        let error = Error::decode::<u64>("pin", raw, &source);
        assert!(error.is_decode());
        assert_eq!(
            error.to_string(),
            "session key `pin` holds a string that does not read as `u64` (column 9): read it as the type it was set \
             with, or delete the key"
        );
        assert!(error.source().is_none(), "the JSON error quotes the value");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_store_error_keeps_its_source() {
        let error = Error::store(std::io::Error::other("disk on fire"));
        assert!(error.is_store());
        assert_eq!(error.source().unwrap().to_string(), "disk on fire");
    }
}
