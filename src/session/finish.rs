//! What the layer does with a session once the handler has answered, and what comes of it.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use http::{HeaderName, HeaderValue, StatusCode};

use super::{io::no_closure, load::Loaded, request::RequestSession, shared::Locked};
use crate::{
    commit::{Commit, CookieAction, Done, Plan, SessionState, Settled, Stored, Unit, Write},
    cookie::SetCookie,
    error::Error,
    observe,
    time::Timestamp,
};

/// What is left for the layer to do once the handler has answered.
pub(crate) enum Finish {
    /// The session was not asked for.
    Untouched,
    /// It was read, and there is nothing to store or to send.
    Unchanged,
    /// It was used, and there is nothing to store, or it is stored already.
    Done(Finished),
    Commit(CommitFuture),
}

/// The commit after the handler.
pub(crate) type CommitFuture = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// What became of a session.
pub(crate) struct Finished {
    /// It failed: the response is to be replaced by one of this status.
    pub(crate) refused: Option<StatusCode>,
    /// What is to be done to the client's cookies.
    pub(crate) cookies: [Option<SetCookie>; COOKIES],
    /// The response has the session's token in its body.
    pub(crate) has_given_token: bool,
    /// What the client's device has to know beside the cookie.
    pub(crate) device: Option<Box<(HeaderName, HeaderValue)>>,
}

/// How many cookies a session may have.
const COOKIES: usize = 1;

impl RequestSession {
    /// The handler answered, or `failed` to. If it never `waited`, it did so when the session was loaded.
    #[inline]
    pub(crate) fn finish(self: &Arc<Self>, failed: bool, waited: bool) -> Finish {
        let Some(loaded) = self.loaded.get().or_else(|| self.loaded_last()) else {
            return Finish::Untouched;
        };
        // A look at the clock costs as much as all the rest of this.
        let now = || match loaded.at {
            Some(at) if !waited => at,
            _ => self.config.clock.timestamp(),
        };
        let is_last = self.is_last_handle();
        if is_last
            && let Some(found) = self.unchanged()
            && found.plan(now, &self.config.policy.expiry) == Plan::Nothing
        {
            return Finish::Unchanged;
        }
        let io = match is_last {
            true => None,
            false => loaded.io.try_lock().ok(),
        };
        let mut shared = self.lock();
        if failed {
            shared.roll_back();
        }
        // Otherwise a commit is in flight, or in doubt, and may give the session an id that the client has to learn.
        if (is_last || io.is_some()) && shared.in_doubt.is_none() {
            let plan = shared.state.plan(now, &self.config.policy.expiry);
            if plan == Plan::Nothing {
                return Finish::Done(self.finish_response(shared));
            }
            if is_last {
                // The record's expiry counts from now, however long the handler took without waiting.
                let now = self.config.clock.timestamp();
                return self.commit_last(shared, plan, now);
            }
            drop(shared);
            if self.config.policy.is_immediate
                && let Some(committed) = self.commit_now()
            {
                return Finish::Done(self.finish_committed(committed));
            }
        } else {
            drop(shared);
        }
        drop(io);
        let session = Arc::clone(self);
        Finish::Commit(Box::pin(async move { session.commit_shared(failed).await }))
    }

    /// The client went away before its response: no cookie can reach it any more.
    pub(crate) fn abandon(self: &Arc<Self>) {
        if self.is_last_handle() {
            return;
        }
        self.headers_sent.mark();
        if self.loaded.get().is_some() {
            self.edit(SessionState::mark_headers_sent);
        }
    }

    /// The handler never loaded the session. Marks the headers as sent, then looks again: a task that loads later sees
    /// the mark; one that loaded just before is found here and waited for.
    fn loaded_last(self: &Arc<Self>) -> Option<&Loaded> {
        if !self.is_last_handle() {
            self.headers_sent.mark();
        }
        self.loaded.get()
    }

    /// The cookies of the response, whose headers are about to be sent.
    fn finish_response(self: &Arc<Self>, mut shared: Locked<'_>) -> Finished {
        if !self.is_last_handle() {
            self.headers_sent.mark();
            shared.note_change();
            shared.state.mark_headers_sent();
        }
        let cookie = shared.state.cookie.take();
        self.finished(None, cookie, shared.state.base.live())
    }

    /// Whether the client keeps its session in cookies. Otherwise it has a token, and is sent none.
    pub(crate) fn keeps_cookies(&self) -> bool {
        !self.cookies().is_bearer() && !self.has_given_token()
    }

    fn has_given_token(&self) -> bool {
        let loaded = self.loaded.get();
        loaded.is_some_and(|loaded| loaded.has_given_token.load(Ordering::Relaxed))
    }

    fn finished(
        &self,
        refused: Option<StatusCode>,
        cookie: Option<CookieAction>,
        stored: Option<&Stored>,
    ) -> Finished {
        let has_given_token = self.has_given_token();
        let mut device = None;
        let cookie = cookie.filter(|_| self.keeps_cookies());
        let cookie = match (cookie, stored) {
            (Some(CookieAction::Remove), _) => Some(self.config.cookie.removal()),
            (Some(CookieAction::Set), Some(stored)) => {
                device = self.device_header(stored);
                let remembered = stored.record.body().remember.is_some();
                let left = || stored.record.expires().since(self.config.clock.timestamp());
                let max_age = remembered.then(|| whole_seconds(left()));
                Some(self.config.cookie.set(stored.id, max_age))
            }
            (Some(CookieAction::Set), None) | (None, _) => None,
        };
        Finished {
            refused,
            cookies: [cookie],
            has_given_token,
            device,
        }
    }

    fn device_header(&self, stored: &Stored) -> Option<Box<(HeaderName, HeaderValue)>> {
        let (now, gate) = (self.config.clock.timestamp(), &self.config.device);
        let header = gate.header(stored.handle, &stored.record, now);
        header.map(Box::new)
    }
}

/// The commit of the last handle. No other handle can observe the session, so its state need not be kept up to date,
/// and a commit that fails is not tried again.
impl RequestSession {
    fn commit_last(self: &Arc<Self>, mut shared: Locked<'_>, plan: Plan, now: Timestamp) -> Finish {
        let (driver, policy) = (self.driver(), &self.config.policy);
        let is_limited = driver.user_limit.is_some() && shared.state.has_login();
        let write = match policy.is_immediate && !is_limited {
            true => Write::begin(&shared.state, plan, now, policy),
            false => None,
        };
        let mut commit = match write {
            Some(write) => {
                drop(shared);
                match driver.write_now(write) {
                    Ok((stored, cookie)) => {
                        return Finish::Done(self.finished(None, cookie, Some(&stored)));
                    }
                    Err(unwritten) => {
                        let unit = self.edit(SessionState::take);
                        driver.take_over(unit, *unwritten, now)
                    }
                }
            }
            None => {
                let mut commit = Commit::new(shared.state.take());
                drop(shared);
                commit.planned(plan, now, policy);
                commit
            }
        };
        if policy.is_immediate
            && let Some(done) = self.driver().drive_now(&mut commit, now, false)
        {
            return Finish::Done(self.finish_last(&done, &commit));
        }
        Finish::Commit(Box::pin(Arc::clone(self).drive_last(commit)))
    }

    async fn drive_last(self: Arc<Self>, mut commit: Commit) -> Finished {
        let driver = self.driver();
        let mut done = driver.drive(&mut commit, || false, no_closure).await;
        if let Done::Failed(error) = &done
            && !error.is_in_doubt()
            && commit.unit().may_have_copied()
        {
            // It is not tried again: a copy that it may have left under the new id has to be deleted.
            commit = Commit::resume(commit.into_unit(), true);
            let found = driver.drive(&mut commit, || false, no_closure).await;
            if matches!(found, Done::Settled(_)) {
                done = found;
            }
        }
        self.finish_last(&done, &commit)
    }

    fn finish_last(&self, done: &Done, commit: &Commit) -> Finished {
        let state = commit.unit().state();
        match done {
            Done::Settled(Settled { base, cookie, .. }) => {
                self.finished(None, *cookie, base.live())
            }
            Done::Failed(error) => {
                let cookie = state.cookie_unless_ended(error);
                let cookie = cookie.and(state.cookie_after_failure());
                self.finished(refusal(error), cookie, state.base.live())
            }
            Done::Unstored | Done::Aborted => self.finished(None, state.cookie, state.base.live()),
        }
    }
}

/// The commit of a session that has other handles, which may save it later.
impl RequestSession {
    async fn commit_shared(self: &Arc<Self>, failed: bool) -> Finished {
        let io = self.io_lock().await;
        let committed = match &io {
            Ok(_) => self.commit_pending(failed).await,
            Err(_) if self.view(|state| state.has_changes()) => Err(Error::conflict()),
            Err(_) => Ok(()),
        };
        let committed = match committed {
            Err(error) if !error.is_in_doubt() && self.may_have_copied() => {
                // The headers are sent without the new id, so the move cannot be tried again: a copy it may have left
                // has to be deleted.
                self.resolve(true).await.and(Err(error))
            }
            committed => committed,
        };
        // With the I/O lock still held: no other handle can commit anything that needs a cookie before the headers are
        // sent.
        self.finish_committed(committed)
    }

    fn finish_committed(self: &Arc<Self>, committed: Result<(), Error>) -> Finished {
        let refused = committed.err().and_then(|error| refusal(&error));
        let mut shared = self.lock();
        if refused.is_some() {
            shared.state.cookie = shared.state.cookie_after_failure();
        }
        let finished = self.finish_response(shared);
        Finished {
            refused,
            ..finished
        }
    }

    fn may_have_copied(&self) -> bool {
        let shared = self.lock();
        let unit = shared.in_doubt.as_deref();
        unit.is_some_and(Unit::may_have_copied)
    }

    async fn commit_pending(&self, failed: bool) -> Result<(), Error> {
        match self.resolve(failed).await {
            Err(error) if !error.is_silent() => return Err(error),
            _ => {}
        }
        if failed {
            // What was in doubt and turned out not to be stored is pending again.
            self.lock().roll_back();
        }
        let now = || self.config.clock.timestamp();
        let expiry = &self.config.policy.expiry;
        match self.view(|state| state.plan(now, expiry)) {
            Plan::Nothing => Ok(()),
            _ => self.commit().await,
        }
    }
}

/// The status that replaces the response's. `None` if the changes are dropped silently, as the session has ended or
/// moved: the client then has a newer session, or wanted none.
fn refusal(error: &Error) -> Option<StatusCode> {
    if error.is_silent() {
        return None;
    }
    observe::commit_failed(error);
    Some(error.status())
}

/// Rounded up, so that the time the commit took does not cost a remembered session a second of its cookie's life.
fn whole_seconds(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
}
