use std::time::Duration;

use crate::{
    draft::Draft,
    error::Error,
    expiry::Expiry,
    id::{Handle, SessionId},
    record::{Body, Record, Version},
    time::Timestamp,
};

/// What a request knows of its session and wants done with it. Values only: what is to be done is decided here, as
/// a [`Plan`], and done elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) origin: Origin,
    pub(crate) draft: Draft,
    pub(crate) intent: Intent,
    /// A session that was cleared, to be deleted before anything else.
    pub(crate) ending: Option<Handle>,
    /// How often it was cleared, to tell whether that happened while a commit was under way.
    clears: u32,
    /// The client's cookie was signed by a previous key.
    pub(crate) outdated: bool,
    /// What the response is to do to the client's cookie, so far.
    pub(crate) owed: Option<Owed>,
}

/// Where the session stands in the store.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// Nowhere yet.
    New,
    Live(Live),
    /// It has ended or moved to another id, and the client may hold a newer cookie by now: nothing may be stored, and
    /// no cookie sent, but by a login.
    Gone,
}

#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
    pub(crate) record: Record,
}

/// What is wanted of the session itself, beside its data.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Intent {
    regenerate: bool,
    login: Option<Login>,
    /// Zero: no longer.
    remember: Option<Duration>,
    /// Nothing of the stored data may stay: it is another user's.
    fresh: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Login {
    user: Box<str>,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    /// The cookie of the live session.
    Issue,
    Remove,
}

/// What has to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Nothing,
    /// The session ended elsewhere, and takes these changes along.
    Discard,
    Touch(Timestamp),
    /// Make sure that the session still lives, and send its cookie again.
    Reissue,
    Create,
    Replace,
    Regenerate,
    /// Delete this session; then plan again.
    End(Handle),
}

/// What the work has to be changed to before it is planned again.
#[derive(Debug)]
pub(crate) enum Turnout {
    /// Another request was faster: the newer record.
    Newer(Record),
    /// The session is no longer there.
    Lost,
    /// The cleared session is deleted; or it was no longer there.
    Ended(bool),
    /// The id is in use.
    IdTaken,
}

impl Work {
    pub(crate) fn new(origin: Origin, max_bytes: usize) -> Self {
        let base = origin.live().map(|live| live.record.clone());
        Self {
            origin,
            draft: Draft::new(base, max_bytes),
            intent: Intent::default(),
            ending: None,
            clears: 0,
            outdated: false,
            owed: None,
        }
    }

    pub(crate) fn plan(&self, now: Timestamp, expiry: &Expiry) -> Plan {
        if let Some(handle) = self.ending {
            return Plan::End(handle);
        }
        let Intent {
            regenerate,
            ref login,
            remember,
            ..
        } = self.intent;
        let changed = self.draft.is_changed();
        match &self.origin {
            Origin::New | Origin::Gone if login.is_some() => Plan::Create,
            Origin::New if changed => Plan::Create,
            Origin::New => Plan::Nothing,
            Origin::Gone if changed || regenerate || remember.is_some() => Plan::Discard,
            Origin::Gone => Plan::Nothing,
            Origin::Live(_) if regenerate || login.is_some() => Plan::Regenerate,
            Origin::Live(_) if changed || remember.is_some() => Plan::Replace,
            Origin::Live(_) if self.outdated => Plan::Reissue,
            Origin::Live(live) => expiry
                .touch_due(&live.record, now)
                .map_or(Plan::Nothing, Plan::Touch),
        }
    }

    /// The record as it is to be stored now.
    pub(crate) fn seal(&self, now: Timestamp, expiry: &Expiry) -> Record {
        let base = self.draft.base().map(Record::body);
        let Intent {
            ref login,
            remember,
            ..
        } = self.intent;
        let restarts = login.is_some() || remember.is_some();
        let remember = remember.or(base.and_then(|base| base.remember));
        let remember = remember.filter(|how_long| !how_long.is_zero());
        let deadline = match base {
            Some(base) if !restarts => base.deadline,
            _ => expiry.deadline(login.as_ref().map_or(now, |login| login.at), remember),
        };
        let body = Body {
            created_at: base.map_or(now, |base| base.created_at),
            authenticated_at: login
                .as_ref()
                .map(|login| login.at)
                .or(base.and_then(|base| base.authenticated_at)),
            deadline,
            remember,
            user: self.user().map(Into::into),
            tombstone: false,
            data: self.draft.seal(),
        };
        let version = self
            .origin
            .live()
            .map_or(Version::FIRST, |live| live.record.version().next());
        Record::new(version, expiry.expires_at(now, remember, deadline), body)
    }

    pub(crate) fn apply(&mut self, turnout: Turnout) -> Result<(), Error> {
        match turnout {
            Turnout::IdTaken => Ok(()),
            Turnout::Ended(by_us) => {
                self.end(by_us);
                Ok(())
            }
            Turnout::Lost => {
                self.owed = None;
                self.origin = Origin::Gone;
                self.draft.rebase(None)
            }
            Turnout::Newer(record) => {
                self.draft
                    .rebase((!self.intent.fresh).then(|| record.clone()))?;
                if let Origin::Live(live) = &mut self.origin {
                    live.record = record;
                }
                Ok(())
            }
        }
    }

    /// Whether anything is to be stored, be it in vain.
    pub(crate) fn writes(&self) -> bool {
        self.ending.is_some() || self.intent != Intent::default() || self.draft.is_changed()
    }

    /// Whether the client needs its cookie again: with another age, or signed by the present key.
    pub(crate) fn changes_cookie(&self) -> bool {
        self.intent.remember.is_some() || self.outdated
    }

    pub(crate) fn logs_in(&self) -> bool {
        self.intent.login.is_some()
    }

    /// Whether nothing but a login could be stored any more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.origin, Origin::Gone) && !self.logs_in()
    }

    pub(crate) fn still_there(&self) -> Result<(), Error> {
        if self.is_gone() {
            Err(Error::gone())
        } else {
            Ok(())
        }
    }

    /// All there is to do, leaving nothing to do.
    pub(crate) fn take(&mut self) -> Self {
        let rest = self.rest();
        std::mem::replace(self, rest)
    }

    /// What [`take`](Self::take) leaves.
    pub(crate) fn rest(&self) -> Self {
        Self {
            clears: self.clears,
            ..Self::new(self.origin.clone(), self.draft.max_bytes())
        }
    }

    /// The session turned out to have ended: it reads as empty from now on.
    pub(crate) fn lose(&mut self) -> Result<(), Error> {
        self.apply(Turnout::Lost)?;
        if self.is_gone() {
            self.roll_back();
        }
        Ok(())
    }

    /// Takes note of what a commit that is under way has done for good.
    pub(crate) fn note(&mut self, committing: &Self, turnout: &Turnout) {
        if let Turnout::Ended(by_us) = *turnout
            && self.ending == committing.ending
        {
            self.end(by_us);
        }
    }

    fn end(&mut self, by_us: bool) {
        self.ending = None;
        if !by_us {
            self.owed = None;
            self.origin = Origin::Gone;
        }
    }

    /// Gives up all changes; but what was cleared stays cleared.
    pub(crate) fn roll_back(&mut self) {
        self.intent = Intent::default();
        self.draft = Self::new(self.origin.clone(), self.draft.max_bytes()).draft;
    }

    /// Goes on after `committed`, an earlier state of this work, led to `origin`.
    pub(crate) fn settle(
        &mut self,
        committed: &Self,
        origin: Origin,
        owed: Option<Owed>,
    ) -> Result<(), Error> {
        if self.clears != committed.clears {
            // Cleared while the commit was under way: what it stored has to end too.
            if let Some(live) = origin.live() {
                self.ending = Some(live.handle);
            }
            return Ok(());
        }
        if self.intent == committed.intent {
            self.intent = Intent::default();
        }
        let record = origin.live().map(|live| live.record.clone());
        self.ending = None;
        self.outdated = false;
        self.owed = owed;
        self.origin = origin;
        let base = record.filter(|_| !self.intent.fresh);
        let settled = match self.origin {
            Origin::Gone => Err(Error::gone()),
            _ => self.draft.settle(&committed.draft, base.clone()),
        };
        if settled.is_err() {
            self.draft = Draft::new(base, self.draft.max_bytes());
        }
        settled
    }
}

/// What users want done.
impl Work {
    pub(crate) fn clear(&mut self, presented: bool) {
        let origin = match std::mem::replace(&mut self.origin, Origin::New) {
            Origin::Live(live) => {
                self.ending = Some(live.handle);
                Origin::New
            }
            origin => origin,
        };
        let removes = presented && matches!(origin, Origin::New);
        self.owed = removes.then_some(Owed::Remove);
        self.clears += 1;
        self.intent = Intent::default();
        self.draft = Draft::new(None, self.draft.max_bytes());
        self.origin = origin;
    }

    pub(crate) fn regenerate(&mut self) {
        self.intent.regenerate = true;
    }

    pub(crate) fn log_in(&mut self, user: Box<str>, at: Timestamp) {
        if self.user().is_some_and(|former| former != &*user) {
            self.intent = Intent {
                fresh: true,
                ..Intent::default()
            };
            self.draft = Draft::new(None, self.draft.max_bytes());
        }
        self.intent.login = Some(Login { user, at });
    }

    pub(crate) fn remember(&mut self, how_long: Duration) {
        let stored = self
            .draft
            .base()
            .and_then(|base| base.body().remember)
            .unwrap_or_default();
        self.intent.remember = (stored != how_long).then_some(how_long);
    }

    pub(crate) fn user(&self) -> Option<&str> {
        match &self.intent.login {
            Some(login) => Some(&login.user),
            None => self.draft.base()?.user(),
        }
    }

    pub(crate) fn authenticated_at(&self) -> Option<Timestamp> {
        match &self.intent.login {
            Some(login) => Some(login.at),
            None => self.draft.base()?.body().authenticated_at,
        }
    }
}

impl Origin {
    pub(crate) fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            Self::New | Self::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Op;

    const LIMIT: usize = 1_000;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    /// A session that began at minute 0, with the timeouts of 30 minutes and 12 hours.
    fn live(user: Option<&str>) -> Work {
        let mut work = Work::new(Origin::New, LIMIT);
        if let Some(user) = user {
            work.log_in(user.into(), at(0));
        }
        set(&mut work, "a", "1");
        let record = work.seal(at(0), &Expiry::default());
        let id = SessionId::random();
        Work::new(
            Origin::Live(Live {
                id,
                handle: id.handle(),
                record,
            }),
            LIMIT,
        )
    }

    fn set(work: &mut Work, key: &str, json: &str) {
        work.draft.record(key, Op::Put(json.into())).unwrap();
    }

    fn plan(work: &Work, minute: u64) -> Plan {
        work.plan(at(minute), &Expiry::default())
    }

    #[test]
    fn plans() {
        type Case = (&'static str, fn(&mut Work), [Plan; 3]);
        use Plan::{Create, Discard, Nothing, Regenerate, Replace};
        // What is to be done for a new visitor, a live session, and one that is gone.
        let table: [Case; 11] = [
            ("nothing", |_| {}, [Nothing, Nothing, Nothing]),
            (
                "a value",
                |work| set(work, "b", "2"),
                [Create, Replace, Discard],
            ),
            (
                "a value set and removed",
                |work| {
                    set(work, "b", "2");
                    work.draft.delete("b");
                },
                [Nothing, Nothing, Nothing],
            ),
            ("a new id", Work::regenerate, [Nothing, Regenerate, Discard]),
            (
                "a new id and a value",
                |work| {
                    work.regenerate();
                    set(work, "b", "2");
                },
                [Create, Regenerate, Discard],
            ),
            (
                "a login",
                |work| work.log_in("alice".into(), at(1)),
                [Create, Regenerate, Create],
            ),
            (
                "a longer life",
                |work| work.remember(Duration::from_secs(9)),
                [Nothing, Replace, Discard],
            ),
            (
                "a clear after all else",
                |work| {
                    set(work, "b", "2");
                    work.log_in("alice".into(), at(1));
                    work.remember(Duration::from_secs(9));
                    work.clear(true);
                    work.ending = None;
                },
                [Nothing, Nothing, Nothing],
            ),
            (
                "a value after a clear",
                |work| {
                    work.clear(true);
                    work.ending = None;
                    set(work, "b", "2");
                },
                [Create, Create, Discard],
            ),
            (
                "a login after a clear",
                |work| {
                    work.clear(true);
                    work.ending = None;
                    work.log_in("alice".into(), at(1));
                },
                [Create, Create, Create],
            ),
            (
                "changes that are rolled back",
                |work| {
                    set(work, "b", "2");
                    work.log_in("alice".into(), at(1));
                    work.roll_back();
                },
                [Nothing, Nothing, Nothing],
            ),
        ];
        for (what, change, expected) in table {
            let works = [
                Work::new(Origin::New, LIMIT),
                live(None),
                Work::new(Origin::Gone, LIMIT),
            ];
            let plans = works.map(|mut work| {
                change(&mut work);
                plan(&work, 1)
            });
            assert_eq!(plans, expected, "{what}");
        }
    }

    #[test]
    fn a_clear_ends_first_and_survives_a_failure() {
        let mut work = live(None);
        let Some(Live { handle, .. }) = work.origin.live().cloned() else {
            unreachable!()
        };
        work.clear(true);
        set(&mut work, "b", "2");
        assert_eq!(plan(&work, 1), Plan::End(handle));
        work.roll_back();
        assert_eq!(
            (plan(&work, 1), work.owed),
            (Plan::End(handle), Some(Owed::Remove))
        );
        work.apply(Turnout::Ended(true)).unwrap();
        assert_eq!(plan(&work, 1), Plan::Nothing);
    }

    #[test]
    fn only_a_cookie_that_was_sent_is_removed() {
        for (origin, presented, owed) in [
            (Origin::New, false, None),
            (Origin::New, true, Some(Owed::Remove)),
            (Origin::Gone, true, None),
        ] {
            let mut work = Work::new(origin, LIMIT);
            work.clear(presented);
            assert_eq!(work.owed, owed);
        }
        let mut lost = live(None);
        lost.clear(true);
        lost.apply(Turnout::Ended(false)).unwrap();
        assert_eq!(
            lost.owed, None,
            "somebody else ended it, and may have sent a newer cookie"
        );
    }

    #[test]
    fn a_touch_is_due_after_a_tenth_of_the_idle_timeout() {
        for (minute, expected) in [
            (2, Plan::Nothing),
            (3, Plan::Touch(at(33))),
            (29, Plan::Touch(at(59))),
        ] {
            assert_eq!(plan(&live(None), minute), expected);
        }
    }

    #[test]
    fn the_absolute_deadline_moves_with_a_login_only() {
        let deadline = |change: fn(&mut Work)| {
            let mut work = live(Some("alice"));
            change(&mut work);
            work.seal(at(60), &Expiry::default()).body().deadline
        };
        assert_eq!(deadline(|_| {}), at(720));
        assert_eq!(deadline(Work::regenerate), at(720));
        assert_eq!(
            deadline(|work| work.log_in("alice".into(), at(59))),
            at(59 + 720)
        );
        assert_eq!(
            deadline(|work| work.remember(Duration::from_secs(60))),
            at(61)
        );
    }

    #[test]
    fn another_user_starts_empty_and_the_same_one_does_not() {
        for (user, kept) in [("alice", true), ("bob", false)] {
            let mut work = live(Some("alice"));
            set(&mut work, "b", "2");
            work.log_in(user.into(), at(1));
            set(&mut work, "c", "3");
            let keys = if kept { vec!["a", "b", "c"] } else { vec!["c"] };
            assert_eq!(work.draft.keys(), keys);
            let newer = live(Some("alice")).origin.live().unwrap().record.clone();
            work.apply(Turnout::Newer(newer)).unwrap();
            assert_eq!(work.draft.keys(), keys, "also when it is done again");
            assert_eq!(work.seal(at(1), &Expiry::default()).user(), Some(user));
        }
    }

    #[test]
    fn remember_is_kept() {
        let mut work = live(None);
        work.remember(Duration::from_secs(7 * 24 * 3600));
        let record = work.seal(at(1), &Expiry::default());
        assert_eq!(record.expires(), at(1 + 7 * 24 * 60));
        work.apply(Turnout::Newer(record)).unwrap();
        work.intent = Intent::default();
        set(&mut work, "b", "2");
        assert_eq!(
            work.seal(at(2), &Expiry::default()).expires(),
            at(1 + 7 * 24 * 60)
        );
        work.remember(Duration::from_secs(7 * 24 * 3600));
        assert!(!work.changes_cookie(), "what it is already is no change");
        work.remember(Duration::ZERO);
        assert_eq!(
            work.seal(at(2), &Expiry::default()).expires(),
            at(32),
            "no longer remembered"
        );
    }
}
