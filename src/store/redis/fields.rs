use std::time::{Duration, SystemTime};

use redis::Value;

use super::unexpected;
use crate::{
    error::Error,
    id,
    record::{Record, Version},
    time::Timestamp,
};

/// How much longer than its session a key lives: Redis's clock decides that, and clocks get set.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// For how many milliseconds from now Redis has to keep what ends then.
///
/// A span, not a time: what Redis's clock shows may be hours off, without ending a session early. It is measured
/// from the system's clock, which the layer's agrees with but in tests.
pub(super) fn left_until(end: Timestamp) -> u64 {
    let left = end.since(Timestamp::from(SystemTime::now()));
    u64::try_from((left + SLACK).as_millis()).unwrap_or(u64::MAX)
}

/// One call that writes. Whoever runs it again can tell that it was run before.
pub(super) fn token() -> [u8; 8] {
    let [token @ .., _, _, _, _, _, _, _, _] = id::random();
    token
}

/// A record as scripts take it.
pub(super) struct Fields {
    version: String,
    expires_at: String,
    left: String,
    kind: &'static str,
    user: String,
    listed_until: String,
    data: String,
}

impl Fields {
    pub(super) fn of(record: &Record, version: Version) -> Self {
        let kind = match record.user() {
            _ if record.is_tombstone() => "tombstone",
            Some(_) => "user",
            None => "anonymous",
        };
        Self {
            version: version.get().to_string(),
            expires_at: record.expires().as_millis().to_string(),
            left: left_until(record.expires()).to_string(),
            kind,
            user: record.user().unwrap_or_default().to_owned(),
            listed_until: listed_until(record).as_millis().to_string(),
            data: record.to_json(),
        }
    }

    pub(super) fn arguments(&self) -> [&[u8]; 7] {
        [
            self.version.as_bytes(),
            self.expires_at.as_bytes(),
            self.left.as_bytes(),
            self.kind.as_bytes(),
            self.user.as_bytes(),
            self.listed_until.as_bytes(),
            self.data.as_bytes(),
        ]
    }
}

/// Until when a session has to be found by its user: no touch takes it past its deadline.
pub(super) fn listed_until(record: &Record) -> Timestamp {
    record.body().deadline.max(record.expires())
}

/// What to ask for to [read](record) a record.
pub(super) const OF_A_RECORD: [&str; 3] = ["version", "expires_at", "data"];

pub(super) fn record(answer: Value) -> Result<Option<Record>, Error> {
    let Value::Array(fields) = answer else {
        return Err(unexpected());
    };
    match <[Value; 3]>::try_from(fields) {
        Ok([Value::Nil, Value::Nil, Value::Nil]) => Ok(None),
        Ok([version, expires_at, Value::BulkString(data)]) => {
            let version = number(&version).ok_or_else(damaged)?;
            let expires_at = number(&expires_at).ok_or_else(damaged)?;
            let json = str::from_utf8(&data).map_err(|_| damaged())?;
            let expires_at = Timestamp::from_millis(expires_at).into();
            Record::from_json(json, Version::new(version), expires_at).map(Some)
        }
        _ => Err(damaged()),
    }
}

/// What a sweep has to know of a record.
pub(super) struct Life {
    pub(super) expires_at: Timestamp,
    pub(super) is_tombstone: bool,
}

/// What to ask for to read a [life].
pub(super) const OF_A_LIFE: [&str; 2] = ["expires_at", "kind"];

pub(super) fn life(answer: &Value) -> Option<Life> {
    let Value::Array(fields) = answer else {
        return None;
    };
    let [expires_at, Value::BulkString(kind)] = &fields[..] else {
        return None;
    };
    Some(Life {
        expires_at: Timestamp::from_millis(number(expires_at)?),
        is_tombstone: kind == b"tombstone",
    })
}

fn number(field: &Value) -> Option<u64> {
    let Value::BulkString(digits) = field else {
        return None;
    };
    str::from_utf8(digits).ok()?.parse().ok()
}

fn damaged() -> Error {
    Error::corrupt("its fields are damaged")
}
