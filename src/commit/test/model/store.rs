use std::collections::BTreeMap;

use super::{
    call::{Call, Kept, Reply},
    fault::Fault,
    ledger::{Ledger, Rule},
    script::Tokens,
    times::ABSOLUTE,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced},
    time::Timestamp,
};

/// The store, which does as the contract says, unless it has a planted fault. What it does goes into the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) records: BTreeMap<Handle, Kept>,
    pub(super) ledger: Ledger,
}

impl Store {
    pub(super) fn call(&mut self, call: &Call, now: u64, fault: Option<Fault>) -> Reply {
        let reply = match call {
            Call::Load(handle) => return Reply::Loaded(self.records.get(handle).cloned()),
            Call::Create(handle, record) => Reply::Created(self.create(*handle, record)),
            Call::Replace(handle, expected, record) => {
                Reply::Replaced(self.replace(*handle, *expected, record, fault))
            }
            Call::Regenerate {
                old,
                expected,
                tombstone,
                new,
                record,
            } => {
                let asked = (*old, *expected, *new);
                Reply::Replaced(self.regenerate(asked, tombstone, record, now, fault))
            }
            Call::Touch(handle, until) => {
                let until = match fault {
                    Some(Fault::TouchPostponesTheAbsoluteEnd) => {
                        Timestamp::from_millis(until.as_millis() + ABSOLUTE)
                    }
                    _ => *until,
                };
                Reply::Touched(self.touch(*handle, until, fault))
            }
            Call::Delete(handle) => Reply::Deleted(self.delete(*handle, now)),
        };
        self.check();
        reply
    }

    fn create(&mut self, handle: Handle, record: &Record) -> Created {
        if self.records.contains_key(&handle) {
            return Created::Exists;
        }
        self.ledger.begins(handle, record, None);
        self.records.insert(handle, Kept::new(record.clone()));
        Created::Created
    }

    fn replace(
        &mut self,
        handle: Handle,
        expected: Version,
        record: &Record,
        fault: Option<Fault>,
    ) -> Replaced {
        let after = Kept::new(record.clone().with_version(expected.next()));
        match self.records.get(&handle) {
            None if fault != Some(Fault::ReplaceInserts) => return Replaced::Gone,
            None => {}
            Some(before) if before.record.version() != expected => {
                if fault != Some(Fault::NoVersionCheck) || !before.is_session() {
                    return Replaced::Conflict;
                }
                self.ledger.is_followed(before, &after);
            }
            Some(before) => self.ledger.is_followed(before, &after),
        }
        self.records.insert(handle, after);
        Replaced::Stored(expected.next())
    }

    fn regenerate(
        &mut self,
        (old, expected, new): (Handle, Version, Handle),
        tombstone: &Record,
        record: &Record,
        now: u64,
        fault: Option<Fault>,
    ) -> Replaced {
        let Some(before) = self.records.get(&old) else {
            return Replaced::Gone;
        };
        if before.record.version() != expected || self.records.contains_key(&new) {
            return Replaced::Conflict;
        }
        let after = Kept::new(record.clone());
        self.ledger.is_followed(before, &after);
        self.ledger.begins(new, record, Some((old, before)));
        self.ledger.ended(old, now, true);
        self.records.insert(new, after);
        if fault != Some(Fault::NoTombstone) {
            let tombstone = tombstone.clone().with_version(expected.next());
            self.records.insert(old, Kept::new(tombstone));
        }
        Replaced::Stored(record.version())
    }

    fn touch(&mut self, handle: Handle, until: Timestamp, fault: Option<Fault>) -> bool {
        let takes_any = fault == Some(Fault::TouchAnswersForATombstone);
        let session = self.records.get_mut(&handle);
        let Some(kept) = session.filter(|kept| takes_any || kept.is_session()) else {
            return false;
        };
        let mut record = kept.record.clone();
        record.touch(until);
        *kept = Kept::new(record);
        true
    }

    fn delete(&mut self, handle: Handle, now: u64) -> bool {
        if !self.records.get(&handle).is_some_and(Kept::is_session) {
            return false;
        }
        self.records.remove(&handle);
        self.ledger.ended(handle, now, false);
        true
    }

    /// Whether there is something to sweep.
    pub(super) fn has_expired(&self, now: u64) -> bool {
        self.records
            .values()
            .any(|kept| kept.record.expires().as_millis() <= now)
    }

    pub(super) fn sweep(&mut self, now: u64) {
        let Self { records, ledger } = self;
        records.retain(|handle, kept| {
            let is_over = kept.record.expires().as_millis() <= now;
            if is_over && kept.is_session() {
                ledger.ended(*handle, now, false);
            }
            !is_over
        });
    }

    /// What must be true of all that is stored.
    pub(super) fn check(&mut self) {
        let Self { records, ledger } = self;
        let (mut all, mut known) = (Tokens::default(), Tokens::default());
        for (handle, kept) in records.iter().filter(|(_, kept)| kept.is_session()) {
            ledger.check(Rule::Once, !kept.has_twice());
            all.extend(kept.tokens);
            if ledger.is_known(*handle) {
                ledger.check(Rule::Once, !known.has_some_of(kept.tokens));
                known.extend(kept.tokens);
            }
            ledger.check(Rule::EndedForGood, !ledger.is_ended(*handle));
            let end = ledger.end_of(*handle);
            let ends = kept.record.body().deadline.max(kept.record.expires());
            ledger.check(Rule::AbsoluteEnd, ends.as_millis() <= end);
        }
        ledger.stored.extend(all);
        ledger.check(Rule::RefusedIsNotStored, !ledger.refused.has_some_of(all));
    }
}
