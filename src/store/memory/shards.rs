use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::{shard::Shard, users::Users};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced},
    time::{Clock, Timestamp},
};

/// All parts of a memory store, and the index of their users.
pub(super) struct Shards {
    shards: Box<[Mutex<Shard>]>,
    users: Users,
    /// How many records there are, to compare with the limit.
    len: AtomicUsize,
    max_sessions: usize,
    /// How many creates there were; it tells the shard that is looked through next for expired records.
    hand: AtomicUsize,
    clock: Clock,
}

/// So many that a look through one is short, at a million sessions too. A million also fills their tables, which have
/// powers of two of places, by four fifths; those of 512 shards would have just grown to be half empty.
const SHARDS: usize = 300;

const CREATES_A_SWEEP: usize = 8;

impl Shards {
    pub(super) fn new(max_sessions: usize, clock: Clock) -> Self {
        Self {
            shards: std::iter::repeat_with(Mutex::default)
                .take(SHARDS)
                .collect(),
            users: Users::default(),
            len: AtomicUsize::new(0),
            max_sessions,
            hand: AtomicUsize::new(0),
            clock,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn max_sessions(&self) -> usize {
        self.max_sessions
    }

    fn shard(&self, handle: Handle) -> MutexGuard<'_, Shard> {
        let [first, second, ..] = *handle.as_bytes();
        self.shards[usize::from(u16::from_ne_bytes([first, second])) % SHARDS].lock()
    }

    pub(super) fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.sweep_next_shard();
        self.make_room(None)?;
        Ok(match self.insert(handle, record) {
            true => Created::Created,
            false => Created::Exists,
        })
    }

    /// Answers whether the handle was free; if not, nothing is changed.
    fn insert(&self, handle: Handle, record: &Record) -> bool {
        let user = record.user().map(|user| (user, self.users.lock(user)));
        let mut shard = self.shard(handle);
        if !shard.insert(handle, record) {
            return false;
        }
        self.len.fetch_add(1, Ordering::Relaxed);
        if let Some((user, mut part)) = user {
            part.add(user, handle);
        }
        true
    }

    pub(super) fn load(&self, handle: Handle) -> Option<Record> {
        self.shard(handle).get(handle).cloned()
    }

    pub(super) fn replace(&self, handle: Handle, expected: Version, record: &Record) -> Replaced {
        let replacement = record.clone().with_version(expected.next());
        let mut shard = self.shard(handle);
        match shard.get_mut(handle) {
            None => Replaced::Gone,
            Some(stored) if stored.version() != expected => Replaced::Conflict,
            Some(stored) if stored.user() == replacement.user() => {
                // The old record is dropped after the lock: freeing a large one takes time.
                let _old = std::mem::replace(stored, replacement);
                drop(shard);
                Replaced::Stored(expected.next())
            }
            Some(_) => {
                drop(shard);
                self.replace_user(handle, expected, replacement)
            }
        }
    }

    /// A replacement with another user, or none: a session that becomes a tombstone.
    fn replace_user(&self, handle: Handle, expected: Version, replacement: Record) -> Replaced {
        let after = replacement.clone();
        let user = after.user().map(|user| (user, self.users.lock(user)));
        let mut shard = self.shard(handle);
        let old = match shard.get_mut(handle) {
            None => return Replaced::Gone,
            Some(stored) if stored.version() != expected => return Replaced::Conflict,
            Some(stored) => std::mem::replace(stored, replacement),
        };
        drop(shard);
        if let Some((user, mut part)) = user {
            part.add(user, handle);
        }
        self.leave(handle, &old);
        Replaced::Stored(expected.next())
    }

    pub(super) fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Replaced {
        self.sweep_next_shard();
        // Where there is none the session moves all the same: it takes the place that it had, but for the tombstone.
        let _ = self.make_room(Some(old));
        if !self.insert(new, record) {
            return Replaced::Conflict;
        }
        match self.replace(old, expected, tombstone) {
            Replaced::Stored(_) => Replaced::Stored(record.version()),
            lost => {
                self.delete(new);
                lost
            }
        }
    }

    pub(super) fn touch(&self, handle: Handle, expires_at: Timestamp) -> bool {
        let mut shard = self.shard(handle);
        let Some(record) = shard.get_mut(handle) else {
            return false;
        };
        record.touch(expires_at);
        true
    }

    pub(super) fn delete(&self, handle: Handle) -> bool {
        let mut shard = self.shard(handle);
        if shard.get(handle).is_none_or(Record::is_tombstone) {
            return false;
        }
        let old = shard.remove(handle);
        drop(shard);
        self.forget(old.map(|record| (handle, record)));
        true
    }

    pub(super) fn delete_expired(&self, now: Timestamp, limit: usize) -> usize {
        let mut deleted = 0;
        for shard in &self.shards {
            if deleted == limit {
                break;
            }
            let taken = shard.lock().take_expired(now, limit - deleted);
            deleted += taken.len();
            self.forget(taken);
        }
        deleted
    }

    pub(super) fn list(&self, user: &str) -> Vec<(Handle, Record)> {
        let part = self.users.lock(user);
        let of_user = |handle| {
            let record = self.shard(handle).get(handle).cloned()?;
            (record.user() == Some(user)).then_some((handle, record))
        };
        part.handles(user).filter_map(of_user).collect()
    }

    /// No session of the user appears while the user's part of the index is locked, so one pass finds them all.
    pub(super) fn delete_user(&self, user: &str, except: Option<Handle>) -> u64 {
        let mut part = self.users.lock(user);
        let handles: Vec<_> = part.handles(user).collect();
        let mut deleted = 0;
        for handle in handles.into_iter().filter(|handle| Some(*handle) != except) {
            let mut shard = self.shard(handle);
            if shard
                .get(handle)
                .is_some_and(|record| record.user() == Some(user))
            {
                let _old = shard.remove(handle);
                drop(shard);
                self.len.fetch_sub(1, Ordering::Relaxed);
                deleted += 1;
            }
            part.remove(user, handle);
        }
        deleted
    }

    pub(super) fn count(&self, now: Timestamp) -> usize {
        let lives = |record: &&Record| record.expires() > now && !record.is_tombstone();
        let count = |shard: &Mutex<Shard>| shard.lock().records().filter(lives).count();
        self.shards.iter().map(count).sum()
    }

    /// At every few creates, lest each pays for a look at the clock.
    fn sweep_next_shard(&self) {
        let turn = self.hand.fetch_add(1, Ordering::Relaxed);
        if !turn.is_multiple_of(CREATES_A_SWEEP) {
            return;
        }
        let next = turn / CREATES_A_SWEEP % SHARDS;
        let expired = self.shards[next].lock().sweep(self.clock.timestamp());
        self.forget(expired);
    }

    /// Lets an anonymous session go if the store is full, but not this one. Looks at some thousand sessions at the most.
    fn make_room(&self, except: Option<Handle>) -> Result<(), Error> {
        let start = self.hand.load(Ordering::Relaxed);
        let mut seen = 0;
        for step in 0..SHARDS {
            if !self.is_full() || seen > 10_000 {
                break;
            }
            let mut shard = self.shards[(start + step) % SHARDS].lock();
            let expired = shard.take_expired(self.clock.timestamp(), usize::MAX);
            let evicted = if expired.is_empty() {
                shard.evict_anonymous(except)
            } else {
                None
            };
            seen += shard.len();
            drop(shard);
            self.len
                .fetch_sub(usize::from(evicted.is_some()), Ordering::Relaxed);
            self.forget(expired);
        }
        if self.is_full() {
            return Err(Error::store_advised(
                "the memory store is full of sessions that are logged in",
                "give it more room by `MemoryStore::with_max_sessions`, or use another store",
            ));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.len() >= self.max_sessions
    }

    /// Takes note that these records are no longer in their shards.
    fn forget(&self, records: impl IntoIterator<Item = (Handle, Record)>) {
        for (handle, record) in records {
            self.len.fetch_sub(1, Ordering::Relaxed);
            self.leave(handle, &record);
        }
    }

    /// Takes a handle out of the index of the user that a former record had, unless it is that user's again.
    fn leave(&self, handle: Handle, former: &Record) {
        let Some(user) = former.user() else { return };
        let mut part = self.users.lock(user);
        let again = self
            .shard(handle)
            .get(handle)
            .is_some_and(|record| record.user() == Some(user));
        if !again {
            part.remove(user, handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        change::Data,
        id::SessionId,
        record::{Body, CommitIds},
    };

    const MINUTE: Duration = Duration::from_secs(60);

    fn store(max_sessions: usize) -> (Shards, Clock) {
        let clock = Clock::manual();
        (Shards::new(max_sessions, clock.clone()), clock)
    }

    fn record(clock: &Clock, user: Option<&str>, lives: Duration) -> Record {
        let now = clock.timestamp();
        let body = Body {
            created_at: now,
            authenticated_at: None,
            deadline: now.saturating_add(Duration::MAX),
            remember: None,
            user: user.map(Into::into),
            tombstone: false,
            commits: CommitIds::default(),
            data: Data::default(),
        };
        Record::new(Version::FIRST, now.saturating_add(lives), body)
    }

    fn create(store: &Shards, record: &Record) -> Result<Handle, Error> {
        let handle = SessionId::random().handle();
        store.create(handle, record).map(|_| handle)
    }

    fn len(store: &Shards) -> usize {
        let held = store.shards.iter().map(|shard| shard.lock().len()).sum();
        assert_eq!(store.len(), held, "the count is true");
        held
    }

    #[test]
    fn expired_sessions_leave_as_new_ones_come() {
        let (store, clock) = store(1_000_000);
        for n in 0..1_000 {
            let user = (n % 2 == 0).then_some("alice");
            create(&store, &record(&clock, user, MINUTE)).unwrap();
        }
        clock.advance(2 * MINUTE);
        for _ in 0..SHARDS * CREATES_A_SWEEP {
            create(&store, &record(&clock, None, MINUTE)).unwrap();
        }
        assert_eq!(
            len(&store),
            SHARDS * CREATES_A_SWEEP,
            "a round of all shards swept all that was expired"
        );
        assert!(
            store.users.lock("alice").handles("alice").next().is_none(),
            "also from the index"
        );
    }

    #[test]
    fn a_full_store_lets_an_anonymous_session_go() {
        let (store, clock) = store(100);
        let user = create(&store, &record(&clock, Some("alice"), MINUTE)).unwrap();
        for n in 0..1_000 {
            let lives = MINUTE + Duration::from_millis(n);
            create(&store, &record(&clock, None, lives)).unwrap();
            assert!(len(&store) <= 100);
        }
        assert!(
            store.load(user).is_some(),
            "a session of a user never makes room"
        );
    }

    #[test]
    fn a_store_full_of_users_refuses_and_loses_nobody() {
        let (store, clock) = store(10);
        for _ in 0..10 {
            create(&store, &record(&clock, Some("alice"), MINUTE)).unwrap();
        }
        let refused = create(&store, &record(&clock, None, MINUTE)).unwrap_err();
        assert!(refused.is_store());
        assert_eq!(len(&store), 10);
        clock.advance(2 * MINUTE);
        create(&store, &record(&clock, None, MINUTE)).unwrap();
    }

    #[test]
    fn a_session_that_moves_makes_no_room_for_itself() {
        for max_sessions in [1, 2] {
            let (store, clock) = store(max_sessions);
            let mut old = Vec::new();
            for n in 0..max_sessions as u64 {
                let lives = MINUTE + Duration::from_millis(n);
                old.push(create(&store, &record(&clock, None, lives)).unwrap());
            }
            let new = SessionId::random().handle();
            let stone = Record::tombstone(Version::FIRST.next(), clock.timestamp(), None);
            let moved = record(&clock, Some("alice"), MINUTE);
            let answer = store.regenerate(old[0], Version::FIRST, &stone, new, &moved);
            assert_eq!(answer, Replaced::Stored(Version::FIRST));
            assert_eq!(store.load(new).unwrap().user(), Some("alice"));
            let other = old.get(1).and_then(|handle| store.load(*handle));
            assert!(other.is_none(), "another one makes room");
            len(&store);
        }
    }

    #[test]
    fn a_user_of_many_sessions_is_logged_out_at_once() {
        const MANY: u64 = 50_000;
        let (store, clock) = store(1_000_000);
        for _ in 0..MANY {
            create(&store, &record(&clock, Some("alice"), MINUTE)).unwrap();
        }
        assert_eq!(store.list("alice").len() as u64, MANY);
        assert_eq!(store.delete_user("alice", None), MANY);
        assert_eq!(len(&store), 0);
    }

    #[test]
    fn a_load_copies_nothing() {
        let (store, clock) = store(10);
        let handle = create(&store, &record(&clock, None, MINUTE)).unwrap();
        let (one, two) = (store.load(handle), store.load(handle));
        assert!(std::ptr::eq(one.unwrap().body(), two.unwrap().body()));
    }
}
