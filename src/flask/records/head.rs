use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    change::Data,
    error::Error,
    id::Handle,
    record::{Body, Record, Version},
    time::Timestamp,
};

/// The key under which a record of Flask-Session's has what a session is beside its values. Flask reads and writes it
/// back as it does all else.
pub(super) const HEAD: &str = "_wiz";

/// All of a session that Flask has no place for.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    /// A record without values.
    record: Box<RawValue>,
    version: u64,
    expires_at: u64,
    /// When the engine was told to end it: where it says otherwise, Flask has written since.
    pub(super) end: u64,
    /// Of all else in the map.
    digest: Box<str>,
    /// Who was logged in by Flask's keys.
    pub(super) seen: Option<String>,
    /// The text of values that Flask's format has no exact form for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) exact: BTreeMap<Box<str>, Box<RawValue>>,
    /// Values under keys that mean something to Flask or to this.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) own: BTreeMap<Box<str>, Box<RawValue>>,
    /// The id that it has moved from, for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) former: Option<Former>,
    /// Of a tombstone: where its session has gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moved: Option<Moved>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Moved {
    pub(super) to: Handle,
    /// Whose it was then.
    pub(super) user: Option<Box<str>>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Former {
    /// A digest of Flask's id.
    pub(super) id: Box<str>,
    pub(super) at: u64,
}

impl Head {
    pub(super) fn new(record: &Record, version: Version, end: Timestamp) -> Self {
        let body = Body {
            data: Data::default(),
            ..record.body().clone()
        };
        let json = Record::new(version, record.expires(), body).to_json();
        Self {
            record: RawValue::from_string(json).expect("a record has a JSON form"),
            version: version.get(),
            expires_at: record.expires().as_millis(),
            end: end.as_millis(),
            digest: Box::default(),
            seen: None,
            exact: BTreeMap::new(),
            own: BTreeMap::new(),
            former: None,
            moved: None,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|_| Error::corrupt("its entry `_wiz` is damaged"))
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers have a JSON form")
    }

    pub(super) fn record(&self) -> Result<Record, Error> {
        let end = Timestamp::from_millis(self.expires_at).into();
        Record::from_json(self.record.get(), Version::new(self.version), end)
    }

    pub(super) fn seal(&mut self, digest: &[u8; 32]) {
        self.digest = short(digest);
    }

    /// Whether all else is as it was when the head was written.
    pub(super) fn is_of(&self, digest: &[u8; 32]) -> bool {
        self.digest == short(digest)
    }
}

fn short(digest: &[u8; 32]) -> Box<str> {
    BASE64.encode(&digest[..16]).into()
}

/// The version of what Flask has written on top of this one. Each of its writes has one of its own: 40 bits of the digest,
/// so that millions of them fit.
pub(super) fn version_of_flask(before: u64, digest: &[u8; 32]) -> Version {
    let part = digest[..5]
        .iter()
        .fold(0, |part, byte| part << 8 | u64::from(*byte));
    let above = before.saturating_add(1).saturating_add(part);
    let least = if above < LATEST { before } else { 0 };
    Version::new(least + 1 + part)
}

/// Leaves room for the versions that follow.
const LATEST: u64 = (i64::MAX as u64) - (1 << 41);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flask_writes_is_another_version() {
        let digests = [[0; 32], [1; 32], [255; 32]];
        for before in [0, 1, 7, 1 << 40, LATEST - 1, i64::MAX as u64 - 2] {
            let versions = digests.map(|digest| version_of_flask(before, &digest));
            assert!(versions.iter().all(|version| version.get() != before));
            assert!(versions[0] != versions[1] && versions[1] != versions[2]);
            let next = versions.map(Version::next);
            assert!(
                next.iter()
                    .all(|version| version.get() < i64::MAX as u64 - 1)
            );
        }
    }
}
