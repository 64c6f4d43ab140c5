// Over 250 lines: one builder, a method for each thing that can happen to a commit.

use std::time::Duration;

use crate::{
    change::{Data, update_op, updated},
    commit::{
        Answer, Base, Call, Commit, CookieAction, Done, Event, Found, Next, Policy, Ran,
        SessionState, Stored, Unit,
    },
    error::Error,
    expiry::Expiry,
    id::{Handle, SessionId},
    record::{Body, CommitId, CommitIds, Record, Version},
    store::{Created, Replaced},
    time::Timestamp,
};

pub(super) fn at(minutes: u64) -> Timestamp {
    Timestamp::from_millis(minutes * 60_000)
}

pub(super) fn v(number: u64) -> Version {
    Version::new(number)
}

/// A session that began at minute 0 and was not used since: it ends at minute 30 and, whatever is done, at 720.
pub(super) fn record(version: Version, data: &str) -> Record {
    let body = Body {
        created_at: at(0),
        authenticated_at: None,
        deadline: at(720),
        remember: None,
        user: None,
        tombstone: false,
        details: None,
        commits: CommitIds::default(),
        data: Data::from_json(data).expect("an object"),
    };
    Record::new(version, at(30), body)
}

/// A record with other contents.
pub(super) fn with_body(record: &Record, change: impl FnOnce(&mut Body)) -> Record {
    let mut body = record.body().clone();
    change(&mut body);
    Record::new(record.version(), record.expires(), body)
}

/// What another request's login leaves.
pub(super) fn tombstone(version: Version) -> Record {
    Record::tombstone(version, at(1))
}

/// A record that so many commits of others came after.
pub(super) fn after_others(record: &Record, commits: u64) -> Record {
    let version = v(record.version().get() + commits);
    let record = with_body(record, |body| {
        for _ in 0..commits {
            body.commits = body.commits.with(CommitId::random());
        }
    });
    record.with_version(version)
}

/// Which session a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The one that the request came with.
    Own,
    /// The first of the new ids that the commit thought of, the second, and so on.
    New(usize),
    /// That of another cookie.
    Other,
}
pub(super) use Who::{New, Other, Own};

/// A [`Call`] as scenarios expect it; of records their data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    Load,
    Verify(Who),
    Create(Who, &'a str),
    Replace(Version, &'a str),
    /// From the own id to this one.
    Move(Version, Who, &'a str),
    /// Until this minute.
    Touch(u64),
    Delete(Who),
}
pub(super) use Asked::{Create, Delete, Load, Move, Replace, Touch, Verify};

/// An [`Answer`], or that there is none.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reply {
    IsCreated,
    Exists,
    IsStored(Version),
    Conflict,
    IsGone,
    IsTouched(bool),
    IsDeleted(bool),
    Fails,
}
pub(super) use Reply::{
    Conflict, Exists, Fails, IsCreated, IsDeleted, IsGone, IsStored, IsTouched,
};

/// An [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Created(Who),
    Replaced,
    Moved(Who),
    Ended(Who),
    Replayed,
    TouchFailed,
}

/// A request with its session, and one commit of it after the other.
pub(super) struct Scenario {
    state: SessionState,
    commit: Option<Commit>,
    /// Left by a commit that failed.
    in_doubt: Option<Unit>,
    policy: Policy,
    now: Timestamp,
    headers_sent: bool,
    own: Handle,
    new: Vec<Handle>,
    event: Option<Told>,
    /// The last record that was to be stored, and the last tombstone.
    pub(super) written: Option<Record>,
    pub(super) tombstone: Option<Record>,
}

const OTHER: Handle = Handle::from_bytes([7; 16]);
const MAX_BYTES: usize = 100;

/// The request.
impl Scenario {
    /// Of a client without a session, at minute 1.
    pub(super) fn new() -> Self {
        Self {
            state: SessionState::new(MAX_BYTES),
            commit: None,
            in_doubt: None,
            policy: Policy {
                expiry: Expiry::default(),
                is_immediate: false,
            },
            now: at(1),
            headers_sent: false,
            own: OTHER,
            new: Vec::new(),
            event: None,
            written: None,
            tombstone: None,
        }
    }

    pub(super) fn immediate(mut self) -> Self {
        self.policy.is_immediate = true;
        self
    }

    pub(super) fn at(mut self, minute: u64) -> Self {
        self.now = at(minute);
        self
    }

    pub(super) fn headers_sent(mut self) -> Self {
        self.headers_sent = true;
        self
    }

    /// The request found this session.
    pub(super) fn loaded(mut self, record: Record) -> Self {
        let id = SessionId::random();
        let handle = id.handle();
        self.own = handle;
        let stored = Stored { id, handle, record };
        let now = self.now;
        self.found(|found| found.live(stored, now))
    }

    /// How the request found its session, before it did anything.
    pub(super) fn found(mut self, find: impl FnOnce(&mut Found)) -> Self {
        let mut found = Found::default();
        find(&mut found);
        self.state = SessionState::of(&found, MAX_BYTES);
        self
    }

    pub(super) fn change(mut self, change: impl FnOnce(&mut SessionState)) -> Self {
        change(&mut self.state);
        self
    }

    pub(super) fn set(self, key: &str, json: &str) -> Self {
        let put = crate::change::Op::Put(json.into());
        self.change(|state| {
            state.draft().apply(key, put).expect("it fits");
        })
    }

    /// Adds one to a number.
    pub(super) fn count(self, key: &str) -> Self {
        self.change(|state| count(state, key))
    }

    pub(super) fn log_in(self, user: &str) -> Self {
        let now = self.now;
        self.change(|state| state.log_in(user.into(), None, now))
    }

    pub(super) fn regenerate(self) -> Self {
        self.change(SessionState::regenerate)
    }

    pub(super) fn clear(self) -> Self {
        self.change(|state| {
            state.clear(true, Vec::new());
        })
    }

    /// With another cookie's session.
    pub(super) fn clear_all(self) -> Self {
        self.change(|state| {
            state.clear(true, vec![OTHER]);
        })
    }

    /// What the request sees.
    #[track_caller]
    pub(super) fn sees(mut self, json: &str) -> Self {
        let map = self.state.draft().to_map();
        assert_eq!(serde_json::to_string(&map).expect("a map"), json);
        self
    }
}

pub(super) fn count(state: &mut SessionState, key: &str) {
    let add = |n: &mut u32| *n += 1;
    let (value, _) = updated(key, state.draft().raw(key), add).expect("a number");
    let op = update_op(key, value, add);
    state.draft().apply(key, op).expect("it fits");
}

/// The commit.
impl Scenario {
    pub(super) fn commits(mut self) -> Self {
        self.commit = Some(Commit::new(self.state.begin(false)));
        self
    }

    pub(super) fn begins_transaction(mut self) -> Self {
        self.commit = Some(Commit::new(self.state.begin(true)));
        self
    }

    /// A look at the newest record.
    pub(super) fn reloads(mut self) -> Self {
        self.commit = Some(Commit::reload(self.state.begin_reload()));
        self
    }

    /// Another try of the commit that failed.
    #[track_caller]
    pub(super) fn resumes(self) -> Self {
        let unit = self.in_doubt.as_ref().expect("it is in doubt");
        let joins = self.state.joins(unit);
        self.resumes_with(joins)
    }

    #[track_caller]
    pub(super) fn resumes_only_to_verify(self) -> Self {
        self.resumes_with(true)
    }

    #[track_caller]
    fn resumes_with(mut self, only_verified: bool) -> Self {
        let unit = self.in_doubt.take().expect("it is in doubt");
        self.commit = Some(Commit::resume(unit, only_verified));
        self
    }

    #[track_caller]
    fn next(&mut self) -> Next<'_> {
        assert_eq!(self.event, None, "an event that was not expected");
        let commit = self.commit.as_mut().expect("a commit under way");
        commit.next(self.now, self.headers_sent, &self.policy)
    }

    #[track_caller]
    pub(super) fn asks(mut self, expected: Asked<'_>) -> Self {
        assert_eq!(self.event, None, "an event that was not expected");
        let mut commit = self.commit.take().expect("a commit under way");
        let call = match commit.next(self.now, self.headers_sent, &self.policy) {
            Next::Ask(call) => call,
            Next::Run => panic!("it runs the closure"),
            Next::Wait(..) => panic!("it waits"),
            Next::Done(done) => panic!("it is done: {done:?}"),
        };
        let json = |record: &Record| record.data().to_json();
        let data;
        let asked = match call {
            Call::Load(handle) => {
                assert_eq!(self.who(handle), Own);
                Load
            }
            Call::Verify(handle) => Verify(self.who(handle)),
            Call::Create(handle, record) => {
                data = json(record);
                self.written = Some(record.clone());
                Create(self.who(handle), &data)
            }
            Call::Replace(handle, version, record) => {
                assert_eq!(self.who(handle), Own);
                data = json(record);
                self.written = Some(record.clone());
                Replace(version, &data)
            }
            Call::Regenerate {
                old,
                expected,
                tombstone,
                new,
                record,
            } => {
                assert_eq!(self.who(old), Own);
                data = json(record);
                self.written = Some(record.clone());
                self.tombstone = Some(tombstone.clone());
                Move(expected, self.who(new), &data)
            }
            Call::Touch(handle, until) => {
                assert_eq!(self.who(handle), Own);
                Touch(until.as_millis() / 60_000)
            }
            Call::Delete(handle) => Delete(self.who(handle)),
        };
        assert_eq!(asked, expected);
        self.commit = Some(commit);
        self
    }

    /// The record that it asks to be stored.
    #[track_caller]
    pub(super) fn writes(mut self) -> Record {
        match self.next() {
            Next::Ask(
                Call::Create(_, record)
                | Call::Replace(_, _, record)
                | Call::Regenerate { record, .. },
            ) => record.clone(),
            _ => panic!("it asks for no write"),
        }
    }

    fn who(&mut self, handle: Handle) -> Who {
        if handle == OTHER {
            return Other;
        }
        if handle == self.own {
            return Own;
        }
        let known = self.new.iter().position(|new| *new == handle);
        New(known.unwrap_or_else(|| {
            self.new.push(handle);
            self.new.len() - 1
        }))
    }

    #[track_caller]
    pub(super) fn answers(self, reply: Reply) -> Self {
        self.answered(match reply {
            IsCreated => Ok(Answer::Created(Created::Created)),
            Exists => Ok(Answer::Created(Created::Exists)),
            IsStored(version) => Ok(Answer::Replaced(Replaced::Stored(version))),
            Conflict => Ok(Answer::Replaced(Replaced::Conflict)),
            IsGone => Ok(Answer::Replaced(Replaced::Gone)),
            IsTouched(is_touched) => Ok(Answer::Touched(is_touched)),
            IsDeleted(by_us) => Ok(Answer::Deleted(by_us)),
            Fails => Err(Error::store("the connection broke")),
        })
    }

    /// The answer to a load.
    #[track_caller]
    pub(super) fn loads(self, record: impl Into<Option<Record>>) -> Self {
        self.answered(Ok(Answer::Loaded(record.into())))
    }

    /// The answer to a load: the record that this commit was to store, and so many commits of others after it.
    #[track_caller]
    pub(super) fn loads_own(self, others: u64) -> Self {
        let written = self.written.clone().expect("it has asked for a write");
        self.loads(after_others(&written, others))
    }

    /// The answer to a load: the tombstone that this commit was to leave.
    #[track_caller]
    pub(super) fn loads_own_tombstone(self) -> Self {
        let left = self.tombstone.clone();
        self.loads(left.expect("it has asked for a move"))
    }

    #[track_caller]
    fn answered(mut self, answer: Result<Answer, Error>) -> Self {
        let commit = self.commit.as_mut().expect("a commit under way");
        let event = commit.answered(answer, self.now, &self.policy);
        self.note(event);
        self
    }

    fn note(&mut self, event: Option<Event>) {
        self.event = event.map(|event| match event {
            Event::Created(handle) => Told::Created(self.who(handle)),
            Event::Replaced => Told::Replaced,
            Event::Moved { from, to } => {
                assert_eq!(self.who(from), Own);
                Told::Moved(self.who(to))
            }
            Event::Ended(handle) => Told::Ended(self.who(handle)),
            Event::Replayed => Told::Replayed,
            Event::TouchFailed(..) => Told::TouchFailed,
        });
    }

    /// The event of the last answer. One that is not expected here is an error.
    #[track_caller]
    pub(super) fn tells(mut self, told: Told) -> Self {
        assert_eq!(self.event.take(), Some(told));
        self
    }

    /// It waits for the others, after so many conflicts.
    #[track_caller]
    pub(super) fn waits(mut self, conflicts: u32) -> Self {
        match self.next() {
            Next::Wait(handle, count) => {
                assert_eq!((self.who(handle), count), (Own, conflicts));
            }
            _ => panic!("it does not wait"),
        }
        self
    }

    /// The wait is over. The commit before this one may have left its record.
    pub(super) fn waited(mut self, newer: impl Into<Option<Record>>) -> Self {
        let commit = self.commit.as_mut().expect("a commit under way");
        let event = commit.waited(newer.into(), self.now, &self.policy);
        self.note(event);
        self
    }

    /// A conflict, the wait for others, and the record that they have left in the store.
    #[track_caller]
    pub(super) fn conflicts(self, count: u32, newer: Record) -> Self {
        let loaded = self.answers(Conflict).waits(count).waited(None).asks(Load);
        loaded.loads(newer).tells(Told::Replayed)
    }

    pub(super) fn runs_out_of_time(mut self) -> Self {
        self.commit.as_mut().expect("a commit under way").give_up();
        self
    }

    /// It runs the transaction's closure.
    #[track_caller]
    pub(super) fn runs(mut self, closure: impl FnOnce(&mut SessionState) -> Ran) -> Self {
        assert!(matches!(self.next(), Next::Run), "it does not run");
        let commit = self.commit.as_mut().expect("a commit under way");
        let ran = closure(commit.start_run());
        commit.ran(ran, self.now, &self.policy);
        self
    }

    #[track_caller]
    fn done(&mut self) -> Done {
        match self.next() {
            Next::Done(done) => done,
            Next::Ask(call) => panic!("it asks: {call:?}"),
            Next::Run => panic!("it runs"),
            Next::Wait(..) => panic!("it waits"),
        }
    }

    fn unit(&mut self) -> Unit {
        let commit = self.commit.take();
        commit.expect("a commit under way").into_unit()
    }
}

/// The end of it. What is pending is handed back as the session does it.
impl Scenario {
    /// With a session that lives: its version, and what the response does to the cookie.
    #[track_caller]
    pub(super) fn settles(self, version: Version, expected: Option<CookieAction>) -> Self {
        let (scenario, base, cookie) = self.settled(false);
        let stored = base.live().expect("it lives");
        assert_eq!((stored.record.version(), cookie), (version, expected));
        scenario
    }

    /// Without a session.
    #[track_caller]
    pub(super) fn settles_without(self, expected: Option<CookieAction>) -> Self {
        let (scenario, base, cookie) = self.settled(false);
        assert!(matches!(base, Base::New), "{base:?}");
        assert_eq!(cookie, expected);
        scenario
    }

    /// As the session is over, with nothing to be done or lost.
    #[track_caller]
    pub(super) fn settles_as_gone(self) -> Self {
        self.assert_in_doubt(false);
        self.settles_as_moved()
    }

    /// All of it was done before the session moved.
    #[track_caller]
    pub(super) fn settles_as_moved(self) -> Self {
        let (scenario, base, cookie) = self.settled(false);
        assert!(matches!(base, Base::Gone), "{base:?}");
        assert_eq!(cookie, None);
        scenario
    }

    /// The session is over, and nothing of the changes was ever stored.
    #[track_caller]
    pub(super) fn discards(self) -> Self {
        self.discarded(false)
    }

    /// The session is over, and took along what was stored of the changes, if they were.
    #[track_caller]
    pub(super) fn discards_in_doubt(self) -> Self {
        self.discarded(true)
    }

    #[track_caller]
    fn discarded(self, in_doubt: bool) -> Self {
        self.assert_in_doubt(in_doubt);
        let (scenario, base, cookie) = self.settled(true);
        assert!(matches!(base, Base::Gone), "{base:?}");
        assert_eq!(cookie, None);
        scenario
    }

    #[track_caller]
    fn assert_in_doubt(&self, in_doubt: bool) {
        let commit = self.commit.as_ref().expect("a commit under way");
        assert_eq!(commit.unit().may_have_been_stored(), in_doubt, "in doubt");
    }

    #[track_caller]
    fn settled(mut self, discards: bool) -> (Self, Base, Option<CookieAction>) {
        let Done::Settled(settled) = self.done() else {
            panic!("it is not settled");
        };
        assert_eq!(settled.discards, discards, "discards");
        let unit = self.unit();
        assert!(!unit.is_in_doubt());
        let _ = self.state.ack(&unit, settled.base.clone(), settled.cookie);
        (self, settled.base, settled.cookie)
    }

    /// A look at the newest record, which leaves the response this to do to the cookie.
    #[track_caller]
    pub(super) fn ends_reloaded(mut self, expected: Option<CookieAction>) -> Self {
        let Done::Settled(settled) = self.done() else {
            panic!("it is not settled");
        };
        let unit = self.unit();
        let reloaded = self.state.reloaded(&unit, &settled.base, settled.cookie);
        reloaded.expect("it is replayed");
        assert_eq!(self.state.cookie, expected);
        self
    }

    #[track_caller]
    pub(super) fn aborts(mut self) -> Self {
        assert!(matches!(self.done(), Done::Aborted));
        let unit = self.unit();
        self.state.abort(&unit);
        self
    }

    #[track_caller]
    pub(super) fn ends_unstored(mut self) -> Self {
        assert!(matches!(self.done(), Done::Unstored));
        let unit = self.unit();
        self.state.abort(&unit);
        self
    }

    /// With an error, after which it is certain what is stored.
    #[track_caller]
    pub(super) fn fails(mut self, is_expected: fn(&Error) -> bool) -> Self {
        let (unit, error) = self.failed(is_expected);
        assert!(!unit.is_in_doubt() && !error.is_in_doubt(), "{error}");
        self.state.abort(&unit);
        self
    }

    /// With an error after which it is not known what is stored, and the same unit is tried again.
    #[track_caller]
    pub(super) fn fails_in_doubt(mut self, is_expected: fn(&Error) -> bool) -> Self {
        let (unit, _) = self.failed(is_expected);
        assert!(unit.is_in_doubt());
        self.state.sync_endings(&unit);
        self.in_doubt = Some(unit);
        self
    }

    /// With an error, as nobody will ever know what is stored. It is not tried again.
    #[track_caller]
    pub(super) fn ends_forgotten(self) -> Self {
        self.gives_up(|error| error.is_in_doubt() && !error.is_gone())
    }

    /// As the session expired, and took along what was stored of the changes, if they were.
    #[track_caller]
    pub(super) fn expires_in_doubt(self) -> Self {
        self.gives_up(|error| error.is_in_doubt() && error.is_gone())
    }

    #[track_caller]
    fn gives_up(mut self, is_expected: fn(&Error) -> bool) -> Self {
        let (unit, _) = self.failed(is_expected);
        assert!(!unit.is_in_doubt());
        self.state.give_up(&unit);
        assert!(!self.state.has_changes(), "it would be done a second time");
        self
    }

    #[track_caller]
    fn failed(&mut self, is_expected: fn(&Error) -> bool) -> (Unit, Error) {
        let Done::Failed(error) = self.done() else {
            panic!("it does not fail");
        };
        assert!(is_expected(&error), "{error}");
        (self.unit(), error)
    }

    /// The future of the commit is dropped, as its client has gone.
    pub(super) fn drops(mut self) -> Self {
        let unit = self.unit();
        self.state.sync_endings(&unit);
        self.in_doubt = Some(unit);
        self
    }

    /// The session was cleared since, so the commit in doubt is not tried again.
    #[track_caller]
    pub(super) fn gives_way(mut self) -> Self {
        let unit = self.in_doubt.take().expect("it is in doubt");
        assert!(self.state.end_leftovers(&unit));
        self
    }

    /// Nothing to be done.
    #[track_caller]
    pub(super) fn has_nothing_pending(self) -> Self {
        assert!(!self.state.has_changes());
        self
    }
}

/// An error of the store that is not about a lost answer.
pub(super) fn is_plain_store_error(error: &Error) -> bool {
    error.is_store() && !error.is_in_doubt()
}

pub(super) const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
