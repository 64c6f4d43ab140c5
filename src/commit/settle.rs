use super::{
    base::Base,
    cookie_action::CookieAction,
    endings::Endings,
    intent::Intent,
    state::{SessionState, record},
    unit::Unit,
};
use crate::{change::InFlight, error::Error, record::Record};

/// What is given to a commit, and what it leaves pending.
impl SessionState {
    /// Gives all that is pending to a commit. It stays visible, and what is changed from now on is kept apart from it.
    pub(crate) fn begin(&mut self, is_transaction: bool) -> Unit {
        let copy = self.clone();
        let in_flight = self.changes.begin();
        if is_transaction {
            // Whatever keys the transaction changes.
            self.changes.keep_all();
        }
        let intent = copy.intent.clone();
        Unit::new(copy, intent, in_flight, is_transaction)
    }

    /// As [`begin`](Self::begin), but takes all of the state, as there is no other handle to observe it.
    #[inline]
    pub(crate) fn take(&mut self) -> Unit {
        let nothing = Self::new(self.changes.max_bytes());
        let state = std::mem::replace(self, nothing);
        // Nobody is left to see what of it is done.
        Unit::new(state, Intent::default(), InFlight::nothing(), false)
    }

    /// For a look at the newest record: where the session stands, and nothing of what is pending.
    pub(crate) fn begin_reload(&self) -> Unit {
        let mut state = Self::new(self.changes.max_bytes());
        state.base = self.base.clone();
        state.clear_epoch = self.clear_epoch;
        state.skip_touch = self.skip_touch;
        state.in_time = self.in_time;
        state.headers_sent = self.headers_sent;
        Unit::new(state, Intent::default(), InFlight::nothing(), false)
    }

    /// A look at the newest record is over. What is pending stays so, on top of it.
    ///
    /// # Errors
    /// If what is pending cannot be replayed. Then nothing is changed.
    pub(crate) fn reloaded(
        &mut self,
        unit: &Unit,
        base: &Base,
        cookie: Option<CookieAction>,
    ) -> Result<(), Error> {
        let newer = match base {
            _ if self.clear_epoch != unit.state.clear_epoch => return Ok(()),
            Base::New => return Ok(()),
            Base::Live(stored) => Some(stored.record.clone()),
            Base::Gone => None,
        };
        self.apply_newer(newer)?;
        if cookie.is_some() && !self.headers_sent {
            self.cookie = cookie;
        }
        Ok(())
    }

    /// A commit is over, and led to this base. Replays what came later on top of it.
    ///
    /// # Errors
    /// [`Error::is_gone`] if the session has ended. If what came later cannot be replayed, it is given up.
    pub(crate) fn ack(
        &mut self,
        unit: &Unit,
        base: Base,
        cookie: Option<CookieAction>,
    ) -> Result<(), Error> {
        if !self.take_over(unit, base, cookie) {
            return Ok(());
        }
        let data = record(&self.base, &self.intent).map(Record::data);
        // What came before a login on a session that has ended goes with it, as if it had been loaded so.
        let replayed = match self.is_gone() {
            true => Err(Error::gone()),
            false => self.changes.ack(&unit.in_flight, data),
        };
        if replayed.is_err() {
            self.changes.reset(data);
        }
        match self.base {
            Base::Gone => replayed.and(Err(Error::gone())),
            _ => replayed,
        }
    }

    /// As [`ack`](Self::ack), but leaves what came later to be replayed by the next commit.
    pub(crate) fn ack_without_replay(
        &mut self,
        unit: &Unit,
        base: Base,
        cookie: Option<CookieAction>,
    ) {
        if self.take_over(unit, base, cookie) {
            let data = record(&self.base, &self.intent).map(Record::data);
            self.changes.ack_without_replay(&unit.in_flight, data);
        }
    }

    /// Takes over where a commit has led, except the data. Answers `false` if the session was cleared since it began.
    fn take_over(&mut self, unit: &Unit, base: Base, cookie: Option<CookieAction>) -> bool {
        if self.clear_epoch != unit.state.clear_epoch {
            // Cleared while the commit was in flight: what it stored has to end too.
            self.sync_endings(unit);
            let Some(stored) = base.live() else {
                return false;
            };
            let moved_from = unit.state.base.live().map(|stored| stored.handle);
            match self.endings.own {
                // What was cleared is this very session, which the commit may have moved.
                own if own.is_none() || own == moved_from => {
                    self.endings.own = Some(stored.handle);
                }
                _ => self.endings.others.push(stored.handle),
            }
            return false;
        }
        // Without a session, `remember` and `regenerate` stay, for one that begins later in this request.
        if !matches!(base, Base::New) {
            self.intent.ack(&unit.intent);
            self.abandoned = None;
        }
        self.endings = Endings::default();
        self.outdated = false;
        self.is_cached = false;
        self.cookie = cookie;
        self.base = base;
        true
    }

    /// A commit is over and has stored nothing of these changes, but it may have ended what was cleared.
    pub(crate) fn abort(&mut self, unit: &Unit) {
        self.sync_endings(unit);
        if let Some(abandoned) = unit.abandoned() {
            match self.clear_epoch == unit.state.clear_epoch {
                true => self.abandoned = Some(Box::new(abandoned)),
                false => self.endings.others.push(abandoned.handle()),
            }
        }
        let data = record(&self.base, &self.intent).map(Record::data);
        self.changes.abort(&unit.in_flight, data);
    }

    /// The outcome of a commit can no longer be determined. It is not tried again, and its changes are dropped.
    pub(crate) fn give_up(&mut self, unit: &Unit) {
        self.sync_endings(unit);
        if self.clear_epoch == unit.state.clear_epoch {
            self.intent.ack(&unit.intent);
        }
        let data = record(&self.base, &self.intent).map(Record::data);
        self.changes.ack_without_replay(&unit.in_flight, data);
    }

    /// Takes over what a commit has done for good though it goes on, or failed: a session that is deleted stays so.
    pub(crate) fn sync_endings(&mut self, unit: &Unit) {
        for handle in &unit.ended {
            self.endings.remove(*handle);
        }
        if self.clear_epoch != unit.state.clear_epoch {
            return;
        }
        self.endings.clone_from(&unit.state.endings);
        if matches!(self.base, Base::New) && unit.state.is_lost_ending() {
            self.cookie = None;
            self.base = Base::Gone;
        }
    }

    /// If the session was cleared since a commit that is in doubt began, whatever it has stored is to end as well.
    pub(crate) fn end_leftovers(&mut self, unit: &Unit) -> bool {
        let is_cleared = self.clear_epoch != unit.state.clear_epoch;
        if is_cleared {
            self.endings.others.extend(unit.leftovers());
        }
        is_cleared
    }

    /// Whether a unit in doubt is only looked up, and committed together with what came later if it is not stored: a
    /// session that is not begun yet is begun with all of it, or not at all.
    pub(crate) fn joins(&self, unit: &Unit) -> bool {
        unit.may_have_created() && (self.changes.has_pending() || self.intent != unit.intent)
    }
}
