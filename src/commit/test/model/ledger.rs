use std::collections::{BTreeMap, BTreeSet};

use super::{
    call::Kept,
    script::Tokens,
    visit::{Cookie, Told},
};
use crate::{id::Handle, record::Record};

/// What has to be true in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rule {
    /// What is stored stays so for as long as its session lives, also under a new id; and what was acknowledged is stored.
    /// Changes are dropped with their session and never without, and one that lives is not read as ended.
    NothingLost,
    /// No change is stored twice, in one session or in two that clients can have. (A late call may begin one of which no
    /// client was told.)
    Once,
    RefusedIsNotStored,
    /// A session that was deleted, moved or swept answers no request, but from a cache for its time, and is stored no more.
    EndedForGood,
    /// The browser's jar never returns to a session that it has left, at least not by a request whose last call could have
    /// seen it; and no login is removed by who cleared the session before it.
    JarGoesForward,
    /// Only a login postpones the absolute end.
    AbsoluteEnd,
}

/// What happened, which no request knows as a whole: the rules are checked against it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Ledger {
    pub(super) stored: Tokens,
    pub(super) refused: Tokens,
    /// Since when.
    ended: BTreeMap<Handle, u64>,
    moved: BTreeSet<Handle>,
    /// The absolute end of each session, as it was when it began or logged in.
    ends: BTreeMap<Handle, u64>,
    /// Sessions that clients can have.
    known: BTreeSet<Handle>,
    /// What the jar had before: left for another session, or ended by who cleared it.
    left: BTreeSet<Handle>,
    broken: BTreeSet<Rule>,
}

impl Ledger {
    pub(super) fn holds(&self, rule: Rule) -> bool {
        !self.broken.contains(&rule)
    }

    pub(super) fn check(&mut self, rule: Rule, is_kept: bool) {
        if !is_kept {
            self.broken.insert(rule);
        }
    }

    /// A session is stored under this handle for the first time: a new one, or one that has moved.
    pub(super) fn begins(
        &mut self,
        handle: Handle,
        record: &Record,
        from: Option<(Handle, &Kept)>,
    ) {
        let login = record.body().authenticated_at;
        let end = match from {
            Some((old, before)) if before.record.body().authenticated_at == login => {
                self.end_of(old)
            }
            _ => record.body().deadline.as_millis(),
        };
        self.ends.insert(handle, end);
        if from.is_some() {
            self.known.insert(handle);
        }
    }

    /// A record is followed by another, under its own id or a new one.
    pub(super) fn is_followed(&mut self, before: &Kept, after: &Kept) {
        self.check(Rule::NothingLost, before.tokens.are_all_in(after.tokens));
    }

    pub(super) fn ended(&mut self, handle: Handle, now: u64, has_moved: bool) {
        self.ended.entry(handle).or_insert(now);
        if has_moved {
            self.moved.insert(handle);
        }
    }

    pub(super) fn is_ended(&self, handle: Handle) -> bool {
        self.ended.contains_key(&handle)
    }

    pub(super) fn end_of(&self, handle: Handle) -> u64 {
        self.ends.get(&handle).copied().unwrap_or_default()
    }

    pub(super) fn is_known(&self, handle: Handle) -> bool {
        self.known.contains(&handle)
    }

    /// The browser has this session.
    pub(super) fn is_given(&mut self, handle: Handle) {
        self.known.insert(handle);
    }

    /// A request finds its session alive, in what may be so old.
    pub(super) fn answers(&mut self, handle: Handle, age: u64, now: u64) {
        let ended = self.ended.get(&handle);
        let is_allowed = ended.is_none_or(|ended| now < ended + age);
        self.check(Rule::EndedForGood, is_allowed);
        self.check(Rule::AbsoluteEnd, now < self.end_of(handle));
    }

    /// A response arrives.
    pub(super) fn told(
        &mut self,
        told: &Told,
        jar: &mut Option<Handle>,
        (presented, is_overtaken): (Option<Handle>, bool),
        is_over: impl Fn(Handle) -> bool,
    ) {
        self.check(Rule::NothingLost, told.stored.are_all_in(self.stored));
        for (_, handle) in &told.discarded {
            let has_ended = handle.is_some_and(|handle| self.is_ended(handle) || is_over(handle));
            self.check(Rule::NothingLost, has_ended);
        }
        self.refused.extend(told.refused);
        let next = match told.cookie {
            None => return,
            Some(Cookie::Set(handle)) => Some(handle),
            Some(Cookie::Remove) => None,
        };
        let is_of_moved = presented.is_some_and(|presented| self.moved.contains(&presented));
        let removes_newer = next.is_none() && is_of_moved && *jar != presented;
        self.check(Rule::JarGoesForward, !removes_newer);
        if let Some(next) = next {
            let is_back = self.left.contains(&next) && !is_overtaken;
            self.check(Rule::JarGoesForward, !is_back);
            self.is_given(next);
        }
        // Not one that has expired, and is not swept yet: a request that found it in time may go on with it.
        let is_left = |had: &Handle| *jar != next && self.is_ended(*had);
        self.left.extend(jar.filter(is_left));
        *jar = next;
    }
}
