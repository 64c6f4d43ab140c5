use std::collections::BTreeMap;

use super::{
    call::{Call, Kept, Reply},
    fault::Fault,
    times::CACHE_FOR,
};
use crate::{
    id::Handle,
    record::Version,
    store::{Created, Replaced},
};

/// The near cache of one process, as `cache` promises it to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Cache {
    /// What it keeps, and since when.
    entries: BTreeMap<Handle, (Kept, u64)>,
    /// What only a cache with a fault keeps: that there is no such session.
    gone: Vec<Handle>,
}

/// What the feed says of a session. It may come late or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum News {
    Changed(Version),
    Ended,
}

impl Cache {
    pub(super) fn get(&self, handle: Handle) -> Option<&(Kept, u64)> {
        self.entries.get(&handle)
    }

    pub(super) fn keep(&mut self, handle: Handle, kept: &Kept, now: u64) {
        let known = self.entries.get(&handle);
        let is_older =
            known.is_some_and(|(known, _)| known.record.version() > kept.record.version());
        if !is_older {
            self.entries.insert(handle, (kept.clone(), now));
        }
    }

    /// An answer without asking the store.
    pub(super) fn answer(&self, call: &Call) -> Option<Reply> {
        match call {
            Call::Load(handle) => self.gone.contains(handle).then_some(Reply::Loaded(None)),
            _ => None,
        }
    }

    /// A call of this process was answered, or its future was dropped.
    pub(super) fn note(&mut self, call: &Call, reply: &Reply, now: u64, fault: Option<Fault>) {
        match (call, reply) {
            (Call::Load(_), Reply::Fails) => {}
            (Call::Load(handle), Reply::Loaded(Some(kept))) if kept.is_session() => {
                self.keep(*handle, kept, now);
            }
            (Call::Load(handle), _) => {
                self.entries.remove(handle);
                if fault == Some(Fault::CacheKeepsGone) {
                    self.gone.push(*handle);
                }
            }
            (Call::Create(handle, record), Reply::Created(Created::Created)) => {
                self.keep(*handle, &Kept::new(record.clone()), now);
            }
            (Call::Replace(handle, _, record), Reply::Replaced(Replaced::Stored(version))) => {
                let record = record.clone().with_version(*version);
                self.keep(*handle, &Kept::new(record), now);
            }
            (
                Call::Regenerate {
                    old, new, record, ..
                },
                Reply::Replaced(Replaced::Stored(version)),
            ) => {
                self.entries.remove(old);
                let record = record.clone().with_version(*version);
                self.keep(*new, &Kept::new(record), now);
            }
            (Call::Touch(handle, until), Reply::Touched(true)) => {
                if let Some((kept, _)) = self.entries.get_mut(handle) {
                    let mut record = kept.record.clone();
                    record.touch(*until);
                    *kept = Kept::new(record);
                }
            }
            (Call::Regenerate { old, new, .. }, _) => {
                self.entries.remove(old);
                self.entries.remove(new);
            }
            (
                Call::Create(handle, _)
                | Call::Replace(handle, ..)
                | Call::Touch(handle, _)
                | Call::Delete(handle),
                _,
            ) => {
                self.entries.remove(handle);
            }
        }
    }

    /// Whether news of this session are of interest.
    pub(super) fn has(&self, handle: Handle) -> bool {
        self.entries.contains_key(&handle)
    }

    pub(super) fn hear(&mut self, handle: Handle, news: News) {
        let is_outdated = |kept: &Kept| match news {
            News::Ended => true,
            News::Changed(version) => kept.record.version() < version,
        };
        if self
            .entries
            .get(&handle)
            .is_some_and(|(kept, _)| is_outdated(kept))
        {
            self.entries.remove(&handle);
        }
    }

    /// Drops what is too old.
    pub(super) fn tidy(&mut self, now: u64) {
        self.entries
            .retain(|_, (_, since)| now - *since < CACHE_FOR);
    }
}
