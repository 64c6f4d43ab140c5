//! The contract as a program: a map, and what each call does to it. It tells what may come of calls that meet.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    samples::{Kept, kept},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
};

/// A call to a store.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Create(Handle, Record),
    Load(Handle),
    Replace(Handle, Version, Record),
    Touch(Handle, SystemTime),
    Delete(Handle),
    /// From, expected, tombstone, to, record.
    Regenerate(Handle, Version, Record, Handle, Record),
    DeleteExpired(SystemTime),
    List(String),
    DeleteUser(String, Option<Handle>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Created(Created),
    Loaded(Option<Kept>),
    Replaced(Replaced),
    Done(bool),
    Deleted(u64),
    Listed(BTreeMap<Handle, Kept>),
}

impl Call {
    pub(super) async fn ask<S: SessionStore>(&self, store: &Subject<S>) -> Answer {
        match self {
            Self::Create(handle, record) => Answer::Created(store.create(*handle, record).await),
            Self::Load(handle) => Answer::Loaded(store.load(*handle).await.as_ref().map(kept)),
            Self::Replace(handle, expected, record) => {
                Answer::Replaced(store.replace(*handle, *expected, record).await)
            }
            Self::Touch(handle, end) => Answer::Done(store.touch(*handle, *end).await),
            Self::Delete(handle) => Answer::Done(store.delete(*handle).await),
            Self::Regenerate(old, expected, stone, new, record) => {
                Answer::Replaced(store.regenerate(*old, *expected, stone, *new, record).await)
            }
            Self::DeleteExpired(at) => Answer::Deleted(store.delete_expired(*at, 1_000).await),
            Self::List(user) => Answer::Listed(listed(store.list(user).await)),
            Self::DeleteUser(user, except) => {
                Answer::Deleted(store.delete_user(user, *except).await)
            }
        }
    }
}

pub(super) fn listed(records: Vec<(Handle, Record)>) -> BTreeMap<Handle, Kept> {
    let records = records.into_iter();
    records
        .map(|(handle, record)| (handle, kept(&record)))
        .collect()
}

#[derive(Debug, Clone, Default)]
pub(super) struct Model(BTreeMap<Handle, Record>);

impl Model {
    pub(super) fn ask(&mut self, call: &Call) -> Answer {
        match call {
            Call::Create(handle, record) => Answer::Created(self.create(*handle, record)),
            Call::Load(handle) => Answer::Loaded(self.0.get(handle).map(kept)),
            Call::Replace(handle, expected, record) => {
                Answer::Replaced(self.replace(*handle, *expected, record))
            }
            Call::Touch(handle, end) => Answer::Done(self.touch(*handle, *end)),
            Call::Delete(handle) => {
                let lives = self.0.get(handle).is_some_and(|r| !r.is_tombstone());
                Answer::Done(lives && self.0.remove(handle).is_some())
            }
            Call::Regenerate(old, expected, stone, new, record) => {
                Answer::Replaced(self.regenerate(*old, *expected, stone, *new, record))
            }
            Call::DeleteExpired(at) => self.retain(|_, record| record.expires_at() > *at),
            Call::List(user) => {
                let of_user = self.0.iter().filter(|(_, r)| r.user() == Some(user));
                Answer::Listed(of_user.map(|(h, r)| (*h, kept(r))).collect())
            }
            Call::DeleteUser(user, except) => {
                self.retain(|handle, r| r.user() != Some(user) || Some(*handle) == *except)
            }
        }
    }

    fn create(&mut self, handle: Handle, record: &Record) -> Created {
        if self.0.contains_key(&handle) {
            return Created::Exists;
        }
        self.0.insert(handle, record.clone());
        Created::Created
    }

    fn replace(&mut self, handle: Handle, expected: Version, record: &Record) -> Replaced {
        match self.0.get_mut(&handle) {
            None => Replaced::Gone,
            Some(stored) if stored.version() != expected => Replaced::Conflict,
            Some(stored) => {
                *stored = record.clone().with_version(expected.next());
                Replaced::Stored(expected.next())
            }
        }
    }

    fn touch(&mut self, handle: Handle, end: SystemTime) -> bool {
        let session = self.0.get_mut(&handle);
        let Some(stored) = session.filter(|stored| !stored.is_tombstone()) else {
            return false;
        };
        stored.touch(end.into());
        true
    }

    fn regenerate(
        &mut self,
        old: Handle,
        expected: Version,
        stone: &Record,
        new: Handle,
        record: &Record,
    ) -> Replaced {
        if self.0.contains_key(&new) {
            return Replaced::Conflict;
        }
        match self.replace(old, expected, stone) {
            Replaced::Stored(_) => {
                self.0.insert(new, record.clone());
                Replaced::Stored(record.version())
            }
            lost => lost,
        }
    }

    fn retain(&mut self, mut stays: impl FnMut(&Handle, &Record) -> bool) -> Answer {
        let before = self.0.len();
        self.0.retain(|handle, record| stays(handle, record));
        Answer::Deleted((before - self.0.len()) as u64)
    }
}
