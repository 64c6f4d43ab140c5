use std::time::Duration;

use super::{
    base::{Base, Live},
    intent::{Intent, Login},
};
use crate::{
    draft::{Changes, Draft},
    error::Error,
    id::Handle,
    record::Record,
    time::{Timestamp, millis},
};

/// What a request knows of its session and wants done with it. Values only: what is to be done is decided here, as
/// a [`Plan`], and done elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct SessionState {
    pub(crate) origin: Base,
    pub(crate) changes: Changes,
    pub(crate) intent: Intent,
    /// A session that was cleared, to be deleted before anything else.
    pub(crate) ending: Option<Handle>,
    /// How often it was cleared, to tell whether that happened while a commit was under way.
    clears: u32,
    /// How often it became another user's.
    users: u32,
    /// The client's cookie was signed by a previous key.
    pub(crate) outdated: bool,
    /// What the response is to do to the client's cookie, so far.
    pub(crate) owed: Option<CookieAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookieAction {
    /// The cookie of the live session.
    Set,
    Remove,
}

/// What a commit did of the work that is pending while it runs.
#[derive(Debug)]
pub(crate) struct Done {
    clears: u32,
    intent: Intent,
}

/// What the work has to be changed to before it is planned again.
#[derive(Debug, Clone)]
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

impl SessionState {
    /// Nothing to do, with a session that is nowhere yet.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            origin: Base::New,
            changes: Changes::new(None, max_bytes),
            intent: Intent::default(),
            ending: None,
            clears: 0,
            users: 0,
            outdated: false,
            owed: None,
        }
    }

    /// The session is this one.
    #[inline]
    pub(crate) fn open(&mut self, live: Live, outdated: bool) {
        self.changes.begin(live.record.data());
        self.origin = Base::Live(live);
        self.outdated = outdated;
    }

    /// The record whose data the request sees and changes.
    pub(crate) fn base(&self) -> Option<&Record> {
        base(&self.origin, &self.intent)
    }

    /// The values as the request sees and changes them.
    pub(crate) fn draft(&mut self) -> Draft<'_> {
        let base = base(&self.origin, &self.intent).map(Record::data);
        Draft::new(base, &mut self.changes)
    }

    pub(crate) fn apply(&mut self, turnout: Turnout) -> Result<(), Error> {
        match turnout {
            Turnout::IdTaken => Ok(()),
            Turnout::Ended(by_us) => {
                self.end(by_us);
                Ok(())
            }
            Turnout::Lost => {
                if self.logs_in() {
                    self.changes.rebase(None)?;
                }
                self.owed = None;
                self.origin = Base::Gone;
                if self.is_gone() {
                    self.roll_back();
                }
                Ok(())
            }
            Turnout::Newer(record) => {
                // Cleared meanwhile: what it was before no longer matters.
                let Base::Live(live) = &mut self.origin else {
                    return Ok(());
                };
                let base = Some(record.data()).filter(|_| self.intent.keeps_data());
                self.changes.rebase(base)?;
                live.record = record;
                Ok(())
            }
        }
    }

    /// Whether anything is to be stored, be it in vain.
    pub(crate) fn writes(&self) -> bool {
        self.ending.is_some() || !self.intent.is_empty() || self.is_changed()
    }

    /// Whether there would be other data than there is.
    pub(crate) fn is_changed(&self) -> bool {
        !self.changes.is_empty(|| self.base().map(Record::data))
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
        matches!(self.origin, Base::Gone) && !self.logs_in()
    }

    pub(crate) fn still_there(&self) -> Result<(), Error> {
        if self.is_gone() {
            Err(Error::gone())
        } else {
            Ok(())
        }
    }

    /// A copy to commit. What is changed meanwhile is kept for [`settle`](Self::settle).
    pub(crate) fn copy(&mut self) -> Self {
        self.release();
        let mut copy = self.clone();
        copy.changes.keep_all();
        self.changes.hold();
        copy
    }

    /// No copy is being committed, or no more.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.changes.is_under_way() {
            let base = base(&self.origin, &self.intent).map(Record::data);
            self.changes.release(base);
            let known = self.remembered();
            self.intent.remember = self.intent.remember.filter(|wish| *wish != known);
        }
    }

    /// Whether what users want done is the same.
    pub(crate) fn wants_as(&self, other: &Self) -> bool {
        let wants = |work: &Self| (work.clears, work.users, work.ending);
        wants(self) == wants(other) && self.intent == other.intent && self.changes == other.changes
    }

    /// All there is to do when the handler is over, leaving nothing to do. If it cannot be done, the client still
    /// needs the cookie of what was saved before; nothing else is true of it.
    pub(crate) fn take_rest(&mut self) -> Self {
        let saved = self.owed.filter(|owed| *owed == CookieAction::Set);
        let nothing = self.after(self.origin.clone(), saved);
        std::mem::replace(self, nothing)
    }

    /// Goes on from where a commit of all there is led, without another change meanwhile.
    pub(crate) fn restart(&mut self, origin: Base, owed: Option<CookieAction>) {
        *self = self.after(origin, owed);
    }

    /// Nothing to do, in the same request.
    fn after(&self, origin: Base, owed: Option<CookieAction>) -> Self {
        let max_bytes = self.changes.max_bytes();
        Self {
            changes: Changes::new(origin.live().map(|live| live.record.data()), max_bytes),
            origin,
            clears: self.clears,
            users: self.users,
            owed,
            ..Self::new(max_bytes)
        }
    }

    /// What a commit of this work will have done of what is pending by then, where a copy of it is committed.
    pub(crate) fn pending(&self) -> Done {
        Done {
            clears: self.clears,
            intent: self.intent.clone(),
        }
    }

    /// The same where it was [taken](Self::take_rest): nothing that is pending by then.
    pub(crate) fn taken(&self) -> Done {
        Done {
            clears: self.clears,
            intent: Intent::default(),
        }
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
            self.origin = Base::Gone;
        }
    }

    /// Gives up all changes; but what was cleared stays cleared.
    pub(crate) fn roll_back(&mut self) {
        self.intent = Intent::default();
        let base = base(&self.origin, &self.intent).map(Record::data);
        self.changes.reset(base);
    }

    /// Goes on after a commit led to `origin`.
    pub(crate) fn settle(
        &mut self,
        done: &Done,
        origin: Base,
        owed: Option<CookieAction>,
    ) -> Result<(), Error> {
        if self.clears != done.clears {
            // Cleared while the commit was under way: what it stored has to end too.
            if let Some(live) = origin.live() {
                self.ending = Some(live.handle);
            }
            return Ok(());
        }
        self.intent.settle(&done.intent);
        self.ending = None;
        self.outdated = false;
        self.owed = owed;
        self.origin = origin;
        let base = base(&self.origin, &self.intent).map(Record::data);
        // What came before a login on a session that has ended goes with it, as if it had been loaded so.
        let settled = match self.is_gone() {
            true => Err(Error::gone()),
            false => self.changes.settle(base),
        };
        if settled.is_err() {
            self.changes.reset(base);
        }
        match self.origin {
            Base::Gone => settled.and(Err(Error::gone())),
            _ => settled,
        }
    }
}

fn base<'a>(origin: &'a Base, intent: &Intent) -> Option<&'a Record> {
    let live = origin.live().filter(|_| intent.keeps_data())?;
    Some(&live.record)
}

/// What users want done.
impl SessionState {
    pub(crate) fn clear(&mut self, presented: bool) {
        let origin = match std::mem::replace(&mut self.origin, Base::New) {
            Base::Live(live) => {
                self.ending = Some(live.handle);
                Base::New
            }
            origin => origin,
        };
        let removes = presented && matches!(origin, Base::New);
        self.owed = removes.then_some(CookieAction::Remove);
        self.clears += 1;
        self.intent = Intent::default();
        self.changes.reset(None);
        self.origin = origin;
    }

    pub(crate) fn regenerate(&mut self) {
        self.intent.regenerate = true;
    }

    pub(crate) fn log_in(&mut self, user: Box<str>, at: Timestamp) {
        if self.user().is_some_and(|former| former != &*user) {
            self.intent = Intent::another_user(self.users);
            self.users += 1;
            self.changes.reset(None);
        }
        self.intent.login = Some(Login { user, at });
    }

    pub(crate) fn remember(&mut self, how_long: Duration) {
        let how_long = as_stored(how_long);
        // Another wish may be under way.
        let is_new = how_long != self.remembered() || self.changes.is_under_way();
        self.intent.remember = is_new.then_some(how_long);
    }

    /// For how long the stored session is remembered, if it is.
    fn remembered(&self) -> Duration {
        let stored = self.base().and_then(|base| base.body().remember);
        stored.unwrap_or_default()
    }

    pub(crate) fn user(&self) -> Option<&str> {
        match &self.intent.login {
            Some(login) => Some(&login.user),
            None => self.base()?.user(),
        }
    }

    pub(crate) fn authenticated_at(&self) -> Option<Timestamp> {
        match &self.intent.login {
            Some(login) => Some(login.at),
            None => self.base()?.body().authenticated_at,
        }
    }
}

/// Zero, or what a cookie's seconds and a record's milliseconds can tell.
fn as_stored(how_long: Duration) -> Duration {
    if how_long.is_zero() {
        return how_long;
    }
    Duration::from_millis(millis(how_long)).max(Duration::from_secs(1))
}
