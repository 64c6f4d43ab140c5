use super::{Data, Name, Op, Run, Stored, Time};

/// A request as the model sees it: what it knows of its session, and wants done with it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) base: Base,
    /// The client sent a cookie.
    pub(super) presented: bool,
    pub(super) came_with_ended: bool,
    /// When it found its session alive.
    pub(super) in_time: Option<Time>,
    /// What was cleared, and is to be deleted.
    pub(super) ending: Option<Name>,
    pub(super) regenerates: bool,
    pub(super) login: Option<(&'static str, Time)>,
    pub(super) remember: Option<Option<Time>>,
    /// It binds its session to a device.
    pub(super) binds: bool,
    /// Nothing of the stored data counts: it was another user's.
    pub(super) is_fresh: bool,
    pub(super) skips_touch: bool,
    pub(super) data: Data,
    /// Data operations that changed what this request saw, to be done again on what is there at the commit.
    pub(super) log: Vec<Op>,
    /// What changes nothing is kept. It has logged in, and may go on in a session of its own, where that would be missing; or
    /// what it saw was from a cache.
    pub(super) keeps_all: bool,
    /// What it sees is from a cache.
    pub(super) is_cached: bool,
    /// What its response does to the client's cookie, so far.
    pub(super) cookie: Option<Cookie>,
}

#[derive(Debug, Clone)]
pub(super) enum Base {
    New,
    Live(Name, Stored),
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    Set,
    Remove,
}

impl Request {
    pub(super) fn new(presented: bool) -> Self {
        Self {
            base: Base::New,
            presented,
            came_with_ended: false,
            in_time: None,
            ending: None,
            regenerates: false,
            login: None,
            remember: None,
            binds: false,
            is_fresh: false,
            skips_touch: false,
            data: Data::new(),
            log: Vec::new(),
            keeps_all: false,
            is_cached: false,
            cookie: None,
        }
    }

    pub(super) fn found_in_cache(&mut self) {
        (self.is_cached, self.keeps_all) = (true, true);
    }

    pub(super) fn live(&self) -> Option<(Name, &Stored)> {
        match &self.base {
            Base::Live(name, stored) => Some((*name, stored)),
            Base::New | Base::Gone => None,
        }
    }

    /// What of the store's data it sees.
    fn base_data(&self) -> Data {
        match &self.base {
            Base::Live(_, stored) if !self.is_fresh => stored.data.clone(),
            _ => Data::new(),
        }
    }

    pub(super) fn user(&self) -> Option<&'static str> {
        match (self.login, &self.base) {
            (Some((user, _)), _) => Some(user),
            (None, Base::Live(_, stored)) if !self.is_fresh => stored.user,
            (None, _) => None,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        match self.base {
            Base::New => self.came_with_ended,
            Base::Live(..) => false,
            Base::Gone => true,
        }
    }

    /// Nothing but a login could be stored any more.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.base, Base::Gone) && self.login.is_none()
    }

    pub(super) fn changes_data(&self) -> bool {
        self.data != self.base_data()
    }

    /// Whether a commit has to look at the newest data, though it may have nothing to store.
    pub(super) fn has_to_look(&self) -> bool {
        self.is_cached && !self.log.is_empty()
    }

    fn has_intent(&self) -> bool {
        self.regenerates || self.login.is_some() || self.remember.is_some() || self.binds
    }

    /// Whether it has something to store.
    pub(super) fn writes(&self) -> bool {
        self.changes_data() || self.has_intent()
    }

    /// Whether something is pending, be it in vain.
    pub(super) fn has_changes(&self) -> bool {
        self.ending.is_some() || self.has_intent() || !self.log.is_empty()
    }

    pub(super) fn act(&mut self, op: Op) {
        match op {
            Op::Regenerate => self.regenerates = true,
            Op::Remember(wish) => self.remember = Some(wish),
            Op::SkipTouch => self.skips_touch = true,
            Op::LogIn(user, at) => {
                if self.user().is_some_and(|former| former != user) {
                    self.drop_pending();
                    (self.is_fresh, self.data) = (true, Data::new());
                }
                self.login = Some((user, at));
                self.keeps_all = true;
            }
            Op::Clear => {
                if let Base::Live(name, _) = self.base {
                    (self.ending, self.base) = (Some(name), Base::New);
                }
                let removes = self.presented && matches!(self.base, Base::New);
                self.cookie = removes.then_some(Cookie::Remove);
                self.drop_pending();
            }
            Op::Set(..) | Op::Delete(_) | Op::Add(..) => {
                let before = self.data.clone();
                op.apply(&mut self.data);
                if self.data != before || self.keeps_all {
                    self.log.push(op);
                }
                self.forget_redundant();
            }
        }
    }

    /// What was changed and restored was not changed.
    fn forget_redundant(&mut self) {
        if self.keeps_all {
            return;
        }
        let (base, data) = (self.base_data(), &self.data);
        let differs = |key: &str| data.get(key) != base.get(key);
        self.log.retain(|op| differs(op.key()));
    }

    /// What was cleared stays so.
    pub(super) fn drop_pending(&mut self) {
        (self.regenerates, self.login, self.remember) = (false, None, None);
        (self.binds, self.is_fresh) = (false, false);
        self.log.clear();
        self.data = self.base_data();
    }

    /// The same request with what a transaction's closure does, and what that returns.
    pub(super) fn with(&self, run: Option<Run>) -> (Self, Option<i64>) {
        let mut work = self.clone();
        let returned = match run {
            None => None,
            Some(Run::Fail) => {
                work.act(Op::Set("a", 9));
                None
            }
            Some(Run::Read) => work.data.get("a").copied(),
            Some(Run::Take) => {
                let taken = work.data.get("b").copied();
                work.act(Op::Delete("b"));
                taken
            }
            Some(Run::Count(by)) => {
                let count = work.data.get("n").copied().unwrap_or_default() + by;
                work.act(Op::Set("n", count));
                Some(count)
            }
        };
        (work, returned)
    }

    /// Does what is pending again on what the store has now. Whether it keeps what changes nothing there does not
    /// matter to a commit, which decides by the data.
    pub(super) fn rebase(&mut self, base: Base) {
        (self.base, self.is_cached) = (base, false);
        self.data = self.base_data();
        for op in &self.log {
            op.apply(&mut self.data);
        }
    }

    /// As `rebase`, where what is pending stays so.
    pub(super) fn reload(&mut self, base: Base) {
        self.rebase(base);
        self.forget_redundant();
    }

    /// Its session ended elsewhere, and takes all that is pending along but for a login.
    pub(super) fn lose(&mut self) {
        self.cookie = None;
        self.reload(Base::Gone);
        if self.login.is_none() {
            self.drop_pending();
        }
    }

    /// A process that touches a session by an old entry of its cache knows how long it lives, and no newer data.
    pub(super) fn postpone_end(&mut self, to: Option<Time>, at_most: Option<Time>) {
        if let (Base::Live(_, stored), Some(to)) = (&mut self.base, to)
            && to > stored.expires_at
            && Some(to) <= at_most
        {
            stored.expires_at = to;
        }
    }

    /// All that was pending is stored.
    pub(super) fn settle(&mut self, base: Base) {
        (self.base, self.is_cached) = (base, false);
        self.drop_pending();
    }
}

impl Op {
    fn key(self) -> &'static str {
        match self {
            Self::Set(key, _) | Self::Delete(key) | Self::Add(key, _) => key,
            _ => unreachable!("no operation on data"),
        }
    }

    pub(super) fn apply(self, data: &mut Data) {
        match self {
            Self::Set(key, value) => drop(data.insert(key, value)),
            Self::Delete(key) => drop(data.remove(key)),
            Self::Add(key, by) => *data.entry(key).or_default() += by,
            _ => unreachable!("no operation on data"),
        }
    }
}
