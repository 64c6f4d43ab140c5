//! The store that has one fault, or none. Each method is right, but for the faults that it lists.

// Over 250 lines: a list of faults, a few lines each.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::task::yield_now;
use wiz_session::{
    Error, Handle, Record, SessionStore, Version,
    store::{Created, Cursor, Page, Replaced, Status},
};

use crate::{
    faults::Fault::{self, *},
    kept,
    rows::{Row, Rows, millis},
};

/// Clones share the rows.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    fault: Fault,
    rows: Arc<Mutex<Rows>>,
    /// Rows as they were first created.
    first: Arc<Mutex<HashMap<Handle, Row>>>,
    /// Sessions that a call is at work on, see [`Store::enter`].
    locked: Arc<Mutex<HashSet<Handle>>>,
}

impl Store {
    pub(crate) fn with(fault: Fault) -> Self {
        Self {
            fault,
            rows: Arc::default(),
            first: Arc::default(),
            locked: Arc::default(),
        }
    }

    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of a record.
    fn row(&self, record: &Record, version: Version) -> Row {
        kept::row(self.fault, Row::new(record, version))
    }

    fn get(&self, handle: Handle) -> Option<Row> {
        self.rows().0.get(&handle).cloned()
    }

    /// Does it now, or a little after it was answered.
    fn write(&self, answers_early: Fault, write: impl FnOnce(&mut Rows) + Send + 'static) {
        if self.fault != answers_early {
            return write(&mut self.rows());
        }
        let store = self.clone();
        drop(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(3)).await;
            write(&mut store.rows());
        }));
    }

    /// Takes a lock by hand, which a future that is dropped leaves locked.
    async fn enter(&self, handle: Handle) {
        let handle = match self.fault {
            LockIsLeft => Handle::from_bytes([0; 16]),
            LockOfOneIsLeft => handle,
            _ => return,
        };
        while !self.locked.lock().unwrap().insert(handle) {
            yield_now().await;
        }
        yield_now().await;
        self.locked.lock().unwrap().remove(&handle);
    }

    /// In between two steps. Another thread's turn, where it is no other task's.
    async fn between(&self, in_steps: Fault) {
        match self.fault == in_steps {
            true => yield_now().await,
            false => std::thread::yield_now(),
        }
    }
}

/// What a store that goes by a clock of its own takes for now.
fn own_now() -> u64 {
    millis(SystemTime::now())
}

impl SessionStore for Store {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let handle = kept::handle(self.fault, handle);
        self.enter(handle).await;
        let mut row = self.row(record, record.version());
        let there = self.get(handle);
        let first = self.first.lock().unwrap().contains_key(&handle);
        if !first {
            self.first.lock().unwrap().insert(handle, row.clone());
        }
        match self.fault {
            CreateReplacesExpired if there.as_ref().is_some_and(|row| row.end < own_now()) => {
                self.rows().0.remove(&handle);
            }
            CreateReplacesTombstone if there.as_ref().is_some_and(|row| row.is_tombstone) => {
                self.rows().0.remove(&handle);
            }
            CreateReplaces => drop(self.rows().0.remove(&handle)),
            CreateInSteps | CreateUnderTwoLocks if there.is_none() => {
                self.between(CreateInSteps).await;
                self.rows().0.insert(handle, row);
                return Ok(Created::Created);
            }
            CreateResetsVersion => row.version = 1,
            CreateIsNotListed => row.user = None,
            CreateAnswersEarly if there.is_none() => {
                self.write(CreateAnswersEarly, move |rows| {
                    rows.create(handle, row);
                });
                return Ok(Created::Created);
            }
            CreateFailsIfInUse if there.is_some() => return Err(Error::store("duplicate key")),
            CreateListsFirst if there.is_none() => {
                // An entry of the index without a session is an empty one.
                let empty = Row {
                    json: "{}".to_owned(),
                    ..row.clone()
                };
                self.rows().create(handle, empty);
                yield_now().await;
                self.rows().0.insert(handle, row);
                return Ok(Created::Created);
            }
            _ => {}
        }
        Ok(self.rows().create(handle, row))
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let handle = kept::handle(self.fault, handle);
        self.enter(handle).await;
        let Some(row) = self.get(handle) else {
            return Ok(None);
        };
        let is_hidden = match self.fault {
            LoadHidesExpired => row.end < own_now(),
            LoadForgetsEarly => row.end < own_now() + 100,
            NoGrace => row.end <= own_now() && self.rows().0.remove(&handle).is_some(),
            LoadHidesTombstones => row.is_tombstone,
            DamagedIsNone => row.record().is_err(),
            _ => false,
        };
        let record = row.record();
        if self.fault == DamagedIsRemoved && record.is_err() {
            self.rows().0.remove(&handle);
        }
        if is_hidden {
            Ok(None)
        } else {
            record.map(Some)
        }
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let handle = kept::handle(self.fault, handle);
        self.enter(handle).await;
        let (mut row, stored) = (
            self.row(record, expected.next()),
            Replaced::Stored(expected.next()),
        );
        let Some(there) = self.get(handle) else {
            if self.fault == ReplaceInserts {
                self.rows().0.insert(handle, row);
                return Ok(stored);
            }
            let is_conflict = self.fault == ReplaceGoneIsConflict;
            return Ok(if is_conflict {
                Replaced::Conflict
            } else {
                Replaced::Gone
            });
        };
        let (version, fits) = (expected.get(), there.version == expected.get());
        match self.fault {
            ReplaceIgnoresVersion => drop(self.rows().0.insert(handle, row)),
            ReplaceOfHigherVersion if there.version <= version => {
                self.rows().0.insert(handle, row);
            }
            ReplaceOfLowerVersion if there.version >= version => {
                self.rows().0.insert(handle, row);
            }
            ReplaceComparesByte if there.version as u8 == version as u8 => {
                self.rows().0.insert(handle, row);
            }
            ReplaceComparesWord if there.version as u32 == version as u32 => {
                self.rows().0.insert(handle, row);
            }
            ReplaceInSteps | ReplaceUnderTwoLocks if fits => {
                self.between(ReplaceInSteps).await;
                match self.rows().0.get_mut(&handle) {
                    None => return Ok(Replaced::Gone),
                    Some(stored) => *stored = row,
                }
            }
            ReplaceUpserts if fits => {
                yield_now().await;
                self.rows().0.insert(handle, row);
            }
            ReplaceInTwoWrites if fits => {
                let half = Row {
                    version,
                    ..row.clone()
                };
                self.rows().replace(handle, expected, half);
                yield_now().await;
                return Ok(self.rows().replace(handle, expected, row));
            }
            ReplaceDeletesAndInserts if fits => {
                self.rows().0.remove(&handle);
                yield_now().await;
                self.rows().create(handle, row);
            }
            ReplaceAnswersEarly if fits => self.write(ReplaceAnswersEarly, move |rows| {
                rows.replace(handle, expected, row);
            }),
            ReplaceCountsChanges if there.json == row.json && there.end == row.end => {
                return Ok(Replaced::Conflict);
            }
            ReplaceExpiredIsGone if there.end < own_now() => return Ok(Replaced::Gone),
            _ => {
                match self.fault {
                    ReplaceStoresItsVersion => row.version = record.version().get(),
                    ReplaceKeepsLaterEnd => row.end = row.end.max(there.end),
                    ReplaceKeepsEnd => row.end = there.end,
                    ReplaceIsListedAsBefore => row.user = there.user,
                    _ => {}
                }
                let answer = self.rows().replace(handle, expected, row);
                if self.fault == ReplaceAnswersItsVersion && answer == stored {
                    return Ok(Replaced::Stored(record.version()));
                }
                return Ok(answer);
            }
        }
        Ok(stored)
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let handle = kept::handle(self.fault, handle);
        self.enter(handle).await;
        let mut end = kept::end(self.fault, millis(expires_at));
        let Some(mut there) = self.get(handle) else {
            return Ok(self.fault == TouchIsAlwaysTrue);
        };
        match self.fault {
            TouchTakesTombstones => return Ok(self.rows().touch_any(handle, end)),
            TouchOfTombstoneIsTrue if there.is_tombstone => return Ok(true),
            TouchMovesTombstones if there.is_tombstone => {
                self.rows().touch_any(handle, end);
                return Ok(false);
            }
            _ if there.is_tombstone => return Ok(false),
            TouchLooksForTombstones => {
                yield_now().await;
                return Ok(self.rows().touch_any(handle, end));
            }
            TouchWritesBack | TouchWritesBackUnderTwoLocks => {
                there.end = there.end.max(end);
                self.between(TouchWritesBack).await;
                if let Some(stored) = self.rows().0.get_mut(&handle) {
                    *stored = there;
                }
                return Ok(true);
            }
            TouchUpserts => {
                there.end = there.end.max(end);
                yield_now().await;
                self.rows().0.insert(handle, there);
                return Ok(true);
            }
            TouchInSteps | TouchUnderTwoLocks => {
                end = end.max(there.end);
                self.between(TouchInSteps).await;
                if let Some(stored) = self.rows().0.get_mut(&handle) {
                    stored.end = end;
                }
                return Ok(true);
            }
            TouchShortens => {
                let mut rows = self.rows();
                rows.0.entry(handle).and_modify(|row| row.end = end);
                return Ok(true);
            }
            TouchRaisesVersion => {
                let mut rows = self.rows();
                rows.0.entry(handle).and_modify(|row| row.version += 1);
            }
            TouchCountsChanges if there.end >= end => return Ok(false),
            TouchAnswersEarly => {
                self.write(TouchAnswersEarly, move |rows| {
                    rows.touch(handle, end);
                });
                return Ok(true);
            }
            TouchExpiredIsGone if there.end < own_now() => return Ok(false),
            TouchInSeconds => end -= end % 1_000,
            TouchIsLazy if end < there.end + 360_000 => return Ok(true),
            _ => {}
        }
        Ok(self.rows().touch(handle, end))
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let handle = kept::handle(self.fault, handle);
        self.enter(handle).await;
        let there = self.get(handle);
        let lives = there.as_ref().is_some_and(|row| !row.is_tombstone);
        match self.fault {
            DeleteTakesTombstones => return Ok(self.rows().0.remove(&handle).is_some()),
            DeleteIsAlwaysTrue => {
                self.rows().delete(handle);
                return Ok(true);
            }
            DeleteInSteps | DeleteUnderTwoLocks if lives => {
                self.between(DeleteInSteps).await;
                self.rows().delete(handle);
                return Ok(true);
            }
            DeleteOnlyExpires if lives => {
                let now = own_now();
                self.rows().0.entry(handle).and_modify(|row| row.end = now);
                return Ok(true);
            }
            DeleteAnswersEarly if lives => {
                self.write(DeleteAnswersEarly, move |rows| {
                    rows.delete(handle);
                });
                return Ok(true);
            }
            DeleteExpiredIsFalse if there.is_some_and(|row| row.end < own_now()) => {
                self.rows().delete(handle);
                return Ok(false);
            }
            _ => {}
        }
        Ok(self.rows().delete(handle))
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let [old, new] = [old, new].map(|handle| kept::handle(self.fault, handle));
        self.enter(old).await;
        let mut stone = self.row(tombstone, expected.next());
        let mut moved = self.row(record, record.version());
        let stored = Replaced::Stored(record.version());
        let (there, taken) = (self.get(old), self.get(new).is_some());
        let version = there.as_ref().map(|row| row.version);
        let fits = version == Some(expected.get()) && !taken;
        match self.fault {
            RegenerateTombstoneFirst if fits => {
                self.rows().0.insert(old, stone);
                yield_now().await;
                self.rows().0.insert(new, moved);
            }
            RegenerateWithoutTombstone if fits => {
                let mut rows = self.rows();
                rows.0.remove(&old);
                rows.0.insert(new, moved);
            }
            RegenerateLeavesOld if fits => drop(self.rows().0.insert(new, moved)),
            RegenerateIgnoresVersion if there.is_some() && !taken => {
                let mut rows = self.rows();
                rows.0.insert(old, stone);
                rows.0.insert(new, moved);
            }
            RegenerateReplacesNew if version == Some(expected.get()) => {
                let mut rows = self.rows();
                rows.0.insert(old, stone);
                rows.0.insert(new, moved);
            }
            RegenerateInSteps | RegenerateUnderTwoLocks if fits => {
                self.between(RegenerateInSteps).await;
                let mut rows = self.rows();
                rows.0.insert(old, stone);
                rows.0.insert(new, moved);
            }
            RegenerateOfGoneInserts if there.is_none() => drop(self.rows().0.insert(new, moved)),
            RegenerateLeavesCopy if !taken => {
                self.rows().create(new, moved);
                return Ok(match self.rows().replace(old, expected, stone) {
                    Replaced::Stored(_) => stored,
                    lost => lost,
                });
            }
            RegenerateAnswersEarly if fits => {
                self.write(RegenerateAnswersEarly, move |rows| {
                    rows.regenerate((old, expected, stone), (new, moved));
                });
            }
            _ => {
                match self.fault {
                    RegenerateIsNotListed => moved.user = None,
                    RegenerateIsListedAsBefore => {
                        moved.user = there.and_then(|row| row.user);
                    }
                    TombstoneOfFirstVersion => stone.version = 1,
                    TombstoneIsListed => stone.user = there.and_then(|row| row.user),
                    RegenerateResetsVersion => moved.version = 1,
                    _ => {}
                }
                return Ok(self.rows().regenerate((old, expected, stone), (new, moved)));
            }
        }
        Ok(stored)
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.enter(Handle::from_bytes([1; 16])).await;
        let now = match self.fault {
            SweepByOwnClock => own_now(),
            SweepIsEarly => millis(now) + 1_000,
            SweepIsLate => millis(now) - 1,
            _ => millis(now),
        };
        let limit = if self.fault == SweepIgnoresLimit {
            usize::MAX
        } else {
            limit
        };
        let is_expired = |row: &Row| match self.fault {
            SweepLeavesTombstones if row.is_tombstone => false,
            SweepLeavesAnonymous if row.user.is_none() && !row.is_tombstone => false,
            SweepLeavesUsers if row.user.is_some() => false,
            _ => row.end <= now,
        };
        let mut expired = self.rows().expired(is_expired, limit);
        if matches!(self.fault, SweepByFirstEnd | SweepOfMovedByFirstEnd) {
            let (rows, first) = (self.rows(), self.first.lock().unwrap());
            let is_meant =
                |handle: &Handle| self.fault == SweepByFirstEnd || rows.0[handle].is_tombstone;
            let has_passed = |handle: &Handle| first.get(handle).is_none_or(|row| row.end <= now);
            expired.retain(|handle| !is_meant(handle) || has_passed(handle));
        }
        if matches!(self.fault, SweepInSteps | SweepUnderTwoLocks) {
            self.between(SweepInSteps).await;
            return Ok(self.rows().remove(&expired));
        }
        let mut rows = self.rows();
        expired.retain(|handle| rows.0.get(handle).is_some_and(is_expired));
        let deleted = rows.remove(&expired);
        Ok(if self.fault == SweepAnswersZero {
            0
        } else {
            deleted
        })
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        self.enter(Handle::from_bytes([1; 16])).await;
        let user = kept::user(self.fault, user);
        let is_theirs = |row: &Row| match (self.fault, row.user.as_deref()) {
            (ListIgnoresCase, Some(other)) => other.eq_ignore_ascii_case(&user),
            (ListIgnoresSpaces, Some(other)) => {
                other.trim_end_matches(' ') == user.trim_end_matches(' ')
            }
            (ListByPrefix, Some(other)) => other.starts_with(&*user),
            (ListOfNobody, None) => user.is_empty() && !row.is_tombstone,
            (_, other) => other == Some(&*user),
        };
        let rows = self.rows().0.clone();
        let mut theirs: Vec<_> = rows.into_iter().filter(|(_, row)| is_theirs(row)).collect();
        match self.fault {
            ListOf10 => theirs.truncate(10),
            ListOf100 => theirs.truncate(100),
            ListOf1000 => theirs.truncate(1_000),
            ListInSteps => {
                yield_now().await;
                let rows = self.rows();
                let look = |(handle, _)| Some((handle, rows.0.get(&handle)?.clone()));
                theirs = theirs.into_iter().filter_map(look).collect();
                theirs.retain(|(_, row)| is_theirs(row));
            }
            ListOfCopies => {
                let first = self.first.lock().unwrap();
                for (handle, row) in &mut theirs {
                    if let Some(first) = first.get(handle) {
                        row.end = first.end;
                    }
                }
            }
            DamagedIsNotListed => theirs.retain(|(_, row)| row.record().is_ok()),
            _ => {}
        }
        theirs
            .into_iter()
            .map(|(handle, row)| Ok((handle, row.record()?)))
            .collect()
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        self.enter(Handle::from_bytes([1; 16])).await;
        let user = kept::user(self.fault, user);
        let except = except.filter(|_| self.fault != DeleteUserIgnoresExcept);
        let others = |rows: &Rows| {
            let mut theirs = rows.of_user(&user);
            theirs.retain(|handle| Some(*handle) != except);
            theirs
        };
        let mut theirs = others(&self.rows());
        match self.fault {
            DeleteUserOf100 => theirs.truncate(100),
            DeleteUserInSteps | DeleteUserUnderTwoLocks => {
                self.between(DeleteUserInSteps).await;
                let mut rows = self.rows();
                theirs.retain(|handle| {
                    rows.0
                        .get(handle)
                        .is_some_and(|row| row.user.as_deref() == Some(&*user))
                });
                return Ok(rows.remove(&theirs));
            }
            DeleteUserTakesAnothers => yield_now().await,
            DeleteUserAnswersEarly => {
                let ended = theirs.len() as u64;
                self.write(DeleteUserAnswersEarly, move |rows| {
                    rows.remove(&theirs);
                });
                return Ok(ended);
            }
            _ => {
                let mut rows = self.rows();
                theirs = others(&rows);
                let ended = rows.remove(&theirs);
                let is_one = self.fault == DeleteUserAnswersOne;
                return Ok(if is_one { ended.min(1) } else { ended });
            }
        }
        Ok(self.rows().remove(&theirs))
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.enter(Handle::from_bytes([1; 16])).await;
        let now = match self.fault {
            CountByOwnClock => own_now(),
            CountIsLate => millis(now) - 1,
            CountWithExpired => 0,
            _ => millis(now),
        };
        let lives = |row: &&Row| match self.fault {
            CountWithTombstones => row.end > now,
            CountOfUsers => row.end > now && row.user.is_some(),
            _ => row.end > now && !row.is_tombstone,
        };
        Ok(self.rows().0.values().filter(lives).count() as u64)
    }

    async fn look(&self, handles: &[Handle]) -> Result<Vec<Option<Status>>, Error> {
        let status = |handle: &Handle| {
            let handle = kept::handle(self.fault, *handle);
            let row = self.get(handle)?;
            match self.fault {
                LookHidesTombstones if row.is_tombstone => None,
                LookSeesNoTouch => self.first.lock().unwrap().get(&handle)?.record().ok(),
                _ => row.record().ok(),
            }
            .map(|record| Status::of(&record))
        };
        let mut looked: Vec<_> = handles.iter().map(status).collect();
        match self.fault {
            LookOutOfOrder => looked.reverse(),
            LookSkipsMissing => looked.retain(Option::is_some),
            LookOf100 => looked
                .iter_mut()
                .skip(100)
                .for_each(|status| *status = None),
            _ => {}
        }
        Ok(looked)
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        let is_hidden = |row: &Row| match self.fault {
            ScanHidesExpired => row.end < own_now(),
            ScanHidesTombstones => row.is_tombstone,
            _ => false,
        };
        let rows = self.rows().0.clone();
        let mut rows: Vec<_> = rows
            .into_iter()
            .filter(|(_, row)| !is_hidden(row))
            .collect();
        rows.sort_unstable_by_key(|(handle, _)| *handle);
        let (mut offset, limit) = (0, limit.max(1));
        match after.map(|cursor| cursor.as_str().parse()) {
            _ if self.fault == ScanByOffset => {
                offset = after
                    .map_or(Ok(0), |cursor| cursor.as_str().parse())
                    .map_err(Error::store)?;
                rows.drain(..offset.min(rows.len()));
            }
            Some(Ok(after)) => rows.retain(|(handle, _)| *handle > after),
            Some(Err(_)) if self.fault == ScanTakesAnyCursor => {}
            Some(Err(error)) => return Err(Error::store(error)),
            None => {}
        }
        let limit = match self.fault {
            ScanWithoutLimit => rows.len(),
            _ => limit,
        };
        let is_last = rows.len() <= limit || self.fault == ScanOfOnePage;
        rows.truncate(limit);
        let next = rows
            .last()
            .filter(|_| !is_last)
            .map(|(handle, _)| match self.fault {
                ScanByOffset => Cursor::new((offset + limit).to_string()),
                _ => Cursor::new(handle.to_string()),
            });
        let sessions = rows.into_iter().map(|(handle, row)| (handle, row.record()));
        Ok(Page {
            sessions: sessions.collect(),
            next,
        })
    }
}
