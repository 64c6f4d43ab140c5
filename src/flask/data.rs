use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::json::{self, Members, Way};
use crate::{change, error::Error};

/// What a Flask session holds: values by key, as Flask's cookie carries them.
///
/// What Python has and JSON lacks is an object with one member, as Flask itself writes it:
///
/// | Python | JSON |
/// |---|---|
/// | `(1, 2)` | `{" t":[1,2]}` |
/// | `b"\x00\x01"` | `{" b":"AAE="}` |
/// | `Markup("<b>")` | `{" m":"<b>"}` |
/// | `UUID(…)` | `{" u":"00112233445566778899aabbccddeeff"}` |
/// | `datetime(2025, 1, 1)` | `{" d":"Wed, 01 Jan 2025 00:00:00 GMT"}` |
/// | `{" t": 1}`, the dictionary | `{" di":{" t__":1}}` |
/// | `nan`, `inf`, `-inf` | `{" f":"NaN"}`, `{" f":"Infinity"}`, `{" f":"-Infinity"}` |
///
/// ```
/// use wiz_session::flask::FlaskData;
///
/// let mut data = FlaskData::default();
/// data.set("point", serde_json::json!({ " t": [1, 2] }))?;
/// assert_eq!(data.get::<serde_json::Value>("point")?.unwrap()[" t"][1], 2);
/// # Ok::<(), wiz_session::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FlaskData(Members);

impl FlaskData {
    /// The value of a key, or `None` if the key is missing.
    ///
    /// # Errors
    /// [`Error::is_decode`] if the value is of another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let value = self.text(&json::key(key));
        let value = value.and_then(|value| json::value(value, Way::FromFlask));
        value
            .map(|value| change::decode(key, value.as_bytes()))
            .transpose()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// [`Error::is_encode`] if the value has no JSON form; then nothing changes.
    pub fn set(&mut self, key: &str, value: impl Serialize) -> Result<(), Error> {
        let encode = |value: &_| serde_json::value::to_raw_value(value);
        let value = encode(&value).map_err(|error| Error::encode(key, error))?;
        if let Some(value) = json::value(value.get(), Way::ToFlask) {
            self.put(&json::key(key), value.into());
        }
        Ok(())
    }

    /// All keys, sorted. One that holds half of a surrogate pair, which Rust's strings cannot, is left out.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        let Self(members) = self;
        members.iter().filter_map(|(key, _)| json::unescaped(key))
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// By the text of a key between its quotes, and in Flask's form.
impl FlaskData {
    /// Of Flask's JSON. `None` if it is no dictionary.
    pub(super) fn from_json(json: &str) -> Option<Self> {
        let members = json::members(json, Way::Unchanged)?;
        match &*members {
            [(tag, inner)] if json::is_tag(tag) => {
                let inner = json::members(inner, Way::Unchanged).filter(|_| **tag == *" di")?;
                match &*inner {
                    [(key, value)] => {
                        let key = json::escaped_tag(key)?;
                        Some(Self(vec![(key.into(), value.clone())]))
                    }
                    _ => None,
                }
            }
            _ => Some(Self(members)),
        }
    }

    pub(super) fn to_json(&self) -> String {
        let Self(members) = self;
        if let [(key, value)] = &**members
            && json::is_tag(key)
        {
            return format!(r#"{{" di":{{"{key}__":{value}}}}}"#);
        }
        let members = members
            .iter()
            .map(|(key, value)| format!(r#""{key}":{value}"#));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let Self(members) = self;
        let place = self.find(key).ok()?;
        Some(&members[place].1)
    }

    pub(super) fn put(&mut self, key: &str, value: Box<str>) {
        match self.find(key) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (key.into(), value)),
        }
    }

    /// Where the key is, or where it would have to be.
    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(other, _)| json::compare_keys(other, key))
    }
}

/// A raw value of a session.
pub(super) type Raw = Box<RawValue>;

impl fmt::Debug for FlaskData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlaskData({} keys)", self.0.len())
    }
}
