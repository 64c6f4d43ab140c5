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
};

/// The session of the visitor who sent this request.
///
/// An axum handler takes it as an argument. It is a map of JSON values that reads and writes in memory; the layer
/// stores what was *changed*, after the handler answered and before the head of the response leaves. Clones are the
/// same session.
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
/// From the first value that is committed, until it is [cleared](Self::clear) or expires. Reading begins none, and
/// a value that is set and deleted in one request neither.
///
/// # Concurrency
///
/// Each request sees the session as it was loaded, and its own changes. If another request commits first, the changes
/// are done again on what that one stored: [`set`](Self::set) and [`delete`](Self::delete) as they are,
/// [`update`](Self::update) by running its closure again. A session that ended meanwhile stays ended, and the changes
/// are dropped. An answer with a 5xx status or 408 drops them too, but for a [`clear`](Self::clear); a panic that
/// reaches the layer drops all.
/// The [guide](crate::guide::concurrency) shows it with pictures.
#[derive(Clone)]
pub struct WizSession {
    session: Arc<RequestSession>,
}

/// What the layer puts into a request's extensions: the session, not asked for yet.
#[derive(Clone)]
pub(crate) struct SessionExtension {
    pub(crate) session: Arc<RequestSession>,
    /// The innermost session, where a layer inside of it asks for one of those outside again.
    pub(crate) innermost: Option<Arc<RequestSession>>,
    /// The layer that is nearest has the cookie of this session's, and is another one: a mistake.
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

    /// The sessions of all layers around, the innermost first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<RequestSession>> {
        let innermost = self.innermost.as_ref().unwrap_or(&self.session);
        std::iter::successors(Some(innermost), |session| session.outer())
    }
}

/// Getting hold of it.
impl WizSession {
    /// The session of the request with these extensions, for services that have no extractors.
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
    /// If there is no layer, or [`Error::is_store`].
    pub fn from_extensions(
        extensions: &Extensions,
    ) -> impl Future<Output = Result<Self, Error>> + Send + use<> {
        let session = Self::unloaded(extensions);
        async move { session?.ok_or_else(Error::missing_layer)?.loaded().await }
    }

    /// Not to be handed out before it is [loaded](Self::loaded). `None` if there is no layer.
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

    pub(crate) async fn loaded(self) -> Result<Self, Error> {
        self.session.load().await?;
        Ok(self)
    }
}

/// Reading.
impl WizSession {
    /// The value of a key, or `None` if there is none.
    ///
    /// # Errors
    /// [`Error::is_decode`] if it is of another type.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let name: Option<String> = session.get("name")?;
    /// # Ok(()) }
    /// ```
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        // Parsed after the lock, for the type's code may call anything.
        match self.raw(key) {
            Raw::Stored(record) => {
                let raw = record.as_ref().and_then(|record| record.data().get(key));
                raw.map(|raw| change::decode(key, raw)).transpose()
            }
            Raw::Changed(raw) => raw.map(|raw| change::decode(key, &raw)).transpose(),
        }
    }

    /// The value of a key, or this one if there is none.
    ///
    /// # Errors
    /// [`Error::is_decode`] if it is of another type.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let name = session.get_or("name", "Guest".to_owned())?;
    /// # Ok(()) }
    /// ```
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T, Error> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// The value of a key, or the type's default if there is none.
    ///
    /// # Errors
    /// [`Error::is_decode`] if it is of another type.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let cart: Vec<u64> = session.get_or_default("cart")?;
    /// # Ok(()) }
    /// ```
    pub fn get_or_default<T: DeserializeOwned + Default>(&self, key: &str) -> Result<T, Error> {
        Ok(self.get(key)?.unwrap_or_default())
    }

    /// The value of a key, of whatever type. A value beyond what [`Value`] can hold (more than 128 levels, a number
    /// outside of `f64`) is given as its JSON text; a number with more digits than `f64` has is rounded, as
    /// [`get`](Self::get) does not.
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

    /// Whether a key has a value. `null` is one.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// let logged_in = session.contains_key("user_id");
    /// # }
    /// ```
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.session.view(|state| state.draft().contains_key(key))
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

    /// How many keys there are.
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

    /// Whether there is no key.
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

    /// All keys and values, sorted by key: what `wiz.session.get()` without a key gives. Numbers are as
    /// [`get_value`](Self::get_value) gives them.
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
    /// Gives a key a value. The value it has already is no change, and is not stored again.
    ///
    /// # Errors
    /// [`Error::is_too_large`] if the session would exceed `max_bytes`, [`Error::is_encode`] if the value has no JSON
    /// form. Then nothing is changed. To JSON a float that is no number, or infinite, is `null`.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.set("theme", "dark")?;
    /// session.set("cart", [1, 2, 3])?;
    /// # Ok(()) }
    /// ```
    pub fn set(&self, key: &str, value: impl Serialize) -> Result<(), Error> {
        // Encoded before the lock, for the value's code may call anything.
        let op = change::put_op(key, &value)?;
        self.session
            .edit(|state| state.draft().apply(key, op))
            .map(drop)
    }

    /// Sets every member of an object: wiz's `set(**kwargs)`.
    ///
    /// # Errors
    /// [`Error::is_too_large`], or [`Error::is_encode`] if it is no object. Then none is set.
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

    /// Removes a key. Answers whether there was one.
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

    /// Removes a key and gives its value.
    ///
    /// # Errors
    /// [`Error::is_decode`] if it is of another type. Then it stays.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let back_to = session.take::<String>("redirect_after_login")?.unwrap_or("/".to_owned());
    /// # Ok(()) }
    /// ```
    pub fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            // Parsed after the lock, for the type's code may call anything.
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
        // Others never let go of the key.
        Err(Error::conflict())
    }

    /// Changes a value in place and gives the new one. A missing key starts as the type's default.
    ///
    /// The answer is what this request sees. The closure runs again, on the newer value, if another request committed
    /// first; so it must depend on nothing but its argument and have no other effect. It must not own the session: a
    /// request that is given up midway would never be freed. Where the answer has to be the committed value, use a
    /// [transaction](Self::transaction).
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type, [`Error::is_too_large`], [`Error::is_encode`], and
    /// [`Error::is_conflict`] if the closure changes this key through the session. Then nothing is changed.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let visits = session.update("visits", |n: &mut u64| *n += 1)?;
    /// # Ok(()) }
    /// ```
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
            // The closure runs without the lock: it is the application's, and may use this session.
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
        // Others never let go of the key; or the closure changes it itself, so that it is another one each time.
        Err(self.take_back(savepoint, Error::conflict()))
    }

    /// Ends the session: it is deleted from the store, its id is dead, and the client's cookie is removed.
    ///
    /// A [`set`](Self::set) after it begins a new session under a new id, also in the same request. A `clear` holds
    /// even if the answer has a 5xx status.
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

/// Who it is.
impl WizSession {
    /// Gives the session a new id, with the same data; the old one is dead from the commit on. For every change of
    /// rights that is not a [login](Self::log_in) (OWASP ASVS 5.0 §7.2.4).
    ///
    /// The absolute timeout runs on.
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

    /// Makes the session this user's: gives it a new id, notes the user and the time, and restarts the absolute
    /// timeout. What an anonymous visitor, or the same user, has in it stays; if it was another user's it starts empty.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.log_in("alice");
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
        self.session.edit(|state| state.log_in(user, at));
    }

    /// Ends the session: [`clear`](Self::clear) by its other name.
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

    /// Who [logged in](Self::log_in).
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.log_in("alice");
    /// assert_eq!(session.user().as_deref(), Some("alice"));
    /// # }
    /// ```
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.session.view(|state| state.user().map(str::to_owned))
    }

    /// Who [logged in](Self::log_in), as the type of the application's ids.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the user's name does not parse as `T`.
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

    /// When the user last [logged in](Self::log_in): whether to ask for the password again, see
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
        self.session
            .view(|state| state.authenticated_at().map(SystemTime::from))
    }
}

/// How long it lives.
impl WizSession {
    /// Whether nothing of it is stored: the visitor is new, or the session was cleared in this request.
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

    /// Whether the session is over or has moved to another id: the request came with its cookie, or has learnt it
    /// since. What is set then is not stored, unless a login or a [`clear`](Self::clear) comes first, or the session had
    /// expired, so that a new one can begin.
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

    /// Whether the store has the session still, by a look that is no use of it: so a page that polls keeps no idle
    /// session alive. What the request sees stays as it was. One load; none where nothing is stored.
    ///
    /// # Errors
    /// [`Error::is_store`].
    ///
    /// # Cancel safety
    /// Dropped at any point, it has done nothing.
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

    /// When it was first stored. A new id does not change it.
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

    /// When it ends unless it is used before, as the store knows it. What moves it: [expiry](crate::guide::expiry).
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

    /// Keeps the session for so long after each use, in place of the idle timeout, and makes its cookie outlive the
    /// browser's closing. The cookie is sent anew as the session is used, and so is its age; another call renews both.
    ///
    /// It holds for the session's life, through later requests, new ids and logins, until
    /// [`forget`](Self::forget) takes it back. The end that no use moves is the layer's
    /// [`remember_limit`](crate::WizSessionLayerBuilder::remember_limit) after the login. At least a second; zero is
    /// `forget`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn f(session: wiz_session::WizSession, remember_me: bool) {
    /// session.log_in("alice");
    /// match remember_me {
    ///     true => session.remember(Duration::from_secs(30 * 24 * 60 * 60)),
    ///     // Without the wish, what an earlier one left is taken back.
    ///     false => session.forget(),
    /// }
    /// # }
    /// ```
    pub fn remember(&self, how_long: Duration) {
        self.session.edit(|state| state.remember(how_long));
    }

    /// Takes [`remember`](Self::remember) back: the layer's timeouts hold again, and the cookie ends with the browser.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.forget();
    /// # }
    /// ```
    pub fn forget(&self) {
        self.remember(Duration::ZERO);
    }

    /// This request does not count as a use of the session: neither it nor its changes postpone the end. For pages that
    /// poll, which must not keep an idle session alive (OWASP ASVS 5.0 §7.3.1).
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

    /// The public name of the stored session: safe to show and to log, and what
    /// [`Sessions::revoke`](crate::Sessions::revoke) takes. `None` while nothing is stored.
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
        self.session.view(|state| Some(state.base.live()?.handle))
    }
}

/// Messages for the next page. They are kept under the key `_flashes`, and count as data.
impl WizSession {
    /// Leaves a message for the next page.
    ///
    /// # Errors
    /// [`Error::is_too_large`], or [`Error::is_decode`] if something else is stored under the key.
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

    /// Takes the messages that were left, in the order in which they were. One that another request leaves meanwhile
    /// is kept for the next. Two requests that take at the same time may both be given a message; in a
    /// [transaction](Transaction::take_flashes) exactly one is.
    ///
    /// # Errors
    /// [`Error::is_decode`] if something else is stored under the key.
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

/// Storing and loading before the handler is over, or long after: in WebSockets, streams and long jobs, where the
/// head of the response has left already.
impl WizSession {
    /// Runs a closure on the newest data, commits what it changed together with what is pending, and gives what the
    /// run that was committed returned. So a count in an answer is the true count, however many requests change the
    /// session at once.
    ///
    /// The closure runs again whenever another request was faster: it must have no effect but on its argument. If it
    /// fails, nothing is committed and the error is passed on. What was committed stays, also if the request fails
    /// later.
    ///
    /// # Errors
    /// The closure's; [`Error::is_gone`] if the session ended meanwhile; [`Error::is_conflict`],
    /// [`Error::is_store`].
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// let (ticket, left) = session
    ///     .transaction(|tx| {
    ///         let mut tickets: Vec<u32> = tx.get_or_default("tickets")?;
    ///         let ticket = tickets.pop();
    ///         tx.set("tickets", &tickets)?;
    ///         Ok((ticket, tickets.len()))
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn transaction<R, E: From<Error>>(
        &self,
        run: impl Fn(&mut Transaction<'_>) -> Result<R, E> + Send + Sync,
    ) -> Result<R, E> {
        self.session.transact(run).await
    }

    /// Commits what is pending, now. Reads see the committed session afterwards.
    ///
    /// # Errors
    /// [`Error::is_gone`] if the session ended meanwhile; then it reads as empty from now on. Also if this would
    /// begin a session or give it a new id when the head of the response, which would carry the cookie, has left.
    /// [`Error::is_conflict`], [`Error::is_store`]: nothing is lost, and it can be tried again. [`Error::is_decode`],
    /// [`Error::is_too_large`]: on what another request stored meanwhile the changes cannot be done.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.set("progress", 50)?;
    /// session.save().await?;
    /// # Ok(()) }
    /// ```
    pub async fn save(&self) -> Result<(), Error> {
        self.session.save().await
    }

    /// Sees what other requests committed since. What is pending stays pending, on top of it. Counts as a use of the
    /// session, so that one with an open WebSocket need not expire.
    ///
    /// # Errors
    /// [`Error::is_gone`] if the session has ended; then it reads as empty from now on. [`Error::is_store`].
    /// [`Error::is_decode`], [`Error::is_too_large`] if what is pending cannot be done on top of it; then nothing is
    /// changed.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession) -> Result<(), wiz_session::Error> {
    /// session.reload().await?;
    /// let theme: Option<String> = session.get("theme")?;
    /// # Ok(()) }
    /// ```
    pub async fn reload(&self) -> Result<(), Error> {
        self.session.reload().await
    }
}

/// Where what a key holds is to be read.
enum Raw {
    /// In the stored record, if there is one.
    Stored(Option<Record>),
    /// This request has changed it.
    Changed(Option<Vec<u8>>),
}

impl Raw {
    fn into_bytes(self, key: &str) -> Option<Vec<u8>> {
        match self {
            Self::Stored(record) => record?.data().get(key).map(<[u8]>::to_vec),
            Self::Changed(raw) => raw,
        }
    }
}

impl WizSession {
    fn raw(&self, key: &str) -> Raw {
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
