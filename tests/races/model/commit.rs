use std::collections::BTreeMap;

use super::{
    ABSOLUTE, IDLE, Name, OFFER_AGE, REMEMBER_LIMIT, Run, Stored, TOMBSTONE, Time,
    request::{Base, Cookie, Request},
};

/// The store as it should be, and what DESIGN.md §3 says becomes of it.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) now: Time,
    /// Every session that ever was. Without an entry: deleted.
    stored: BTreeMap<Name, Stored>,
    /// What they were before.
    past: Vec<Past>,
    last: u64,
}

/// A session as it was until it was written, touched or ended.
struct Past {
    name: Name,
    stored: Stored,
    until: Time,
}

/// What a process with a cache knows of what others have done.
#[derive(Clone, Copy)]
pub(super) enum Knows {
    /// All but uses.
    EachChange,
    /// All but what was done since then, and all that it did itself.
    WhatIsOlder {
        than: Option<Time>,
        wrote_at: Option<Moment>,
    },
}

/// So many states were past.
pub(super) type Moment = usize;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Gone,
    /// Changes were lost with a session that may have been swept.
    Expired,
    /// The closure of a transaction failed.
    Aborted,
}

impl Sessions {
    /// What a request that comes with a cookie of this session finds.
    pub(super) fn find(&self, name: Option<Name>) -> Request {
        let mut request = Request::new(name.is_some());
        let Some(name) = name else { return request };
        let stored = self.stored.get(&name);
        match stored.filter(|stored| stored.lives_at(self.now)) {
            None => request.came_with_ended = true,
            Some(stored) if stored.tombstone => {
                (request.came_with_ended, request.base) = (true, Base::Gone);
            }
            Some(stored) => {
                request.in_time = Some(self.now);
                request.reload(Base::Live(name, stored.clone()));
            }
        }
        request
    }

    /// What a request may find that comes to a process with a cache: the newest first.
    pub(super) fn find_cached(&self, name: Option<Name>, knows: Knows) -> Vec<Request> {
        let mut found = vec![self.find(name)];
        let current = name.and_then(|name| self.stored.get(&name));
        let is_known = |at: Moment, past: &Past| match knows {
            Knows::EachChange => {
                current.is_none_or(|current| current.version != past.stored.version)
            }
            Knows::WhatIsOlder { than, wrote_at } => {
                than.is_some_and(|than| past.until <= than)
                    || wrote_at.is_some_and(|wrote_at| at < wrote_at)
            }
        };
        for (at, past) in self.past.iter().enumerate().rev() {
            let Past { stored, .. } = past;
            let is_live = !stored.tombstone && stored.lives_at(self.now);
            if Some(past.name) == name && is_live && !is_known(at, past) {
                let mut request = Request::new(true);
                request.in_time = Some(self.now);
                request.reload(Base::Live(past.name, stored.clone()));
                found.push(request);
            }
        }
        found
    }

    /// The latest end that uses by now can have given this session.
    pub(super) fn last_end(&self, name: Option<Name>) -> Option<Time> {
        let past = self.past.iter().filter(|past| Some(past.name) == name);
        let current = name.and_then(|name| self.stored.get(&name));
        let all = past.map(|past| &past.stored).chain(current);
        let sessions = all.filter(|stored| !stored.tombstone);
        let ends = sessions.map(|stored| {
            let used_now = stored.deadline.min(self.now + stored.idle());
            stored.expires_at.max(used_now)
        });
        ends.max()
    }

    pub(super) fn moment(&self) -> Moment {
        self.past.len()
    }

    /// Of these sessions there were new versions since.
    pub(super) fn written_since(&self, moment: Moment) -> impl Iterator<Item = Name> {
        self.past[moment..].iter().filter_map(|past| {
            let current = self.stored.get(&past.name);
            let is_same = current.is_some_and(|current| current.version == past.stored.version);
            (!is_same).then_some(past.name)
        })
    }

    /// The session is about to be another.
    fn leave_behind(&mut self, name: Name) {
        if let Some(stored) = self.stored.get(&name).cloned() {
            let until = self.now;
            self.past.push(Past {
                name,
                stored,
                until,
            });
        }
    }

    /// The session as it is now, if it lives for this request: what was alive when it came does, though it has expired
    /// since.
    fn newest(&self, request: &Request, name: Name) -> Option<&Stored> {
        let at = request.in_time.unwrap_or(self.now);
        let stored = self.stored.get(&name);
        stored.filter(|stored| !stored.tombstone && stored.lives_at(at))
    }

    pub(super) fn is_alive(&self, request: &Request) -> bool {
        let stored = request.live().and_then(|(name, _)| self.stored.get(&name));
        stored.is_some_and(|stored| !stored.tombstone && stored.lives_at(self.now))
    }

    /// Whether a response that sets the cookie of this session offers to bind it.
    pub(super) fn is_offered(&self, stored: &Stored) -> bool {
        let is_new = self.now - stored.began <= OFFER_AGE;
        stored.user.is_some() && !stored.is_bound && is_new
    }

    /// A browser with the cookie of this session registers its device: whether it is bound to that one now.
    pub(super) fn bind(&mut self, name: Name) -> bool {
        let mut request = self.find(Some(name));
        if request.live().is_none_or(|(_, stored)| stored.is_bound) {
            return false;
        }
        request.binds = true;
        self.commit(&mut request, None).is_ok()
    }

    pub(super) fn save(&mut self, request: &mut Request) -> Result<(), Refused> {
        if !request.has_changes() {
            return self.reload(request);
        }
        self.commit(request, None)?;
        ensure_live(request)
    }

    pub(super) fn transact(
        &mut self,
        request: &mut Request,
        run: Run,
    ) -> Result<Option<i64>, Refused> {
        let returned = self.commit(request, Some(run))?;
        ensure_live(request)?;
        Ok(returned)
    }

    pub(super) fn reload(&mut self, request: &mut Request) -> Result<(), Refused> {
        if let Some((name, _)) = request.live() {
            match self.newest(request, name).cloned() {
                None => request.lose(),
                Some(mut newest) => {
                    let due = newest.touch_due(self.now);
                    if let Some(until) = due.filter(|_| !request.skips_touch) {
                        self.touch(name, until);
                        newest.expires_at = until;
                        if newest.remember.is_some() {
                            request.cookie = Some(Cookie::Set);
                        }
                    }
                    request.reload(Base::Live(name, newest));
                }
            }
        } else if matches!(request.base, Base::Gone) {
            request.lose();
        }
        ensure_live(request)
    }

    /// The commit after the handler, which `failed` or not.
    pub(super) fn finish(&mut self, request: &mut Request, failed: bool) -> Result<(), Refused> {
        if failed {
            request.drop_pending();
        }
        match self.commit(request, None) {
            Err(Refused::Expired) => {
                request.cookie = request.cookie.filter(|cookie| *cookie == Cookie::Set);
                Err(Refused::Expired)
            }
            // In silence.
            _ => Ok(()),
        }
    }

    fn commit(&mut self, request: &mut Request, run: Option<Run>) -> Result<Option<i64>, Refused> {
        self.end_cleared(request);
        if run.is_some() && request.is_gone() {
            request.lose();
            return Err(Refused::Gone);
        }
        let mut unit = request.clone();
        let (mut work, mut returned) = unit.with(run);
        let fails = matches!(run, Some(Run::Fail));
        if let Some((name, snapshot)) = work.live()
            && (work.writes() || work.has_to_look() || run.is_some())
        {
            let swaps = work.writes() && !fails;
            let current = self.stored.get(&name);
            let is_same = current.is_some_and(|current| current.version == snapshot.version);
            if !(swaps && is_same) {
                match self.newest(&work, name) {
                    Some(newest) => unit.rebase(Base::Live(name, newest.clone())),
                    None => self.lost(request, &mut unit, &work)?,
                }
                (work, returned) = unit.with(run);
            }
        }
        if fails {
            return Err(Refused::Aborted);
        }
        let begins = matches!(work.base, Base::New) && work.changes_data();
        match work.live() {
            None if work.login.is_some() || begins => {
                let name = self.name();
                self.store(request, name, &work);
                request.cookie = Some(Cookie::Set);
            }
            None if work.is_gone() && work.writes() => {
                request.lose();
                return Err(Refused::Gone);
            }
            None => self.settle_without_session(request),
            Some((name, _)) if work.regenerates || work.login.is_some() => {
                self.leave_tombstone(name);
                let name = self.name();
                self.store(request, name, &work);
                request.cookie = Some(Cookie::Set);
            }
            Some((name, before)) if work.writes() => {
                let is_due = !work.skips_touch && before.touch_due(self.now).is_some();
                if work.remember.is_some() || before.remember.is_some() && is_due {
                    request.cookie = Some(Cookie::Set);
                }
                self.store(request, name, &work);
            }
            Some(_) => self.use_session(request, &work)?,
        }
        Ok(returned)
    }

    /// An ended record that was not swept yet is there to delete, expired or not.
    fn end_cleared(&mut self, request: &mut Request) {
        let Some(name) = request.ending.take() else {
            return;
        };
        match self.stored.get(&name) {
            Some(stored) if !stored.tombstone => {
                self.leave_behind(name);
                self.stored.remove(&name);
            }
            _ => {
                // Another request was faster, and its client has a newer cookie.
                (request.base, request.cookie) = (Base::Gone, None);
            }
        }
    }

    /// The session ended before its changes could be stored. Only a login goes on.
    fn lost(
        &self,
        request: &mut Request,
        unit: &mut Request,
        work: &Request,
    ) -> Result<(), Refused> {
        if work.login.is_some() {
            unit.lose();
            return Ok(());
        }
        let (name, snapshot) = work.live().expect("it was there");
        let is_missing = !self.stored.contains_key(&name);
        let is_old = work.in_time.is_some() && !snapshot.lives_at(self.now);
        if is_missing && is_old && work.has_changes() {
            // Its client may have a newer cookie.
            request.cookie = request.cookie.filter(|cookie| *cookie != Cookie::Set);
            return Err(Refused::Expired);
        }
        request.lose();
        Err(Refused::Gone)
    }

    /// Nothing is stored. What is wished for a session that begins later stays a wish.
    fn settle_without_session(&self, request: &mut Request) {
        let wish = request.remember;
        request.settle(request.base.clone());
        request.remember = wish;
    }

    /// Nothing is to be stored, but the session was used.
    fn use_session(&mut self, request: &mut Request, work: &Request) -> Result<(), Refused> {
        let (name, seen) = work.live().expect("it lives");
        let mut seen = seen.clone();
        match seen.touch_due(self.now).filter(|_| !work.skips_touch) {
            Some(_) if seen.remember.is_some() => {
                let Some(newest) = self.newest(work, name).cloned() else {
                    let mut unit = request.clone();
                    return self.lost(request, &mut unit, work);
                };
                seen = newest;
                if let Some(until) = seen.touch_due(self.now) {
                    self.touch(name, until);
                    seen.expires_at = until;
                }
                request.cookie = Some(Cookie::Set);
            }
            Some(until) if seen.lives_at(self.now) => match self.touch(name, until) {
                true => seen.expires_at = until,
                // It ended, and its client may have a newer cookie.
                false => request.cookie = None,
            },
            _ => {}
        }
        request.settle(Base::Live(name, seen));
        Ok(())
    }

    fn touch(&mut self, name: Name, until: Time) -> bool {
        self.leave_behind(name);
        let stored = self.stored.get_mut(&name);
        let stored = stored.filter(|stored| !stored.tombstone);
        match stored {
            Some(stored) => {
                stored.expires_at = stored.expires_at.max(until);
                true
            }
            None => false,
        }
    }

    fn leave_tombstone(&mut self, name: Name) {
        self.leave_behind(name);
        self.last += 1;
        let end = self.now + TOMBSTONE;
        let stone = self.stored.get_mut(&name).expect("it is there");
        stone.version = self.last;
        stone.tombstone = true;
        (stone.expires_at, stone.deadline) = (end, end);
    }

    fn name(&mut self) -> Name {
        self.last += 1;
        self.last
    }

    fn store(&mut self, request: &mut Request, name: Name, work: &Request) {
        let record = self.record(work);
        self.leave_behind(name);
        self.stored.insert(name, record.clone());
        request.settle(Base::Live(name, record));
    }

    /// The session as it is stored now.
    fn record(&mut self, work: &Request) -> Stored {
        self.last += 1;
        let base = work.live().map(|(_, stored)| stored);
        let base = base.filter(|_| !work.is_fresh);
        let kept = base.and_then(|base| base.remember);
        let remember = work.remember.unwrap_or(kept);
        let began = match (work.login, base) {
            (Some((_, at)), _) => at,
            (None, Some(base)) => base.began,
            (None, None) => self.now,
        };
        let limit = remember.map_or(ABSOLUTE, |_| REMEMBER_LIMIT);
        let deadline = match (base, work.remember) {
            (Some(base), None) if work.login.is_none() => base.deadline,
            // As if it had begun now, but no longer than it could have lived.
            (Some(base), Some(None)) if work.login.is_none() => {
                base.deadline.min(self.now + ABSOLUTE)
            }
            _ => began + limit,
        };
        let is_bound = work.binds || base.is_some_and(|base| base.is_bound);
        let is_use = !work.skips_touch || work.login.is_some() || work.remember.is_some();
        let expires_at = match base {
            Some(base) if !is_use => base.expires_at,
            _ => deadline.min(self.now + remember.unwrap_or(IDLE)),
        };
        Stored {
            version: self.last,
            data: work.data.clone(),
            user: work.user(),
            began,
            remember,
            expires_at,
            deadline,
            is_bound,
            tombstone: false,
        }
    }
}

fn ensure_live(request: &Request) -> Result<(), Refused> {
    match request.is_gone() {
        true => Err(Refused::Gone),
        false => Ok(()),
    }
}
