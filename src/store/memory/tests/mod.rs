mod eviction;
mod expiry;
mod index;
mod limits;

use std::{thread, time::Duration};

use super::{
    capacity::{Limits, cost},
    sessions::Sessions,
    shards::Shards,
};
use crate::{
    change::Data,
    error::Error,
    id::{Handle, SessionId},
    record::{Body, CommitIds, Record, Version},
    store::Replaced,
    time::Clock,
};

const MINUTE: Duration = Duration::from_secs(60);

/// As often as it takes to sweep each shard once.
const A_ROUND: usize = Shards::COUNT * Sessions::CREATES_A_SWEEP;

struct Site {
    store: Sessions,
    clock: Clock,
}

impl Site {
    fn new(sessions: usize) -> Self {
        Self::with(Limits {
            sessions,
            ..Limits::default()
        })
    }

    fn of_bytes(bytes: usize) -> Self {
        Self::with(Limits {
            bytes,
            ..Limits::default()
        })
    }

    fn with(limits: Limits) -> Self {
        let (store, clock) = (Sessions::new(limits), Clock::manual());
        store.use_clock(&clock);
        Self { store, clock }
    }

    fn record(&self, user: Option<&str>, lives: Duration) -> Record {
        self.record_of(user, lives, "{}")
    }

    fn record_of(&self, user: Option<&str>, lives: Duration, data: &str) -> Record {
        let now = self.clock.timestamp();
        let body = Body {
            created_at: now,
            authenticated_at: None,
            deadline: now.saturating_add(Duration::MAX),
            remember: None,
            user: user.map(Into::into),
            tombstone: false,
            details: None,
            commits: CommitIds::default(),
            data: Data::from_json(data).unwrap(),
        };
        Record::new(Version::FIRST, now.saturating_add(lives), body)
    }

    fn create(&self, record: &Record) -> Result<Handle, Error> {
        let handle = SessionId::random().handle();
        self.store.create(handle, record).map(|_| handle)
    }

    fn cart(&self) -> Handle {
        self.cart_or_none().unwrap()
    }

    fn cart_or_none(&self) -> Option<Handle> {
        self.create(&self.record(None, MINUTE)).ok()
    }

    fn log_in(&self, user: &str) -> Result<Handle, Error> {
        self.create(&self.record(Some(user), MINUTE))
    }

    fn regenerate(&self, old: Handle, user: Option<&str>) -> Handle {
        let stored = self.store.load(old).unwrap();
        let stone = Record::tombstone(Version::FIRST, self.clock.timestamp());
        let new = SessionId::random().handle();
        let moved = self.record(user, MINUTE);
        let answer = self
            .store
            .regenerate(old, stored.version(), &stone, new, &moved);
        assert_eq!(answer.unwrap(), Replaced::Stored(Version::FIRST));
        new
    }

    fn is_there(&self, handle: Handle) -> bool {
        self.store.load(handle).is_some()
    }

    fn left(&self, handles: &[Handle]) -> usize {
        let there = handles.iter().filter(|handle| self.is_there(**handle));
        there.count()
    }

    /// How many records there are, after a look at whether all that has to agree does.
    fn len(&self) -> usize {
        let shards = &self.store.contents.shards;
        let records: Vec<_> = shards
            .iter()
            .flat_map(|shard| shard.records().cloned().collect::<Vec<_>>())
            .collect();
        let bytes = records.iter().map(cost).sum();
        assert_eq!(self.store.usage(), (records.len(), bytes));
        let users: std::collections::BTreeSet<_> =
            records.iter().filter_map(Record::user).collect();
        let indexed: usize = users
            .iter()
            .map(|user| self.store.contents.users.count(user))
            .sum();
        let of_users = records.iter().filter(|record| record.user().is_some());
        assert_eq!(indexed, of_users.count(), "the index has these sessions");
        let names: usize = self.store.contents.users.iter().map(|s| s.len()).sum();
        assert_eq!(names, users.len(), "and no others");
        records.len()
    }

    /// What a call does that waits for the user's shard of the index while this is done: it has found its session and
    /// reserved its room by then.
    fn meanwhile<T: Send>(
        &self,
        user: &str,
        call: impl FnOnce() -> T + Send,
        done: impl FnOnce(),
    ) -> T {
        let index = self.store.contents.users.lock(user);
        let before = self.store.usage();
        thread::scope(|scope| {
            let call = scope.spawn(call);
            while self.store.usage() == before && !call.is_finished() {
                thread::yield_now();
            }
            done();
            drop(index);
            call.join().unwrap()
        })
    }

    fn inspected(&self) -> usize {
        let shards = self.store.contents.shards.iter();
        shards.map(|shard| shard.inspected).sum()
    }

    fn slots(&self) -> usize {
        let shards = self.store.contents.shards.iter();
        shards.map(|shard| shard.slots()).sum()
    }
}

/// The first bytes of a handle are its shard.
fn in_one_shard(n: u128) -> Handle {
    Handle::from_bytes(n.to_be_bytes())
}
