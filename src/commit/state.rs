use std::{sync::Arc, time::Duration};

use super::{
    abandoned::Abandoned,
    base::{Base, Stored},
    cookie_action::CookieAction,
    endings::Endings,
    found::Found,
    intent::{Intent, Login, Remember},
};
#[cfg(feature = "dbsc")]
use crate::record::Device;
use crate::{
    change::{Changes, Draft},
    error::Error,
    expiry::Expiry,
    id::Handle,
    record::{Alias, Details, Record, Stamp},
    time::Timestamp,
};

/// What a request knows of its session and wants done with it: the content of a unit of work.
#[derive(Debug, Clone)]
pub(crate) struct SessionState {
    pub(crate) base: Base,
    pub(crate) changes: Changes,
    pub(super) intent: Intent,
    /// What was cleared, to be deleted before anything else.
    pub(super) endings: Endings,
    /// How often it was cleared, to tell whether that happened while a commit was in flight.
    pub(super) clear_epoch: u32,
    user_epoch: u32,
    remembered: u32,
    /// The create of an earlier commit. Boxed, as it is rare.
    pub(super) abandoned: Option<Box<Abandoned>>,
    /// The client's cookie was signed by a previous key.
    pub(crate) outdated: bool,
    /// The request does not count as a use of the session.
    pub(super) skip_touch: bool,
    /// The client came with a session that has ended.
    came_with_ended: bool,
    /// The session that the client came with, if it may not use it: its device has not vouched for the request.
    unbound: Option<Handle>,
    /// When the request found its session alive, until its response headers are sent: what it does until then is in
    /// time.
    pub(super) in_time: Option<Timestamp>,
    /// The response headers are sent: no cookie can be set any more, and the snapshot may be old.
    pub(crate) headers_sent: bool,
    /// The snapshot is from a near cache.
    pub(super) is_cached: bool,
    /// What the response has to do to the client's cookie, so far.
    pub(crate) cookie: Option<CookieAction>,
}

impl SessionState {
    /// Nothing to do yet, with the session that a request has found.
    #[inline]
    pub(crate) fn of(found: &Found, max_bytes: usize) -> Self {
        let base = found.base.clone();
        let mut changes = Changes::new(base.live().map(|stored| stored.record.data()), max_bytes);
        if found.is_cached {
            changes.keep_redundant();
        }
        Self {
            base,
            changes,
            intent: Intent::default(),
            endings: Endings::default(),
            clear_epoch: 0,
            user_epoch: 0,
            remembered: 0,
            abandoned: None,
            outdated: found.outdated,
            skip_touch: false,
            came_with_ended: found.came_with_ended,
            unbound: found.unbound,
            in_time: found.at,
            headers_sent: false,
            is_cached: found.is_cached,
            cookie: None,
        }
    }

    /// Nothing to do, with a session that is nowhere yet.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self::of(&Found::default(), max_bytes)
    }

    #[cfg(feature = "dbsc")]
    pub(crate) fn is_unbound(&self) -> bool {
        self.unbound.is_some()
    }

    /// No cookie can be sent from now on, and what "already there" means is decided against the record at the commit.
    pub(crate) fn mark_headers_sent(&mut self) {
        self.headers_sent = true;
        self.in_time = None;
        self.changes.keep_redundant();
    }

    /// The session in the store, where it is certain that there is one.
    #[inline]
    pub(super) fn stored(&self) -> &Stored {
        let stored = self.base.live();
        stored.expect("only a live session is changed in the store")
    }

    /// The record whose data the request sees and changes.
    #[inline]
    pub(crate) fn record(&self) -> Option<&Record> {
        record(&self.base, &self.intent)
    }

    /// The values as the request sees and changes them.
    #[inline]
    pub(crate) fn draft(&mut self) -> Draft<'_> {
        let record = record(&self.base, &self.intent);
        let login = self.intent.login.as_ref();
        let user = login
            .map(|login| &*login.user)
            .or(record.and_then(Record::user));
        self.changes.reserve(user.map_or(0, str::len));
        Draft::new(record.map(Record::data), &mut self.changes)
    }

    /// Whether anything is pending, even if it would change nothing.
    pub(crate) fn has_changes(&self) -> bool {
        !self.endings.is_empty() || !self.intent.is_empty() || self.changes.has_pending()
    }

    /// Whether a commit would change something of a live session.
    pub(super) fn writes(&self) -> bool {
        self.changes_data() || !self.intent.is_empty()
    }

    /// Whether there would be other data than there is.
    #[inline]
    pub(super) fn changes_data(&self) -> bool {
        self.changes.differ_from(|| self.record().map(Record::data))
    }

    /// Whether a login is pending.
    pub(crate) fn has_login(&self) -> bool {
        self.intent.login.is_some()
    }

    /// Whether nothing but a login could be stored any more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.base, Base::Gone) && !self.has_login()
    }

    /// Whether the client came with a session that is over or moved, or this request has learnt that it is.
    pub(crate) fn is_ended(&self) -> bool {
        match self.base {
            Base::New => self.came_with_ended,
            Base::Live(_) => false,
            Base::Gone => true,
        }
    }

    /// # Errors
    /// [`Error::is_gone`] if [it is](Self::is_gone).
    pub(crate) fn ensure_live(&self) -> Result<(), Error> {
        match self.is_gone() {
            true => Err(Error::gone()),
            false => Ok(()),
        }
    }

    /// Whether a record is that of a session which lives for this request.
    pub(super) fn is_live(&self, record: &Record, now: Timestamp, expiry: &Expiry) -> bool {
        !record.is_tombstone() && expiry.is_in_time(record, self.in_time.unwrap_or(now), now)
    }

    /// Whether the session was alive when the request came, and has passed its end since.
    pub(super) fn has_expired_meanwhile(&self, now: Timestamp, expiry: &Expiry) -> bool {
        let stored = self.base.live();
        self.in_time.is_some() && stored.is_some_and(|stored| !expiry.is_live(&stored.record, now))
    }
}

/// The record that a state is based on.
#[inline]
pub(super) fn record<'a>(base: &'a Base, intent: &Intent) -> Option<&'a Record> {
    let stored = base.live().filter(|_| intent.keeps_data())?;
    Some(&stored.record)
}

/// What the application wants done.
impl SessionState {
    /// Ends the session, and these others that the client presented. Answers whether there was one of its own to end.
    pub(crate) fn clear(&mut self, presented: bool, others: Vec<Handle>) -> bool {
        let unbound = self.unbound.take();
        let base = match (std::mem::replace(&mut self.base, Base::New), unbound) {
            (Base::Live(Stored { handle, .. }), _) | (Base::Gone, Some(handle)) => {
                self.endings.own = Some(handle);
                Base::New
            }
            (base, _) => base,
        };
        let removes = presented && matches!(base, Base::New);
        self.cookie = removes.then_some(CookieAction::Remove);
        self.endings.others.extend(others);
        let abandoned = self.abandoned.take();
        self.endings
            .others
            .extend(abandoned.map(|abandoned| abandoned.handle()));
        self.clear_epoch += 1;
        self.intent = Intent::default();
        self.changes.reset(None);
        self.base = base;
        self.endings.own.is_some()
    }

    /// Whether that was done in this request.
    #[cfg(any(
        feature = "redis",
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql"
    ))]
    #[cfg(feature = "flask")]
    pub(crate) fn is_cleared(&self) -> bool {
        self.clear_epoch > 0
    }

    pub(crate) fn regenerate(&mut self) {
        self.intent.regenerate = true;
    }

    pub(crate) fn log_in(&mut self, user: Box<str>, stamp: Option<Stamp>, at: Timestamp) {
        if self.user().is_some_and(|former| former != &*user) {
            self.intent = Intent::another_user(self.user_epoch);
            self.user_epoch += 1;
            self.changes.reset(None);
        }
        self.intent.login = Some(Login { user, stamp, at });
        // It goes on in a new session if this one has ended by its commit, where what changes nothing here would be missing.
        self.changes.keep_redundant();
        if let Some(edit) = &mut self.intent.details {
            edit.aliases.clear();
        }
    }

    pub(crate) fn remember(&mut self, how_long: Duration) {
        self.remembered += 1;
        self.intent.remember = Some(Remember::new(how_long, self.remembered));
    }

    /// How a list of sessions shows it. An empty label removes it.
    pub(crate) fn set_label(&mut self, label: Box<str>) {
        self.intent.edit_details().label = Some(label);
    }

    pub(crate) fn set_alias(&mut self, alias: Alias) {
        let edit = self.intent.edit_details();
        edit.aliases.retain(|other| other.name != alias.name);
        edit.aliases.push(alias);
    }

    /// Binds the session to this device, unless it is bound.
    #[cfg(feature = "dbsc")]
    pub(crate) fn bind(&mut self, device: Arc<Device>) {
        self.intent.edit_details().device = Some(device);
    }

    pub(crate) fn details(&self) -> Option<Arc<Details>> {
        let before = self
            .record()
            .and_then(|record| record.body().details.as_ref());
        self.intent.details_after(before)
    }

    /// For how long each use keeps the session, in place of the idle timeout.
    pub(crate) fn remembered(&self) -> Option<Duration> {
        match self.intent.remember {
            Some(wish) => wish.how_long,
            None => self.record()?.body().remember,
        }
    }

    pub(crate) fn skip_touch(&mut self) {
        self.skip_touch = true;
    }

    pub(crate) fn user(&self) -> Option<&str> {
        match &self.intent.login {
            Some(login) => Some(&login.user),
            None => self.record()?.user(),
        }
    }

    pub(crate) fn authenticated_at(&self) -> Option<Timestamp> {
        match &self.intent.login {
            Some(login) => Some(login.at),
            None => self.record()?.body().authenticated_at,
        }
    }

    /// Drops what is pending, except that what was cleared stays cleared. Answers whether anything was.
    pub(crate) fn roll_back(&mut self) -> bool {
        let had_changes = !self.intent.is_empty() || self.changes.has_pending();
        self.intent = Intent::default();
        let base = record(&self.base, &self.intent).map(Record::data);
        self.changes.drop_pending(base);
        had_changes
    }
}

/// What others have done to the session.
impl SessionState {
    /// Whether the request counts as a use of the session.
    pub(super) fn counts_as_use(&self) -> bool {
        !self.skip_touch
    }

    /// The newest record, or `None` if the session is over. What is pending stays, on top of it.
    ///
    /// # Errors
    /// If what is pending cannot be replayed. Then nothing is changed.
    pub(super) fn apply_newer(&mut self, newer: Option<Record>) -> Result<(), Error> {
        let Some(record) = newer else {
            if self.has_login() {
                self.changes.rebase(None)?;
            }
            self.cookie = None;
            self.base = Base::Gone;
            if self.is_gone() {
                self.intent = Intent::default();
                self.changes.reset(None);
            }
            return Ok(());
        };
        // Cleared meanwhile: what it was before no longer matters.
        let Base::Live(stored) = &mut self.base else {
            return Ok(());
        };
        let data = Some(record.data()).filter(|_| self.intent.keeps_data());
        self.changes.rebase(data)?;
        stored.record = record;
        self.is_cached = false;
        Ok(())
    }

    /// Another request has ended or moved the session before it could be deleted.
    pub(super) fn lose_ending(&mut self) {
        self.endings.own = None;
        self.cookie = None;
        self.base = Base::Gone;
    }

    pub(super) fn is_lost_ending(&self) -> bool {
        matches!(self.base, Base::Gone) && self.endings.own.is_none() && self.cookie.is_none()
    }

    /// The cookie that is due after a failed commit: not that of a session which has ended since it was due, as the client
    /// may have another by now.
    pub(crate) fn cookie_unless_ended(&self, error: &Error) -> Option<CookieAction> {
        self.cookie
            .filter(|action| *action != CookieAction::Set || !error.is_of_ended_session())
    }

    /// The cookie to send with a response that reports a failed commit: that of an earlier commit, or the removal if
    /// the session was deleted nevertheless.
    pub(crate) fn cookie_after_failure(&self) -> Option<CookieAction> {
        self.cookie.filter(|action| match action {
            CookieAction::Set => true,
            CookieAction::Remove => self.endings.is_empty(),
        })
    }
}
