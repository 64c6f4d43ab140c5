use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use serde_json::{Map, Value, value::RawValue};

use super::{data::FlaskData, json};

/// How a Flask session says who is logged in.
///
/// ```
/// use serde_json::{Map, json};
/// use wiz_session::flask::{FlaskData, FlaskUser};
///
/// let own = FlaskUser::key("user_id"); // the default
/// let wiz = FlaskUser::key("id"); // `wiz.session.user_id()`
/// let flask_login = FlaskUser::text_key("_user_id");
///
/// // An account with its tenant, under two keys.
/// let find = |flask: &FlaskData| {
///     let tenant: String = flask.get("tenant").ok()??;
///     let account: u64 = flask.get("account").ok()??;
///     Some(format!("{tenant}/{account}"))
/// };
/// let write = |user: &str| {
///     let (tenant, account) = user.split_once('/').unwrap_or_default();
///     Map::from_iter([
///         ("tenant".to_owned(), json!(tenant)),
///         ("account".to_owned(), json!(account.parse::<u64>().ok())),
///     ])
/// };
/// let tenants = FlaskUser::new(["tenant", "account"], find, write);
/// ```
#[derive(Clone)]
pub struct FlaskUser {
    /// The text of each between its quotes.
    keys: BTreeSet<Box<str>>,
    find: Arc<Find>,
    write: Arc<Write>,
}

type Find = dyn Fn(&FlaskData) -> Option<String> + Send + Sync;
type Write = dyn Fn(&str) -> Map<String, Value> + Send + Sync;

impl FlaskUser {
    /// The id is the value of this key: a number, or a text that is not empty. A user who logs in here is written as a
    /// number if the id is one.
    #[must_use]
    pub fn key(key: impl Into<Cow<'static, str>>) -> Self {
        Self::of_key(key.into(), |user| match user.parse::<i64>() {
            Ok(number) if is_integer(user) => number.into(),
            _ => user.into(),
        })
    }

    /// As [`key`](Self::key), but always writes the id as text, as Flask-Login does under `_user_id`.
    #[must_use]
    pub fn text_key(key: impl Into<Cow<'static, str>>) -> Self {
        Self::of_key(key.into(), |user| Value::from(user))
    }

    fn of_key(
        key: Cow<'static, str>,
        value: impl Fn(&str) -> Value + Send + Sync + 'static,
    ) -> Self {
        let written = key.clone();
        let find = move |flask: &FlaskData| id(&flask.get::<Box<RawValue>>(&key).ok()??);
        Self::new([written.clone()], find, move |user| {
            Map::from_iter([(written.clone().into_owned(), value(user))])
        })
    }

    /// `find` reads the user out of Flask's session, and `write` gives the values by which Flask knows the user. They are
    /// values of these keys, which are never shared otherwise, and `find` has to find the user in what `write` gives. Both
    /// must be pure.
    #[must_use]
    pub fn new<K: AsRef<str>>(
        keys: impl IntoIterator<Item = K>,
        find: impl Fn(&FlaskData) -> Option<String> + Send + Sync + 'static,
        write: impl Fn(&str) -> Map<String, Value> + Send + Sync + 'static,
    ) -> Self {
        Self {
            keys: keys
                .into_iter()
                .map(|key| json::key(key.as_ref()))
                .collect(),
            find: Arc::new(find),
            write: Arc::new(write),
        }
    }

    pub(super) fn find(&self, flask: &FlaskData) -> Option<String> {
        (self.find)(flask)
    }

    /// Whether the key, by its text, says who is logged in.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Logs the user in. Where `before` has the same user, the values are those.
    pub(super) fn write(&self, user: &str, before: &FlaskData, flask: &mut FlaskData) {
        if self.find(before).as_deref() == Some(user) {
            let own = before.iter().filter(|(key, _)| self.has_key(key));
            return own.for_each(|(key, value)| flask.put(key, value.into()));
        }
        for (key, value) in (self.write)(user) {
            if self.has_key(&json::key(&key)) {
                // A `Value` always has a JSON form.
                let _always = flask.set(&key, value);
            }
        }
    }
}

/// The id that a value stands for.
fn id(value: &RawValue) -> Option<String> {
    let text: Option<String> = serde_json::from_str(value.get()).ok();
    match text {
        Some(text) => Some(text).filter(|text| !text.is_empty()),
        None => is_integer(value.get()).then(|| value.get().to_owned()),
    }
}

/// Written as JSON writes it, so that the number has the same text again.
fn is_integer(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0'] => text == "0",
        [b'1'..=b'9', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

impl Default for FlaskUser {
    /// The key `user_id`.
    fn default() -> Self {
        Self::key("user_id")
    }
}

impl fmt::Debug for FlaskUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskUser")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
