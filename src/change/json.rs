//! Between typed values and raw JSON.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    data::Data,
    op::{Op, Update},
};
use crate::error::Error;

pub(crate) fn put_op(key: &str, value: &impl Serialize) -> Result<Op, Error> {
    encode(key, value).map(Op::Put)
}

/// The members of an object as raw JSON, with every digit kept.
pub(crate) fn members<T: Serialize>(values: &T) -> Result<Data, Error> {
    let json = serde_json::to_string(values).map_err(|_| Error::not_an_object::<T>())?;
    Data::from_json(&json).map_err(|_| Error::not_an_object::<T>())
}

/// The raw value after `change`, and that value as `T`. A missing key starts as the default.
///
/// What was written has to read as `T` again: a NaN, which JSON writes as `null`, would make the key unreadable.
pub(crate) fn updated<T>(
    key: &str,
    raw: Option<&[u8]>,
    change: impl FnOnce(&mut T),
) -> Result<(Vec<u8>, T), Error>
where
    T: Default + Serialize + DeserializeOwned,
{
    let mut value = raw.map_or_else(|| Ok(T::default()), |raw| decode(key, raw))?;
    change(&mut value);
    let raw = encode(key, &value)?;
    match serde_json::from_slice::<T>(&raw) {
        Ok(_) => Ok((raw, value)),
        Err(error) => Err(Error::not_readable_again::<T>(key, error)),
    }
}

/// An update as an operation that replays.
pub(crate) fn update_op<T>(
    key: &str,
    value: Vec<u8>,
    change: impl Fn(&mut T) + Send + Sync + 'static,
) -> Op
where
    T: Default + Serialize + DeserializeOwned,
{
    let key = key.to_owned();
    let step = move |raw: Option<&[u8]>| Ok(Some(updated(&key, raw, &change)?.0));
    Op::Update {
        steps: vec![Update::new(step)],
        value: Some(value),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(key: &str, raw: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(raw).map_err(|error| Error::decode::<T>(key, raw, &error))
}

fn encode(key: &str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::encode(key, error))
}

/// What `Value` cannot hold (more than 128 levels, a number beyond `f64`) is given as its JSON text.
pub(super) fn to_value(raw: &[u8]) -> Value {
    serde_json::from_slice(raw).unwrap_or_else(|_| String::from_utf8_lossy(raw).into())
}
