//! A record as JSON: what databases keep, and what later versions of this crate have to read.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Alias, Body, CommitIds, Details, Device, Record, Stamp, Version};
use crate::{change::Data, error::Error, time::Timestamp};

impl Record {
    /// All but the version and the time it expires, as a JSON object that a person can read.
    #[must_use]
    pub fn to_json(&self) -> String {
        let details = self.body.details.as_deref().cloned().unwrap_or_default();
        let stored = Stored {
            v: FORMAT,
            created_at: self.body.created_at.as_millis(),
            authenticated_at: self.body.authenticated_at.map(Timestamp::as_millis),
            deadline: self.body.deadline.as_millis(),
            remember: self
                .body
                .remember
                .map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            user: self.body.user.clone(),
            tombstone: self.body.tombstone,
            label: details.label,
            stamp: details.stamp,
            aliases: details.aliases,
            device: details.device.map(Arc::unwrap_or_clone),
            commits: self.body.commits.clone(),
            data: RawValue::NULL,
        };
        let mut json =
            serde_json::to_string(&stored).expect("numbers and strings have a JSON form");
        // The data is JSON already: it is put in as it is, not parsed and written again.
        json.truncate(json.len() - 1);
        json.push_str(",\"data\":");
        json.push_str(&self.body.data.to_json());
        json.push('}');
        json
    }

    /// Reads what [`to_json`](Self::to_json) wrote, of this version of the crate or an earlier one.
    ///
    /// # Errors
    /// [`Error::is_store`] if the text is damaged or of a format that this version does not know, or if the session's
    /// version is none that changes lead to.
    pub fn from_json(json: &str, version: Version, expires_at: SystemTime) -> Result<Self, Error> {
        let stored: Stored<'_> = serde_json::from_str(json).map_err(|_| unreadable(json))?;
        if stored.v != FORMAT {
            return Err(unreadable(json));
        }
        if version >= Version::LAST {
            return Err(Error::corrupt(
                "its version is no number that changes lead to",
            ));
        }
        let body = Body {
            created_at: Timestamp::from_millis(stored.created_at),
            authenticated_at: stored.authenticated_at.map(Timestamp::from_millis),
            deadline: Timestamp::from_millis(stored.deadline),
            remember: stored.remember.map(Duration::from_millis),
            user: stored.user,
            tombstone: stored.tombstone,
            details: Details {
                label: stored.label,
                stamp: stored.stamp,
                aliases: stored.aliases,
                device: stored.device.map(Arc::new),
            }
            .shared(),
            commits: stored.commits,
            data: Data::from_json(stored.data.get())
                .map_err(|_| Error::corrupt("its data is damaged"))?,
        };
        Ok(Self::new(version, expires_at.into(), body))
    }
}

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    v: u32,
    created_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authenticated_at: Option<u64>,
    deadline: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remember: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tombstone: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<Stamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<Alias>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<Device>,
    #[serde(default, skip_serializing_if = "CommitIds::is_empty")]
    commits: CommitIds,
    #[serde(borrow, skip_serializing)]
    data: &'a RawValue,
}

/// Why a text is no record of the known format.
fn unreadable(json: &str) -> Error {
    #[derive(Deserialize)]
    struct Format {
        v: u32,
    }
    match serde_json::from_str(json) {
        Ok(Format { v }) if v != FORMAT => {
            Error::corrupt(format!("its format version {v} is unknown"))
        }
        _ => Error::corrupt("it is damaged"),
    }
}
