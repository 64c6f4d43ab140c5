use super::{
    base::Base,
    cookie_action::CookieAction,
    found::Found,
    intent::{Intent, Login},
    state::SessionState,
};
use crate::{
    change::Data,
    error::Error,
    expiry::Expiry,
    id::Handle,
    record::{Body, CommitId, CommitIds, Record, Version},
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
    Move,
    /// Look at the record, then plan again: the snapshot is too old to decide from.
    Refresh,
    /// Delete this session, then plan again.
    End(Handle),
}

impl Found {
    /// What has to be done for a request that only read.
    #[inline]
    pub(crate) fn plan(&self, now: impl FnOnce() -> Timestamp, expiry: &Expiry) -> Plan {
        match self.stored() {
            None => Plan::Nothing,
            Some(_) if self.outdated => Plan::Reissue,
            Some(stored) => plan_use(&stored.record, now(), expiry),
        }
    }
}

/// What a use of the session takes, where nothing is to be written.
#[inline]
fn plan_use(record: &Record, now: Timestamp, expiry: &Expiry) -> Plan {
    match expiry.touch_due(record, now) {
        // Its client has to be told that the cookie lasts longer.
        Some(_) if record.body().remember.is_some() => Plan::Reissue,
        Some(end) if expiry.is_live(record, now) => Plan::Touch(end),
        _ => Plan::Nothing,
    }
}

/// The decision, and what is to be stored. Pure: the time is an argument, and nothing is asked or done.
impl SessionState {
    #[inline]
    pub(crate) fn plan(&self, now: impl FnOnce() -> Timestamp, expiry: &Expiry) -> Plan {
        if !self.endings.is_empty() {
            return self.plan_ending();
        }
        let Intent {
            regenerate,
            ref login,
            ref remember,
            ref details,
            ..
        } = self.intent;
        let changed = self.changes_data();
        let stored = match &self.base {
            Base::New | Base::Gone if login.is_some() => return Plan::Create,
            Base::New if changed => return Plan::Create,
            Base::Gone if changed || !self.intent.is_empty() => return Plan::Discard,
            Base::New | Base::Gone => return Plan::Nothing,
            Base::Live(stored) => stored,
        };
        let writes =
            changed || regenerate || login.is_some() || remember.is_some() || details.is_some();
        if self.changes.is_stale() {
            return Plan::Refresh;
        }
        if self.headers_sent && (writes || self.changes.has_pending()) {
            let is_live = expiry.is_live(&stored.record, now());
            return match writes {
                _ if !is_live => Plan::Refresh,
                false => Plan::Refresh,
                true if regenerate || login.is_some() => Plan::Move,
                true => Plan::Replace,
            };
        }
        if regenerate || login.is_some() {
            return Plan::Move;
        }
        if writes {
            return Plan::Replace;
        }
        if self.is_cached && self.changes.has_pending() {
            return Plan::Refresh;
        }
        match self.outdated {
            true => Plan::Reissue,
            false if self.skip_touch => Plan::Nothing,
            false => plan_use(&stored.record, now(), expiry),
        }
    }

    /// What a live session's changes come to, if there are some.
    pub(super) fn plan_write(&self) -> Plan {
        match self.intent.regenerate || self.has_login() {
            true => Plan::Move,
            false if self.writes() => Plan::Replace,
            false => Plan::Nothing,
        }
    }

    #[cold]
    fn plan_ending(&self) -> Plan {
        self.endings.first().map_or(Plan::Nothing, Plan::End)
    }

    /// What a write that leaves the session its id does to the cookie: the client needs it again with another age, or
    /// signed by the present key.
    #[inline]
    pub(super) fn cookie_after_write(
        &self,
        now: Timestamp,
        expiry: &Expiry,
    ) -> Option<CookieAction> {
        if self.intent.remember.is_some() || self.outdated {
            return Some(CookieAction::Set);
        }
        let remembered = self
            .base
            .live()
            .filter(|stored| stored.record.body().remember.is_some() && !self.skip_touch);
        match remembered {
            Some(stored) if expiry.touch_due(&stored.record, now).is_some() => {
                Some(CookieAction::Set)
            }
            _ => self.cookie,
        }
    }

    /// The record to store now, with the id of this commit.
    ///
    /// # Errors
    /// [`Error::is_too_large`] if the user's name does not fit beside the data.
    pub(super) fn to_record(
        &self,
        now: Timestamp,
        expiry: &Expiry,
        commit: Option<CommitId>,
    ) -> Result<Record, Error> {
        let record = self.record();
        let base = record.map(Record::body);
        let Intent {
            ref login,
            remember: wish,
            ..
        } = self.intent;
        let remember = match wish {
            Some(wish) => wish.how_long,
            None => base.and_then(|base| base.remember),
        };
        let authenticated_at = match login {
            Some(login) => Some(login.at),
            None => base.and_then(|base| base.authenticated_at),
        };
        let deadline = match (base, login, wish) {
            (Some(base), None, None) => base.deadline,
            // No longer remembered: as if it had begun now, but no longer than it could have lived.
            (Some(base), None, Some(wish)) if wish.how_long.is_none() => {
                base.deadline.min(expiry.deadline(now, None))
            }
            (Some(base), None, Some(_)) => {
                expiry.deadline(base.authenticated_at.unwrap_or(base.created_at), remember)
            }
            (_, Some(login), _) => expiry.deadline(login.at, remember),
            (None, None, _) => expiry.deadline(now, remember),
        };
        let expires_at = match record {
            Some(record) if self.skip_touch && login.is_none() && wish.is_none() => {
                record.expires()
            }
            _ => expiry.expires_at(now, remember, deadline),
        };
        // Also where another user's session begins empty: a commit of before is looked up in what it leaves.
        let commits = self.base.live().map(|stored| &stored.record.body().commits);
        let commits = commits.cloned().unwrap_or_default();
        let body = Body {
            created_at: base.map_or(now, |base| base.created_at),
            authenticated_at,
            deadline,
            remember,
            user: self.user().map(Into::into),
            tombstone: false,
            details: self
                .intent
                .details_after(base.and_then(|base| base.details.as_ref())),
            commits: commit.map_or(CommitIds::default(), |commit| commits.with(commit)),
            data: self.changes.to_data(record.map(Record::data)),
        };
        let version = self
            .base
            .live()
            .map_or(Version::FIRST, |stored| stored.record.version().next());
        if let Some(login) = login {
            self.check_size(login, &body.data)?;
        }
        Ok(Record::new(version, expires_at, body))
    }

    #[cold]
    fn check_size(&self, login: &Login, data: &Data) -> Result<(), Error> {
        let limit = self.changes.max_bytes();
        match data.bytes() + login.user.len() > limit {
            true => Err(Error::user_too_large(limit)),
            false => Ok(()),
        }
    }
}
