use super::{base::Base, intent::Intent, state::SessionState};
use crate::{
    expiry::Expiry,
    id::Handle,
    record::{Body, CommitIds, Record, Version},
    time::Timestamp,
};

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

/// The decision, and what is to be stored. Pure: the time is an argument, and nothing is asked or done.
impl SessionState {
    pub(crate) fn plan(&self, now: impl FnOnce() -> Timestamp, expiry: &Expiry) -> Plan {
        if let Some(handle) = self.ending {
            return Plan::End(handle);
        }
        let Intent {
            regenerate,
            ref login,
            remember,
            ..
        } = self.intent;
        let changed = self.is_changed();
        match &self.origin {
            Base::New | Base::Gone if login.is_some() => Plan::Create,
            Base::New if changed => Plan::Create,
            Base::New => Plan::Nothing,
            Base::Gone if changed || regenerate || remember.is_some() => Plan::Discard,
            Base::Gone => Plan::Nothing,
            Base::Live(_) if regenerate || login.is_some() => Plan::Regenerate,
            Base::Live(_) if changed || remember.is_some() => Plan::Replace,
            Base::Live(_) if self.outdated => Plan::Reissue,
            Base::Live(live) => expiry
                .touch_due(&live.record, now())
                .map_or(Plan::Nothing, Plan::Touch),
        }
    }

    /// The record as it is to be stored now.
    pub(crate) fn seal(&self, now: Timestamp, expiry: &Expiry) -> Record {
        let base = self.base().map(Record::body);
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
            commits: CommitIds::default(),
            data: self.changes.seal(self.base().map(Record::data)),
        };
        let version = self
            .origin
            .live()
            .map_or(Version::FIRST, |live| live.record.version().next());
        Record::new(version, expiry.expires_at(now, remember, deadline), body)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        id::SessionId,
        op::Op,
        session::{
            base::Live,
            state::{CookieAction, Turnout},
        },
    };

    const LIMIT: usize = 1_000;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    /// A session that began at minute 0, with the timeouts of 30 minutes and 12 hours.
    fn live(user: Option<&str>) -> SessionState {
        let mut work = SessionState::new(LIMIT);
        if let Some(user) = user {
            work.log_in(user.into(), at(0));
        }
        set(&mut work, "a", "1");
        let record = work.seal(at(0), &Expiry::default());
        let id = SessionId::random();
        let handle = id.handle();
        let mut work = SessionState::new(LIMIT);
        work.open(Live { id, handle, record }, false);
        work
    }

    fn gone() -> SessionState {
        let mut work = SessionState::new(LIMIT);
        work.origin = Base::Gone;
        work
    }

    fn set(work: &mut SessionState, key: &str, json: &str) {
        work.draft().record(key, Op::Put(json.into())).unwrap();
    }

    fn plan(work: &SessionState, minute: u64) -> Plan {
        work.plan(|| at(minute), &Expiry::default())
    }

    #[test]
    fn plans() {
        type Case = (&'static str, fn(&mut SessionState), [Plan; 3]);
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
                    work.draft().delete("b");
                },
                [Nothing, Nothing, Nothing],
            ),
            (
                "a new id",
                SessionState::regenerate,
                [Nothing, Regenerate, Discard],
            ),
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
            let works = [SessionState::new(LIMIT), live(None), gone()];
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
            (Plan::End(handle), Some(CookieAction::Remove))
        );
        work.apply(Turnout::Ended(true)).unwrap();
        assert_eq!(plan(&work, 1), Plan::Nothing);
    }

    #[test]
    fn only_a_cookie_that_was_sent_is_removed() {
        for (mut work, presented, owed) in [
            (SessionState::new(LIMIT), false, None),
            (SessionState::new(LIMIT), true, Some(CookieAction::Remove)),
            (gone(), true, None),
        ] {
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
        let deadline = |change: fn(&mut SessionState)| {
            let mut work = live(Some("alice"));
            change(&mut work);
            work.seal(at(60), &Expiry::default()).body().deadline
        };
        assert_eq!(deadline(|_| {}), at(720));
        assert_eq!(deadline(SessionState::regenerate), at(720));
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
            assert_eq!(work.draft().keys(), keys);
            let newer = live(Some("alice")).origin.live().unwrap().record.clone();
            work.apply(Turnout::Newer(newer)).unwrap();
            assert_eq!(work.draft().keys(), keys, "also when it is done again");
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
