//! A record and Flask-Session's map of it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{
    super::{
        data::FlaskData,
        json::{self, Way},
        settings::PERMANENT,
        user::FlaskUser,
    },
    head::{Former, HEAD, Head, Moved, version_of_flask},
    map::Map,
    serialization::FlaskSerialization,
    value,
};
use crate::{
    change::Data,
    error::Error,
    expiry::{Expiry, GRACE},
    record::{Body, CommitIds, Record, Version},
    store::Blob,
    time::Timestamp,
};

pub(super) struct Codec {
    pub(super) serialization: FlaskSerialization,
    pub(super) user: FlaskUser,
    /// `PERMANENT_SESSION_LIFETIME`.
    pub(super) lifetime: Duration,
    /// `SESSION_PERMANENT`.
    pub(super) permanent: bool,
}

/// What was read, and what it says.
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) map: Map,
    pub(super) record: Record,
    pub(super) former: Option<Former>,
    pub(super) moved: Option<Moved>,
}

/// What a look at many records tells of one.
pub(super) struct Glance {
    pub(super) user: Option<String>,
    pub(super) moved: Option<Moved>,
}

/// What a record is written on.
#[derive(Clone, Copy, Default)]
pub(super) struct Base<'a> {
    /// What nobody changed stays as it is here.
    pub(super) map: Option<&'a Map>,
    pub(super) former: Option<&'a Former>,
    /// Of a tombstone.
    pub(super) moved: Option<&'a Moved>,
}

/// How far the end of an engine may be from what it was told.
const ROUNDING: u64 = 2_000;

impl Codec {
    /// When the engine may end a record: as late as Flask would have it, and later than it expires here.
    pub(super) fn end(&self, record: &Record, now: Timestamp) -> Timestamp {
        let kept = record.expires().max(now).saturating_add(GRACE);
        match record.is_tombstone() {
            true => kept,
            false => kept.max(now.saturating_add(self.lifetime)),
        }
    }

    pub(super) fn read(&self, blob: Blob, now: Timestamp, expiry: &Expiry) -> Result<Read, Error> {
        let map = Map::parse(&blob.bytes)?;
        let digest = map.digest_without(HEAD);
        let head = head(&map)?;
        let user = self.user.find(&self.users_values(&map));
        let record = match &head {
            Some(head) => {
                let stored = head.record()?;
                let is_changed = !head.is_of(&digest);
                let written_at = self.written_at(head, blob.end, is_changed, now);
                match written_at {
                    _ if stored.is_tombstone() && is_changed && stored.expires() <= now => None,
                    _ if stored.is_tombstone() => {
                        let data = self.data(&Map::new(map.format), Some(head));
                        Some(with_data(&stored, stored.version(), data))
                    }
                    None => Some(with_data(
                        &stored,
                        stored.version(),
                        self.data(&map, Some(head)),
                    )),
                    Some(at) => {
                        let version = match is_changed {
                            true => version_of_flask(stored.version().get(), &digest),
                            false => stored.version(),
                        };
                        let read = with_data(&stored, version, self.data(&map, Some(head)));
                        let read = match user == head.seen {
                            true => read,
                            false => of_user(&read, user.clone(), at, expiry),
                        };
                        Some(used(read, at, blob.end, expiry))
                    }
                }
            }
            None => None,
        };
        let record = record.unwrap_or_else(|| {
            let data = self.data(&map, None);
            used(
                begun(version_of_flask(0, &digest), user, data, now, expiry),
                now,
                blob.end,
                expiry,
            )
        });
        Ok(Read {
            bytes: blob.bytes,
            map,
            record,
            former: head.as_ref().and_then(|head| head.former.clone()),
            moved: head.and_then(|head| head.moved),
        })
    }

    /// Whose record it may be, without reading it all: for a look at many.
    pub(super) fn glance(&self, blob: &Blob) -> Result<Glance, Error> {
        let map = Map::parse(&blob.bytes)?;
        let user = self.user.find(&self.users_values(&map));
        let Some(head) = head(&map)? else {
            return Ok(Glance { user, moved: None });
        };
        let stored = head.record()?;
        let moved = head.moved.filter(|_| stored.is_tombstone());
        let user = match user == head.seen {
            true => stored.user().map(str::to_owned),
            false => user,
        };
        Ok(Glance { user, moved })
    }

    /// When Flask last wrote the record, if that was after us.
    fn written_at(
        &self,
        head: &Head,
        end: Option<Timestamp>,
        is_changed: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        match end.filter(|end| end.as_millis().abs_diff(head.end) > ROUNDING) {
            Some(end) => Some(end.saturating_sub(self.lifetime).min(now)),
            None => is_changed.then_some(now),
        }
    }

    fn data(&self, map: &Map, head: Option<&Head>) -> Data {
        let own = head.map(|head| &head.own).into_iter().flatten();
        let own = own.map(|(key, text)| (&**key, text.get().to_owned()));
        let shared = map.iter().filter(|(key, _)| !self.is_reserved(key));
        let shared = shared.filter_map(|(key, written)| {
            let exact = head.and_then(|head| head.exact.get(key));
            let exact =
                exact.filter(|text| value::to_flask(map.format, key, text.get()) == written);
            match exact {
                Some(text) => Some((key, text.get().to_owned())),
                None => Some((key, value::to_session(map.format, key, written)?)),
            }
        });
        let values: BTreeMap<&str, String> = shared.chain(own).collect();
        let puts = values
            .iter()
            .map(|(key, text)| (*key, Some(text.as_bytes())));
        let bytes = values.iter().map(|(key, text)| key.len() + text.len());
        Data::default().with_edits(puts, values.len(), bytes.sum())
    }

    /// The bytes of a record with this version.
    pub(super) fn write(
        &self,
        record: &Record,
        version: Version,
        end: Timestamp,
        base: Base<'_>,
    ) -> Vec<u8> {
        let mut head = Head::new(record, version, end);
        let mut map = match base.map {
            Some(map) => map.clone(),
            None => self.begin(),
        };
        if record.is_tombstone() {
            // Flask sees a session with nothing in it. An entry that is no session's has values all the same.
            map.clear();
            head.moved = base.moved.cloned();
            let values = record.data().iter();
            head.own = values.map(|(key, text)| (key.into(), raw(text))).collect();
        } else {
            head.former = base.former.cloned();
            self.write_values(record.data(), &mut map, &mut head);
            self.write_user(record.user(), &mut map);
            head.seen = self.user.find(&self.users_values(&map));
        }
        head.seal(&map.digest_without(HEAD));
        map.put(HEAD, value::text(map.format, &head.to_text()));
        map.to_bytes()
    }

    fn begin(&self) -> Map {
        let mut map = Map::new(self.serialization);
        if self.permanent {
            map.put(PERMANENT, value::to_flask(map.format, PERMANENT, "true"));
        }
        map
    }

    fn write_values(&self, data: &Data, map: &mut Map, head: &mut Head) {
        map.retain(|key| {
            key == PERMANENT || self.is_users(key) || key != HEAD && data.get(key).is_some()
        });
        for (key, value) in data.iter() {
            if self.is_reserved(key) {
                head.own.insert(key.into(), raw(value));
                continue;
            }
            let text = str::from_utf8(value).expect("values are JSON");
            let reads_as = |written: &[u8]| super::value::to_session(map.format, key, written);
            if map.get(key).and_then(reads_as).as_deref() == Some(text) {
                continue;
            }
            let written = super::value::to_flask(map.format, key, text);
            if reads_as(&written).as_deref() != Some(text) {
                head.exact.insert(key.into(), raw(value));
            }
            map.put(key, written);
        }
    }

    /// Flask's keys for the user are written from the record's user and by nothing else.
    fn write_user(&self, user: Option<&str>, map: &mut Map) {
        let before = self.users_values(map);
        if self.user.find(&before).as_deref() == user {
            return;
        }
        map.retain(|key| !self.is_users(key));
        let Some(user) = user else {
            return;
        };
        let mut written = FlaskData::default();
        self.user.write(user, &before, &mut written);
        for (key, text) in written.iter() {
            if let Some(key) = json::unescaped(key) {
                map.put(&key, value::to_flask(map.format, &key, text));
            }
        }
    }

    /// What says who is logged in.
    fn users_values(&self, map: &Map) -> FlaskData {
        let mut values = FlaskData::default();
        for (key, written) in map.iter().filter(|(key, _)| self.is_users(key)) {
            let text = value::to_session(map.format, key, written);
            if let Some(text) = text.and_then(|text| json::value(&text, Way::Unchanged)) {
                values.put(&json::key(key), text.into());
            }
        }
        values
    }

    fn is_users(&self, key: &str) -> bool {
        self.user.has_key(&json::key(key))
    }

    /// Whether a key means something to Flask or to this, so that a session's value of that name is not shared.
    fn is_reserved(&self, key: &str) -> bool {
        key == HEAD || key == PERMANENT || self.is_users(key)
    }
}

fn head(map: &Map) -> Result<Option<Head>, Error> {
    let head = map.get(HEAD).map(|head| {
        let text = value::read_text(map.format, head);
        Head::parse(&text.unwrap_or_default())
    });
    head.transpose()
}

impl Former {
    pub(super) fn new(id: &str, now: Timestamp) -> Self {
        Self {
            id: digest(id),
            at: now.as_millis(),
        }
    }

    /// Whether a request that still brings this id was overtaken.
    pub(super) fn is(&self, id: &str, now: Timestamp) -> bool {
        now.as_millis().saturating_sub(self.at) <= MAX_DELAY && self.id == digest(id)
    }
}

/// For how long, in milliseconds, a response of before a login may arrive after it.
const MAX_DELAY: u64 = 60_000;

fn digest(id: &str) -> Box<str> {
    let digest = Sha256::digest(id);
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .into()
}

fn raw(value: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8(value.to_vec()).expect("values are JSON");
    RawValue::from_string(text).expect("values are JSON")
}

fn with_data(record: &Record, version: Version, data: Data) -> Record {
    let body = Body {
        data,
        ..record.body().clone()
    };
    Record::new(version, record.expires(), body)
}

/// A session that Flask alone knows. It begins here when it is first seen.
fn begun(
    version: Version,
    user: Option<String>,
    data: Data,
    now: Timestamp,
    expiry: &Expiry,
) -> Record {
    let deadline = expiry.deadline(now, None);
    let body = Body {
        created_at: now,
        authenticated_at: user.as_ref().map(|_| now),
        deadline,
        remember: None,
        user: user.map(Into::into),
        tombstone: false,
        details: None,
        commits: CommitIds::default(),
        data,
    };
    Record::new(version, expiry.expires_at(now, None, deadline), body)
}

/// Flask has logged this user in, or has logged the user out. What the session had been given for the login before is
/// gone with it.
fn of_user(record: &Record, user: Option<String>, at: Timestamp, expiry: &Expiry) -> Record {
    let body = Body {
        authenticated_at: user.as_ref().map(|_| at),
        deadline: expiry.deadline(at, None),
        remember: None,
        user: user.map(Into::into),
        details: None,
        ..record.body().clone()
    };
    Record::new(record.version(), record.expires(), body)
}

/// Flask has used the session at this time.
fn used(mut record: Record, at: Timestamp, end: Option<Timestamp>, expiry: &Expiry) -> Record {
    let body = record.body();
    record.touch(expiry.expires_at(at, body.remember, body.deadline));
    match end {
        Some(end) if end < record.expires() => record.with_expires_at(end.into()),
        _ => record,
    }
}
