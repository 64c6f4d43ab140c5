use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    change::{self, Draft, Op},
    error::Error,
    flash::{self, Flash, FlashLevel},
};

/// The data of a session inside a [transaction](crate::WizSession::transaction).
///
/// Its methods work like those of the same name on [`WizSession`](crate::WizSession), where each has an example. They
/// read and change the newest record, in memory; the commit follows when the closure returns `Ok`.
///
/// ```
/// # use wiz_session::Error;
/// # async fn f(session: wiz_session::WizSession) -> Result<(), Error> {
/// let seats_left = session
///     .transaction(|tx| {
///         let seats = tx.get_or("seats", 10_u32)?.saturating_sub(1);
///         tx.set("seats", seats)?;
///         tx.delete("waiting");
///         Ok::<_, Error>(seats) // the `?` below leaves the error type open
///     })
///     .await?;
/// # Ok(()) }
/// ```
pub struct Transaction<'a> {
    draft: Draft<'a>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(draft: Draft<'a>) -> Self {
        Self { draft }
    }

    /// The value of a key, or `None` if the key is missing.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let raw = self.draft.raw(key);
        raw.map(|raw| change::decode(key, raw)).transpose()
    }

    /// The value of a key, or `default` if the key is missing.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type.
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T, Error> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// The value of a key, or the type's default if the key is missing.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type.
    pub fn get_or_default<T: DeserializeOwned + Default>(&self, key: &str) -> Result<T, Error> {
        Ok(self.get(key)?.unwrap_or_default())
    }

    /// The value of a key as JSON, whatever its type.
    #[must_use]
    pub fn get_value(&self, key: &str) -> Option<Value> {
        self.draft.get_value(key)
    }

    /// Whether a key has a value. `null` is a value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.draft.contains_key(key)
    }

    /// All keys, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.draft.keys()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.draft.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All keys and values, sorted by key.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.draft.to_map()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// [`Error::is_too_large`], [`Error::is_encode`]; then nothing changes.
    pub fn set(&mut self, key: &str, value: impl Serialize) -> Result<(), Error> {
        self.draft
            .apply(key, change::put_op(key, &value)?)
            .map(drop)
    }

    /// Sets every member of an object as a key. All of them or none.
    ///
    /// # Errors
    /// [`Error::is_too_large`], [`Error::is_encode`].
    pub fn extend<T: Serialize>(&mut self, values: T) -> Result<(), Error> {
        self.draft.extend(&change::members(&values)?)
    }

    /// Removes a key and returns whether it was there.
    pub fn delete(&mut self, key: &str) -> bool {
        self.draft.delete(key)
    }

    /// Removes a key and returns its value. Of several transactions at once, exactly one is given it.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type; the key then stays.
    pub fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Error> {
        let taken = self.get(key)?;
        self.delete(key);
        Ok(taken)
    }

    /// Changes a value in place and returns the new one. A missing key starts as the type's default.
    ///
    /// The closure is `FnOnce`: it may move what it captured, and borrow. If there is a conflict, the whole transaction
    /// runs again.
    ///
    /// # Errors
    /// [`Error::is_decode`], [`Error::is_too_large`], [`Error::is_encode`]; then nothing changes.
    pub fn update<T>(&mut self, key: &str, change: impl FnOnce(&mut T)) -> Result<T, Error>
    where
        T: Default + Serialize + DeserializeOwned,
    {
        let (raw, value) = change::updated(key, self.draft.raw(key), change)?;
        self.draft.apply(key, Op::Put(raw))?;
        Ok(value)
    }

    /// Leaves a message for the next page.
    ///
    /// # Errors
    /// [`Error::is_too_large`].
    pub fn flash(&mut self, level: FlashLevel, message: impl Into<String>) -> Result<(), Error> {
        flash::add(&mut self.draft, Flash::new(level, message.into()))
    }

    /// Takes all messages, oldest first. In a transaction each message is returned to exactly one request, however many
    /// ask at the same time.
    ///
    /// # Errors
    /// [`Error::is_decode`] if something else is stored under `_flashes`.
    pub fn take_flashes(&mut self) -> Result<Vec<Flash>, Error> {
        flash::take(&mut self.draft)
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}
