//! The form of a sealed record: times, commit ids and whether it is a tombstone stay readable, as the store and the
//! commit go by them. In the place of the data is the whole record, encrypted:
//!
//! ```json
//! {"sealed":"<id of the key>.<nonce and ciphertext, base64url>"}
//! ```

use super::key::StoreKey;
use crate::{
    change::Data,
    error::Error,
    id::Handle,
    record::{Body, Record},
};

const SEALED: &str = "sealed";

/// The record as the store gets it.
pub(super) fn seal(record: &Record, handle: Handle, key: &StoreKey) -> Record {
    if has_no_secret(record) {
        return record.clone();
    }
    let sealed = format!("{}.{}", key.id, key.encrypt(handle, &record.to_json()));
    let data = serde_json::json!({ SEALED: sealed }).to_string();
    let body = Body {
        user: record.user().map(|user| key.hash_of(user).into()),
        details: None,
        data: Data::from_json(&data).expect("an object"),
        ..record.body().clone()
    };
    Record::new(record.version(), record.expires_at().into(), body)
}

/// The opposite of [`seal`].
///
/// # Errors
/// [`Error::is_store`] if it was not sealed, by no key of these, for another handle, or was altered.
pub(super) fn open<'a>(
    record: Record,
    handle: Handle,
    keys: impl IntoIterator<Item = &'a StoreKey>,
    is_plain_accepted: bool,
) -> Result<Record, Error> {
    let sealed: Option<String> = record
        .data()
        .get(SEALED)
        .filter(|_| record.data().len() == 1)
        .and_then(|raw| serde_json::from_slice(raw).ok());
    let Some(sealed) = sealed else {
        return match has_no_secret(&record) || is_plain_accepted {
            true => Ok(record),
            false => Err(Error::corrupt(
                "it is not encrypted, as it is from before `EncryptedStore` (`accept_unencrypted` reads it) or something \
                 else wrote it",
            )),
        };
    };
    let (id, sealed) = sealed.split_once('.').unwrap_or_default();
    let key = keys.into_iter().find(|key| key.id == id).ok_or_else(|| {
        Error::corrupt(
            "it is encrypted with a key that this `EncryptedStore` does not have: give it to `previous_keys`, or to \
             `next_key` during a change of keys",
        )
    })?;
    let json = key.decrypt(handle, sealed).ok_or_else(|| {
        Error::corrupt("its ciphertext was altered, or belongs to another session")
    })?;
    Record::from_json(&json, record.version(), record.expires_at())
}

/// What a session leaves under an old id has neither data nor a user.
fn has_no_secret(record: &Record) -> bool {
    record.is_tombstone() && record.user().is_none() && record.data().len() == 0
}
