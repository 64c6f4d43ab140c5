// Over 250 lines: the public methods of one type, with their documentation.

use std::{
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::Extensions;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    request::{RequestSession, Savepoint},
    transaction::Transaction,
};
use crate::{
    change,
    commit::SessionState,
    error::Error,
    flash::{self, Flash, FlashLevel},
    id::Handle,
    record::Record,
    store::Ended,
};

/// The session of the visitor who sent this request.
///
/// An axum handler takes it as an argument. It is a map of JSON values, read and written in memory; the layer commits
/// the *changes* after the handler has answered and before the response headers are sent. Clones share one session.
///
/// ```
/// use axum::{Json, Router, routing::post};
/// use wiz_session::{Key, MemoryStore, WizSession, WizSessionLayer};
///
/// async fn add(session: WizSession, Json(item): Json<u64>) -> Result<Json<Vec<u64>>, wiz_session::Error> {
///     let cart = session.update("cart", move |cart: &mut Vec<u64>| cart.push(item))?;
///     Ok(Json(cart))
/// }
///
/// let app: Router = Router::new()
///     .route("/cart", post(add))
///     .layer(WizSessionLayer::new(MemoryStore::new(), Key::generate()));
/// ```
///
/// # When a session exists
///
/// From the first committed value until it is [cleared](Self::clear) or expires. Reading never creates a session, nor
/// does a value that is set and deleted within one request.
///
/// # Concurrency
///
/// Each request sees the session as it was loaded, plus its own changes. If another request commits first, the changes
/// are replayed on the newer record: [`set`](Self::set) and [`delete`](Self::delete) with the same arguments,
/// [`update`](Self::update) by running its closure again. A session that ended in the meantime stays ended, and the
/// changes are discarded. A response with status 5xx or 408 discards them too, except a [`clear`](Self::clear); a panic
/// that reaches the layer discards everything. The [guide](crate::guide::concurrency) has diagrams, and
/// [`guide::design`](crate::guide::design) lists what always holds.
///
/// # Handles that outlive the request
///
/// A WebSocket, a streaming body or a spawned task may keep the session after the response headers are sent. From then
/// on nothing is committed by itself: call [`save`](Self::save) after a change, [`reload`](Self::reload) before a read,
/// or use a [`transaction`](Self::transaction). See [`guide::websockets_and_streams`](crate::guide::websockets_and_streams).
///
/// # Store calls
///
/// Extracting the session is one `load` if the request carries a cookie with a valid signature, and none otherwise.
/// Methods without `async` never call the store. The commit is one call, or none if nothing changed and no touch is due.
#[derive(Clone)]
pub struct WizSession {
    pub(super) session: Arc<RequestSession>,
}

/// What the layer puts into the request's extensions: a session that is not loaded yet.
#[derive(Clone)]
pub(crate) struct SessionExtension {
    pub(crate) session: Arc<RequestSession>,
    /// The innermost session, if this extension was mounted by a clone of a layer further out.
    pub(crate) innermost: Option<Arc<RequestSession>>,
    /// The nearest layer uses this session's cookie name but is a different layer: a configuration mistake.
    pub(crate) is_duplicate: bool,
}

impl SessionExtension {
    pub(crate) fn new(session: Arc<RequestSession>) -> Self {
        Self {
            session,
            innermost: None,
            is_duplicate: false,
        }
    }

    /// The sessions of all enclosing layers, innermost first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<RequestSession>> {
        let innermost = self.innermost.as_ref().unwrap_or(&self.session);
        std::iter::successors(Some(innermost), |session| session.outer())
    }
}

/// Getting the session.
impl WizSession {
    /// The session of the request with these extensions, for services without extractors.
    ///
    /// The future does not borrow the extensions. The first call of a request loads the session: one `load` if the
    /// cookie's signature is valid, none otherwise. Later calls, and extractors, share the loaded session.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use wiz_session::{Error, WizSession};
    ///
    /// async fn visits(request: Request<String>) -> Result<Response<String>, Error> {
    ///     let session = WizSession::from_extensions(request.extensions()).await?;
    ///     let visits = session.update("visits", |n: &mut u32| *n += 1)?;
    ///     Ok(Response::new(format!("{visits}")))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_missing_layer`]; [`Error::is_store`] if the session cannot be loaded; and an error with status 500
    /// if the nearest layer is not the one that owns the session's cookie (two different layers, one cookie name).
    pub fn from_extensions(
        extensions: &Extensions,
    ) -> impl Future<Output = Result<Self, Error>> + Send + use<> {
        let session = Self::unloaded(extensions);
        async move { session?.ok_or_else(Error::missing_layer)?.loaded().await }
    }

    /// Must be [loaded](Self::loaded) before it is handed out. `None` if there is no layer.
    pub(crate) fn unloaded(extensions: &Extensions) -> Result<Option<Self>, Error> {
        let Some(extension) = extensions.get::<SessionExtension>() else {
            return Ok(None);
        };
        let session = Arc::clone(&extension.session);
        match extension.is_duplicate {
            true => Err(Error::duplicate_layer(session.config.cookie.name())),
            false => Ok(Some(Self { session })),
        }
    }

    pub(crate) fn of(session: Arc<RequestSession>) -> Self {
        Self { session }
    }

    /// As [`loaded`](Self::loaded), for a client that may say by its origin that it will drop a `Secure` cookie.
    pub(crate) async fn loaded_for(self, is_insecure: bool) -> Result<Self, Error> {
        let session = self.loaded().await?;
        if is_insecure && session.session.config.cookie.options().is_secure() {
            session.session.note_insecure_origin();
        }
        Ok(session)
    }

    pub(crate) async fn loaded(self) -> Result<Self, Error> {
        self.session.load().await?;
        Ok(self)
    }
}

/// Reading.
impl WizSession {
    /// The value of a key, or `None` if the key is missing.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type. A stored `null` is read as `Option<T>`.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let name: Option<String> = session.get("name")?;
    /// # Ok(()) }
    /// ```
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        // Parsed without the lock: the type's `Deserialize` is the application's code.
        match self.raw(key) {
            Raw::Found(raw) => raw.map(|raw| change::decode(key, raw)).transpose(),
            Raw::Stored(record) => {
                let raw = record.as_ref().and_then(|record| record.data().get(key));
                raw.map(|raw| change::decode(key, raw)).transpose()
            }
            Raw::Changed(raw) => raw.map(|raw| change::decode(key, &raw)).transpose(),
        }
    }

    /// The value of a key, or `default` if the key is missing.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let name = session.get_or("name", "Guest".to_owned())?;
    /// # Ok(()) }
    /// ```
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T, Error> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// The value of a key, or the type's default if the key is missing.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let cart: Vec<u64> = session.get_or_default("cart")?;
    /// # Ok(()) }
    /// ```
    pub fn get_or_default<T: DeserializeOwned + Default>(&self, key: &str) -> Result<T, Error> {
        Ok(self.get(key)?.unwrap_or_default())
    }

    /// The value of a key as JSON, whatever its type.
    ///
    /// What [`Value`] cannot represent (more than 128 levels of nesting, a number outside the range of `f64`) is returned
    /// as a string with its JSON text. A number with more digits than `f64` holds is rounded; [`get`](Self::get) keeps
    /// every digit.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if session.get_value("coupon").is_some_and(|coupon| coupon.is_null()) {
    ///     println!("there was one");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn get_value(&self, key: &str) -> Option<Value> {
        self.session.view(|state| state.draft().get_value(key))
    }

    /// Whether a key has a value. `null` is a value.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// let logged_in = session.contains_key("user_id");
    /// # }
    /// ```
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.session.look(
            |found| found.raw(key).is_some(),
            |state| state.draft().contains_key(key),
        )
    }

    /// All keys, sorted.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// for key in session.keys() {
    ///     println!("{key}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.session.view(|state| state.draft().keys())
    }

    /// The number of keys.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// assert!(session.len() <= 20);
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.session.view(|state| state.draft().len())
    }

    /// Whether there are no keys.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if session.is_empty() {
    ///     println!("nothing in it");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All keys and values, sorted by key: what `wiz.session.get()` without a key returns. Values are converted as by
    /// [`get_value`](Self::get_value).
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// let everything = serde_json::Value::Object(session.to_map());
    /// # }
    /// ```
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.session.view(|state| state.draft().to_map())
    }
}

/// Writing.
impl WizSession {
    /// Sets the value of a key. Setting the value that the key already has is no change and costs no write.
    ///
    /// Within the request, "already has" is decided against the record that was loaded. For a handle that outlives its
    /// request it is decided against the newest record at the commit.
    ///
    /// # Errors
    /// [`Error::is_too_large`] if the session would exceed `max_bytes`; [`Error::is_encode`] if the value has no JSON
    /// form. In both cases nothing changes. JSON has no NaN and no infinity: such a float is stored as `null`.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.set("theme", "dark")?;
    /// session.set("cart", [1, 2, 3])?;
    /// # Ok(()) }
    /// ```
    pub fn set(&self, key: &str, value: impl Serialize) -> Result<(), Error> {
        // Encoded without the lock: the value's `Serialize` is the application's code.
        let op = change::put_op(key, &value)?;
        self.session
            .edit(|state| state.draft().apply(key, op))
            .map(drop)
    }

    /// Sets every member of an object as a key: wiz's `set(**kwargs)`. All of them or none.
    ///
    /// # Errors
    /// [`Error::is_too_large`]; [`Error::is_encode`] if `values` does not serialise as an object.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.extend(serde_json::json!({ "name": "Alice", "is_admin": true }))?;
    /// # Ok(()) }
    /// ```
    #[allow(clippy::needless_pass_by_value, reason = "as `set` takes it")]
    pub fn extend<T: Serialize>(&self, values: T) -> Result<(), Error> {
        let members = change::members(&values)?;
        self.session.edit(|state| state.draft().extend(&members))
    }

    /// Removes a key and returns whether this request saw it. Removing a missing key is no change.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.delete("cart");
    /// # }
    /// ```
    #[allow(clippy::must_use_candidate)]
    pub fn delete(&self, key: &str) -> bool {
        self.session.edit(|state| state.draft().delete(key))
    }

    /// Removes a key and returns its value.
    ///
    /// Two requests at once may both be given the value. Where only one may have it, take it in a
    /// [transaction](Transaction::take).
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type; the key then stays. [`Error::is_conflict`] if other handles
    /// of this session never stop changing the key.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let back_to = session.take::<String>("redirect_after_login")?.unwrap_or("/".to_owned());
    /// # Ok(()) }
    /// ```
    pub fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            // Parsed without the lock: the type's `Deserialize` is the application's code.
            let Some(before) = self.raw(key).into_bytes(key) else {
                return Ok(None);
            };
            let value = change::decode(key, &before)?;
            let taken = self.session.edit(|state| {
                let is_same = state.draft().raw(key) == Some(&before);
                is_same && state.draft().delete(key)
            });
            if taken {
                return Ok(Some(value));
            }
        }
        // Other handles changed the key each time.
        Err(Error::conflict())
    }

    /// Changes a value in place and returns the new one. A missing key starts as the type's default.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let visits = session.update("visits", |n: &mut u64| *n += 1)?;
    /// # Ok(()) }
    /// ```
    ///
    /// The closure runs at once, and again on the newer value whenever another request committed first. It must be pure:
    /// its result may depend only on its argument and on what it captured, and it must have no other effect. The
    /// returned value is the one this request sees; where it has to be the committed one, use a
    /// [transaction](Self::transaction).
    ///
    /// # Owned values
    ///
    /// Because it may run again, the closure is `Fn + 'static`: it owns what it captures, and clones what it stores.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession, name: &String) -> Result<(), wiz_session::Error> {
    /// let name = name.clone();
    /// session.update("names", move |names: &mut Vec<String>| names.push(name.clone()))?;
    /// # Ok(()) }
    /// ```
    ///
    /// Without the inner `clone` the first run would move the name out, and the compiler says that the closure is only
    /// `FnOnce`. Do not capture the session itself: a pending operation that owned its own session would never be freed.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type; [`Error::is_encode`] if the new value has no JSON form or
    /// does not read back as `T`, such as a NaN; [`Error::is_too_large`]; [`Error::is_conflict`] if the closure itself
    /// changes this key through the session. In all cases nothing changes.
    pub fn update<T>(
        &self,
        key: &str,
        change: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Result<T, Error>
    where
        T: Default + Serialize + DeserializeOwned,
    {
        const TRIES: usize = 100;
        let savepoint = self.session.savepoint();
        for _ in 0..TRIES {
            // The closure runs without the lock: it is the application's code, and may use this session.
            let before = self.raw(key).into_bytes(key);
            let (raw, value) = match change::updated(key, before.as_deref(), &change) {
                Ok(updated) => updated,
                Err(error) => return Err(self.take_back(savepoint, error)),
            };
            let mut shared = self.session.lock_to_edit();
            let mut draft = shared.state.draft();
            if draft.raw(key) != before.as_deref() {
                continue;
            }
            let applied = draft.apply(key, change::update_op(key, raw, change));
            drop(shared);
            return match applied {
                Ok(_) => Ok(value),
                Err(error) => Err(self.take_back(savepoint, error)),
            };
        }
        // Other handles changed the key each time, or the closure itself does.
        Err(self.take_back(savepoint, Error::conflict()))
    }

    /// Ends the session: its record is deleted, its id is dead, and the client's cookie is removed.
    ///
    /// A [`set`](Self::set) afterwards, in the same request too, begins a new session under a new id. A `clear` holds
    /// even if the response has status 5xx. If the client presented several live cookies of this name (left over from a
    /// change of path or domain), the sessions of all of them end. The commit is one `delete` for each.
    ///
    /// In a task that goes on after a failed request, `clear` also re-enables [`save`](Self::save).
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.clear();
    /// assert!(session.is_empty());
    /// # }
    /// ```
    pub fn clear(&self) {
        self.session.clear();
    }
}

/// Identity.
impl WizSession {
    /// Moves the session to a new id with the same data; the old id is dead once this is committed. For every change of
    /// privileges that is not a [login](Self::log_in) (OWASP ASVS 5.0 §7.2.4).
    ///
    /// The absolute timeout keeps running. For 30 seconds the old id leaves a tombstone: a late request that still
    /// carries it reads an empty session, and its writes are discarded.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.set("is_admin", true)?;
    /// session.regenerate();
    /// # Ok(()) }
    /// ```
    pub fn regenerate(&self) {
        self.session.edit(SessionState::regenerate);
    }

    /// Logs a user in: moves the session to a new id, records the user and the time, and restarts the absolute timeout.
    ///
    /// The user is anything with `Display`, as ids are numbers as often as text; [`user_as`](Self::user_as) reads it
    /// back. Data of an anonymous visitor or of the same user is kept. If the session belonged to a different user, it
    /// starts empty. On a session that ended in the meantime the login still succeeds, with a session of its own.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.log_in("alice"); // or `session.log_in(7)`
    /// session.set("is_admin", false)?;
    /// # Ok(()) }
    /// ```
    #[allow(
        clippy::needless_pass_by_value,
        reason = "ids are text as often as numbers"
    )]
    pub fn log_in(&self, user: impl ToString) {
        let user = user.to_string().into_boxed_str();
        let at = self.session.config.clock.timestamp();
        self.session.edit(|state| state.log_in(user, None, at));
    }

    /// Ends the session, as [`clear`](Self::clear) does, and returns whether there was a stored session to end. `false`
    /// for a visitor without one, and for an old id: that session is [over or has moved](Self::is_ended), and what it
    /// moved to lives on.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.log_out();
    /// assert_eq!(session.user(), None);
    /// # }
    /// ```
    #[allow(clippy::must_use_candidate)]
    pub fn log_out(&self) -> bool {
        self.session.clear()
    }

    /// The user who [logged in](Self::log_in), or `None` for an anonymous visitor.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.log_in("alice");
    /// assert_eq!(session.user().as_deref(), Some("alice"));
    /// # }
    /// ```
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.session.look(
            |found| found.record()?.user().map(str::to_owned),
            |state| state.user().map(str::to_owned),
        )
    }

    /// The user who [logged in](Self::log_in), parsed as the type of the application's user ids.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the recorded user does not parse as `T`.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.log_in(7);
    /// assert_eq!(session.user_as::<i64>()?, Some(7));
    /// # Ok(()) }
    /// ```
    pub fn user_as<T: FromStr>(&self) -> Result<Option<T>, Error> {
        let user = self.user();
        user.map(|user| user.parse().map_err(|_| Error::user_of_another_type::<T>()))
            .transpose()
    }

    /// When the user last [logged in](Self::log_in). Use it to decide whether to ask for the password again, see
    /// [security](crate::guide::security).
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// use std::time::{Duration, SystemTime};
    ///
    /// let is_fresh = session
    ///     .authenticated_at()
    ///     .is_some_and(|at| at + Duration::from_secs(300) > SystemTime::now());
    /// # }
    /// ```
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.session.look(
            |found| found.record()?.authenticated_at(),
            |state| state.authenticated_at().map(SystemTime::from),
        )
    }
}

/// Lifetime.
impl WizSession {
    /// Whether nothing is stored for this session: the visitor is new, the session they came with has ended, or it was
    /// cleared in this request.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if session.is_new() {
    ///     println!("welcome");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.handle().is_none()
    }

    /// Whether the session that the client came with has ended, expired or moved to another id, as far as this handle
    /// knows. Costs nothing: it does not ask the store. [`is_alive`](Self::is_alive) does.
    ///
    /// True in three situations:
    ///
    /// - The store no longer knew the session when the request came: a logout or the end of its time. The session reads
    ///   as empty, and a value that is set now begins a new one.
    /// - The session had just moved to a new id. It reads as empty, and what is set now is discarded, as the browser is
    ///   about to receive the newer cookie; [`log_in`](Self::log_in) works.
    /// - A commit, [`save`](Self::save), [`reload`](Self::reload) or [`transaction`](Self::transaction) of this handle
    ///   has found out that the session is gone. What is set now is discarded; `log_in` works in a handler, and in a
    ///   socket it is time to close.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if session.is_ended() {
    ///     println!("you have been logged out");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.session.view(|state| state.is_ended())
    }

    /// Asks the store whether the session is still alive, without counting as a use: polling it does not keep an idle
    /// session alive. What this handle sees does not change.
    ///
    /// Costs one `load`, or nothing if the session was never stored or is known to have ended.
    ///
    /// # Errors
    /// [`Error::is_store`].
    ///
    /// # Cancel safety
    /// Cancel-safe: it changes nothing.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// if !session.is_alive().await? {
    ///     println!("log in again");
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn is_alive(&self) -> Result<bool, Error> {
        self.session.is_alive().await
    }

    pub(crate) fn has_login(&self) -> bool {
        self.session.view(|state| state.has_login())
    }

    /// When the session was first stored. A new id does not change it.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if let Some(since) = session.created_at() {
    ///     println!("here since {since:?}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        self.session
            .view(|state| state.record().map(Record::created_at))
    }

    /// When the session ends unless it is used before, according to the record that was loaded or last committed. What
    /// moves it: [expiry](crate::guide::expiry).
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// let left = session.expires_at().map(|end| end.duration_since(std::time::SystemTime::now()));
    /// # }
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.session
            .view(|state| Some(state.base.live()?.record.expires_at()))
    }

    /// "Remember me": from now on the session lives this long after each use, in place of the idle timeout, and its
    /// cookie survives closing the browser.
    ///
    /// The lifetime slides. Whenever a use is [recorded](crate::guide::expiry), the cookie is sent again with a fresh
    /// `Max-Age`. It applies for the rest of the session's life, across requests, new ids and logins, until
    /// [`forget`](Self::forget). However much it is used, the session ends
    /// [`remember_limit`](crate::WizSessionLayerBuilder::remember_limit) (400 days by default) after the login.
    ///
    /// The shortest duration is one second; zero is `forget`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn f(session: wiz_session::WizSession, remember_me: bool) {
    /// session.log_in("alice");
    /// match remember_me {
    ///     true => session.remember(Duration::from_secs(30 * 24 * 60 * 60)),
    ///     // The session may have been remembered before this login.
    ///     false => session.forget(),
    /// }
    /// # }
    /// ```
    pub fn remember(&self, how_long: Duration) {
        self.session.edit(|state| state.remember(how_long));
    }

    /// Undoes [`remember`](Self::remember): the layer's timeouts apply again, and the cookie goes when the browser closes.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.forget();
    /// # }
    /// ```
    pub fn forget(&self) {
        self.remember(Duration::ZERO);
    }

    /// Makes this request not count as a use: neither it nor its changes postpone the session's end. For endpoints that a
    /// page polls, which must not keep an idle session alive (OWASP ASVS 5.0 §7.3.1).
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.skip_touch();
    /// let end = session.expires_at();
    /// # }
    /// ```
    pub fn skip_touch(&self) {
        self.session.edit(SessionState::skip_touch);
    }

    /// The session's public name, safe to show and to log; [`Sessions::revoke`](crate::Sessions::revoke) takes it. `None`
    /// while nothing is stored. A new id means a new handle.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if let Some(handle) = session.handle() {
    ///     println!("order placed in session {handle}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn handle(&self) -> Option<Handle> {
        self.session.look(
            |found| Some(found.stored()?.handle),
            |state| Some(state.base.live()?.handle),
        )
    }
}

/// Being told. For what outlives its request: WebSockets, server-sent events, long jobs.
///
/// ```
/// use wiz_session::WizSession;
///
/// # async fn push(_: &WizSession) -> Result<(), wiz_session::Error> { Ok(()) }
/// async fn live(session: WizSession) -> Result<(), wiz_session::Error> {
///     loop {
///         tokio::select! {
///             why = session.ended() => {
///                 println!("{why}"); // logged_out, revoked, moved or expired: close the socket
///                 return Ok(());
///             }
///             () = session.changed() => {
///                 session.reload().await?; // another tab, or another process
///                 push(&session).await?;
///             }
///         }
///     }
/// }
/// ```
///
/// In this process a watch is told as the commit is answered. What other processes do is pushed by stores that can do so,
/// and looked at on all of them, once per [`watch_interval`](crate::WizSessionLayerBuilder::watch_interval): so news is
/// late by that and one store call at the most, whatever was lost. The [guide](crate::guide::websockets_and_streams) shows
/// what to build with it.
///
/// Waiting is no use of the session: it expires under a socket that only waits.
impl WizSession {
    /// Waits until the session is over, and says why: logged out, revoked, moved to a new id by a login or
    /// [`regenerate`](Self::regenerate), or expired. At once if it is. A new id that this handle itself has given the
    /// session is not its end.
    ///
    /// For a visitor who has no session yet it waits until there is one. The future does not borrow the handle.
    ///
    /// # Store calls
    ///
    /// One look when the session is first watched, together with others that are; then a share of one each
    /// [`watch_interval`](crate::WizSessionLayerBuilder::watch_interval). The session stays watched for as long as one of
    /// its handles lives, so calling this again costs nothing. A request that does not call it pays nothing.
    ///
    /// # Panics
    /// If it is polled outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub fn ended(&self) -> impl Future<Output = Ended> + Send + use<> {
        let session = Arc::clone(&self.session);
        async move { session.ended().await }
    }

    /// Waits until another request has changed the session, so that it has a version which this handle has not seen.
    /// [`reload`](Self::reload) shows it. What this handle commits is not reported to it. It does not return for a session
    /// that is over: see [`ended`](Self::ended).
    ///
    /// The future does not borrow the handle. The store calls are those of `ended`, and shared with it.
    ///
    /// # Panics
    /// If it is polled outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// Cancel-safe: a change that a dropped future would have reported is reported by the next.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let session = Arc::clone(&self.session);
        async move { session.changed().await }
    }
}

/// Flash messages: shown once, by the next page. They are stored under the key `_flashes` and count towards `max_bytes`.
impl WizSession {
    /// Leaves a message for the next page.
    ///
    /// # Errors
    /// [`Error::is_too_large`]; [`Error::is_decode`] if something else is stored under `_flashes`.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.flash(wiz_session::FlashLevel::Success, "Saved")?;
    /// # Ok(()) }
    /// ```
    pub fn flash(&self, level: FlashLevel, message: impl Into<String>) -> Result<(), Error> {
        let flash = Flash::new(level, message.into());
        self.session
            .edit(|state| flash::add(&mut state.draft(), flash))
    }

    /// Takes all messages, oldest first. A message that another request leaves in the meantime stays for the next page.
    ///
    /// Two requests that take at the same time may both show a message; in a
    /// [transaction](Transaction::take_flashes) exactly one does. A `HEAD` request or a browser's prefetch takes messages
    /// too, and nobody sees them: [flash messages](crate::guide::concurrency#flash-messages) shows what to check.
    ///
    /// # Errors
    /// [`Error::is_decode`] if something else is stored under `_flashes`.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// for flash in session.take_flashes()? {
    ///     println!("{}", flash.message());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn take_flashes(&self) -> Result<Vec<Flash>, Error> {
        self.session.edit(|state| flash::take(&mut state.draft()))
    }
}

/// Explicit I/O: within a handler, or after it in WebSockets, streams and long jobs, once the response headers are sent.
impl WizSession {
    /// Runs a closure on the session, commits what it changed together with the pending changes, and returns what the
    /// committed run returned. A count in the answer is the true count, however many requests change the session at once.
    ///
    /// ```
    /// use wiz_session::{Error, WizSession};
    ///
    /// async fn take_ticket(session: &WizSession) -> Result<Option<u32>, Error> {
    ///     session
    ///         .transaction(|tx| {
    ///             let mut tickets: Vec<u32> = tx.get_or_default("tickets")?;
    ///             let ticket = tickets.pop();
    ///             tx.set("tickets", &tickets)?;
    ///             Ok(ticket)
    ///         })
    ///         .await
    /// }
    /// ```
    ///
    /// The closure runs again on the newer record whenever another request committed first, so its only effect must be
    /// on its argument. If it returns an error, the transaction aborts: nothing is committed, and the error is passed on.
    /// What is committed stays committed, even if the request fails later.
    ///
    /// # The error type
    ///
    /// The closure may fail with any `E: From<Error>`, so an application aborts with its own error:
    ///
    /// ```
    /// # use wiz_session::{Error, WizSession};
    /// enum BuyError {
    ///     SoldOut,
    ///     Session(Error),
    /// }
    ///
    /// impl From<Error> for BuyError {
    ///     fn from(error: Error) -> Self {
    ///         Self::Session(error)
    ///     }
    /// }
    ///
    /// async fn buy(session: &WizSession) -> Result<u32, BuyError> {
    ///     let run = session.transaction(|tx| {
    ///         let left = tx.get_or("left", 10_u32)?.checked_sub(1).ok_or(BuyError::SoldOut)?;
    ///         tx.set("left", left)?;
    ///         Ok(left)
    ///     });
    ///     run.await
    /// }
    /// ```
    ///
    /// If a `?` follows the `await`, the compiler cannot infer `E`, as `?` converts it. Name it in the closure's last
    /// expression: `Ok::<_, Error>(left)`.
    ///
    /// # Store calls
    ///
    /// One write. One `load` first if the closure writes nothing or fails, to make sure that what it read is still true.
    /// A conflict costs one `load` and one more write. A write whose answer was lost costs one `load`, the look-up.
    ///
    /// # Errors
    /// The closure's own. [`Error::is_gone`] if the session has ended or the handler's failure discarded its changes;
    /// then nothing was stored, unless it is an [`Error::is_in_doubt`] too.
    /// [`Error::is_conflict`] if other requests kept committing first for `store_timeout`, or another `save`, `reload` or
    /// `transaction` of this session did not finish in that time. [`Error::is_store`]: nothing was stored, unless
    /// [`Error::is_in_doubt`] says that it may have been. A transaction that is in doubt and is then run again is a new
    /// transaction: it counts a second time if the first one was stored after all. [`reload`](Self::reload) and look
    /// before running it again.
    ///
    /// # Cancel safety
    /// Dropped at any await, the transaction is committed completely or not at all, and the changes that were pending
    /// before it are not lost. The next `save`, `reload` or `transaction`, or the commit after the handler, looks up which
    /// it was. It is never run again by itself.
    pub async fn transaction<R, E: From<Error>>(
        &self,
        run: impl Fn(&mut Transaction<'_>) -> Result<R, E> + Send + Sync,
    ) -> Result<R, E> {
        self.session.transact(run).await
    }

    /// Commits the pending changes now. Afterwards reads see the committed session.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.set("progress", 50)?;
    /// session.save().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// `Ok` means stored: by this call, or by another handle or the layer, whichever committed the changes first. After an
    /// error, call it again: the same changes are committed once, however often it takes. If the answer of the store was
    /// lost, `save` first looks up whether the commit happened.
    ///
    /// # Store calls
    ///
    /// One write for changed data, one `create` for a new session, one to three calls for a new id. With nothing pending
    /// it does what [`reload`](Self::reload) does: one `load`. A conflict costs one `load` and one more write, a lost
    /// answer one `load`.
    ///
    /// # Errors
    /// [`Error::is_gone`]: nothing was stored, unless it is an [`Error::is_in_doubt`] too, and nothing will be. Either the
    /// session has ended and reads as empty from now on; or [`Error::is_headers_sent`]: a session was to begin or to move
    /// to a new id after the response headers, which would have carried its cookie, were sent; or the handler answered
    /// with 5xx or 408, which discarded the changes of all handles, and `save` keeps failing until
    /// [`reload`](Self::reload) or [`clear`](Self::clear).
    ///
    /// [`Error::is_conflict`], [`Error::is_store`]: the changes stay pending; try again. [`Error::is_in_doubt`]: they may
    /// have been stored, as the look-up failed too; try again all the same, it happens once. Where the session has ended,
    /// no further try can tell.
    ///
    /// [`Error::is_decode`], [`Error::is_too_large`]: the changes cannot be replayed on what another request has stored.
    ///
    /// # Cancel safety
    /// Cancel-safe. Dropped at any await, the commit has happened completely or not at all, and nothing is lost: the next
    /// `save`, `reload` or `transaction`, or the commit after the handler, looks up which it was and completes it, once.
    pub async fn save(&self) -> Result<(), Error> {
        self.session.save().await
    }

    /// Loads what other requests have committed since. Pending changes stay pending, rebased on the newer record.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.reload().await?;
    /// let theme: Option<String> = session.get("theme")?;
    /// # Ok(()) }
    /// ```
    ///
    /// It counts as a use, so a WebSocket that reloads now and then keeps its session alive; after
    /// [`skip_touch`](Self::skip_touch) it does not. A commit that an earlier call left in doubt is settled first. After a
    /// failed request, `reload` accepts that its changes were discarded and lets [`save`](Self::save) work again.
    ///
    /// # Store calls
    ///
    /// One `load`, and one `touch` when that is due. A commit in doubt costs one `load` more, and its write if it had not
    /// happened.
    ///
    /// # Errors
    /// [`Error::is_gone`] if the session has ended: pending changes are discarded, except a login, and it reads as empty
    /// from now on. [`Error::is_store`], [`Error::is_conflict`]: try again. [`Error::is_decode`],
    /// [`Error::is_too_large`] if the pending changes cannot be replayed on the newer record; then nothing changes.
    ///
    /// # Cancel safety
    /// Cancel-safe. Dropped at any await, the session is what it was before or what was loaded.
    pub async fn reload(&self) -> Result<(), Error> {
        self.session.reload().await
    }
}

/// Where the value of a key is to be read from.
enum Raw<'a> {
    /// In the record that the request has found, if there is one, and nothing has been changed.
    Found(Option<&'a [u8]>),
    /// In the stored record, if there is one.
    Stored(Option<Record>),
    /// This request has changed it.
    Changed(Option<Vec<u8>>),
}

impl Raw<'_> {
    fn into_bytes(self, key: &str) -> Option<Vec<u8>> {
        match self {
            Self::Found(raw) => raw.map(<[u8]>::to_vec),
            Self::Stored(record) => record?.data().get(key).map(<[u8]>::to_vec),
            Self::Changed(raw) => raw,
        }
    }
}

impl WizSession {
    fn raw(&self, key: &str) -> Raw<'_> {
        if let Some(found) = self.session.unchanged() {
            return Raw::Found(found.raw(key));
        }
        self.session.view(|state| match state.draft().op(key) {
            Some(op) => Raw::Changed(op.value().map(<[u8]>::to_vec)),
            None => Raw::Stored(state.record().cloned()),
        })
    }

    fn take_back(&self, savepoint: Savepoint, error: Error) -> Error {
        self.session.restore(savepoint);
        error
    }
}

impl fmt::Debug for WizSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WizSession")
            .field("handle", &self.handle())
            .finish_non_exhaustive()
    }
}
