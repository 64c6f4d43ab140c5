//! A right store, as one lock around a map of rows.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use wiz_session::{
    Error, Handle, Record, Version,
    store::{Created, Replaced},
};

/// What is kept of a record, as a table would have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) version: u64,
    /// Milliseconds since 1970.
    pub(crate) end: u64,
    /// What the row is found by.
    pub(crate) user: Option<String>,
    pub(crate) is_tombstone: bool,
    pub(crate) json: String,
}

pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

impl Row {
    pub(crate) fn new(record: &Record, version: Version) -> Self {
        Self {
            version: version.get(),
            end: millis(record.expires_at()),
            user: record.user().map(str::to_owned),
            is_tombstone: record.is_tombstone(),
            json: record.to_json(),
        }
    }

    pub(crate) fn record(&self) -> Result<Record, Error> {
        let end = UNIX_EPOCH + Duration::from_millis(self.end);
        Record::from_json(&self.json, Version::new(self.version), end)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Rows(pub(crate) HashMap<Handle, Row>);

impl Rows {
    pub(crate) fn create(&mut self, handle: Handle, row: Row) -> Created {
        if self.0.contains_key(&handle) {
            return Created::Exists;
        }
        self.0.insert(handle, row);
        Created::Created
    }

    pub(crate) fn replace(&mut self, handle: Handle, expected: Version, row: Row) -> Replaced {
        match self.0.get_mut(&handle) {
            None => Replaced::Gone,
            Some(stored) if stored.version != expected.get() => Replaced::Conflict,
            Some(stored) => {
                *stored = row;
                Replaced::Stored(expected.next())
            }
        }
    }

    pub(crate) fn touch(&mut self, handle: Handle, end: u64) -> bool {
        let lives = self.0.get(&handle).is_some_and(|row| !row.is_tombstone);
        lives && self.touch_any(handle, end)
    }

    /// Also what has moved, which no right store does.
    pub(crate) fn touch_any(&mut self, handle: Handle, end: u64) -> bool {
        let Some(row) = self.0.get_mut(&handle) else {
            return false;
        };
        row.end = row.end.max(end);
        true
    }

    pub(crate) fn delete(&mut self, handle: Handle) -> bool {
        let lives = self.0.get(&handle).is_some_and(|row| !row.is_tombstone);
        lives && self.0.remove(&handle).is_some()
    }

    pub(crate) fn regenerate(
        &mut self,
        (old, expected, stone): (Handle, Version, Row),
        (new, moved): (Handle, Row),
    ) -> Replaced {
        if self.0.contains_key(&new) {
            return Replaced::Conflict;
        }
        let version = Version::new(moved.version);
        match self.replace(old, expected, stone) {
            Replaced::Stored(_) => {
                self.0.insert(new, moved);
                Replaced::Stored(version)
            }
            lost => lost,
        }
    }

    pub(crate) fn expired(&self, is_expired: impl Fn(&Row) -> bool, limit: usize) -> Vec<Handle> {
        let expired = self.0.iter().filter(|(_, row)| is_expired(row));
        expired.map(|(handle, _)| *handle).take(limit).collect()
    }

    pub(crate) fn of_user(&self, user: &str) -> Vec<Handle> {
        let of_user = self
            .0
            .iter()
            .filter(|(_, row)| row.user.as_deref() == Some(user));
        of_user.map(|(handle, _)| *handle).collect()
    }

    /// Answers how many were there.
    pub(crate) fn remove(&mut self, handles: &[Handle]) -> u64 {
        let removed = handles
            .iter()
            .filter(|handle| self.0.remove(handle).is_some());
        removed.count() as u64
    }
}
