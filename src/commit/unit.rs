use super::{abandoned::Abandoned, intent::Intent, state::SessionState};
use crate::{
    change::InFlight,
    error::Error,
    id::{Handle, SessionId},
    record::{CommitId, CommitIds, Record, Version},
};

/// A unit of work that is being committed, and what it was named before the first call to the store. The names stay
/// the same for every retry, so that a commit whose answer was lost is recognised.
#[derive(Debug)]
#[must_use = "a unit is acknowledged, aborted, or kept while its outcome is not known"]
pub(crate) struct Unit {
    pub(super) state: SessionState,
    /// What was wanted when it began: the part that is done once it is stored.
    pub(super) intent: Intent,
    pub(super) in_flight: InFlight,
    commit: Option<CommitId>,
    new_id: Option<(SessionId, Handle)>,
    /// The write that may have happened: it was asked for, and no answer says what became of it.
    pub(super) attempt: Option<Attempt>,
    /// The store has refused the last attempt, as another request was faster.
    pub(super) is_refused: bool,
    /// A call for it was not answered, and may have done its work, or may do it still.
    pub(super) was_unknown: bool,
    /// What was cleared, and is deleted by now.
    pub(super) ended: Vec<Handle>,
    /// Its closure is part of what was committed, and is gone after the call that brought it.
    pub(super) is_transaction: bool,
}

/// A write of which the outcome is not known.
#[derive(Debug, Clone)]
pub(super) enum Attempt {
    Delete(Handle),
    Create,
    Replace(Version),
    /// To the new id, with this record.
    Move(Version, Record),
}

impl Unit {
    #[inline]
    pub(super) fn new(
        state: SessionState,
        intent: Intent,
        in_flight: InFlight,
        is_transaction: bool,
    ) -> Self {
        Self {
            intent,
            state,
            in_flight,
            commit: None,
            new_id: None,
            attempt: None,
            is_refused: false,
            was_unknown: false,
            ended: Vec::new(),
            is_transaction,
        }
    }

    pub(super) fn commit_id(&mut self) -> CommitId {
        *self.commit.get_or_insert_with(CommitId::random)
    }

    pub(super) fn new_id(&mut self) -> (SessionId, Handle) {
        *self.new_id.get_or_insert_with(|| {
            let id = SessionId::random();
            (id, id.handle())
        })
    }

    /// The new id of a create: that of the one that was abandoned, if there is one.
    pub(super) fn id_to_create(&mut self) -> (SessionId, Handle) {
        let abandoned = self.state.abandoned.as_deref().map(Abandoned::new_id);
        self.new_id = self.new_id.or(abandoned);
        self.new_id()
    }

    /// Other names, once it is certain that nothing is, or will be, stored under the present ones.
    pub(super) fn rename(&mut self) {
        self.commit = None;
        self.new_id = None;
        self.was_unknown = false;
    }

    /// The version that the work is based on.
    pub(crate) fn version(&self) -> Option<Version> {
        let stored = self.state.base.live()?;
        Some(stored.record.version())
    }

    /// Whether this record was stored by this unit of work.
    pub(super) fn has_stored(&self, record: &Record) -> bool {
        let commits = &record.body().commits;
        self.commit.is_some_and(|commit| commits.contains(commit))
    }

    /// A session that was cleared is over, by this commit or by another request.
    pub(super) fn ended(&mut self, handle: Handle, by_us: bool) {
        self.ended.push(handle);
        let state = &mut self.state;
        if state.endings.own == Some(handle) && !by_us {
            state.lose_ending();
        }
        state.endings.remove(handle);
    }

    /// Rebases the work on a newer record. Operations that change nothing there are kept, as they may change the next
    /// one.
    pub(super) fn rebase(&mut self, record: Record) -> Result<(), Error> {
        self.attempt = None;
        // A call in flight can still do its work on the record of the same version.
        self.was_unknown &= self.version() == Some(record.version());
        self.state.changes.keep_redundant();
        self.state.apply_newer(Some(record))
    }

    /// Whether so many commits came after a write that may have happened, that its id would be forgotten.
    pub(super) fn may_be_forgotten(&self, record: &Record) -> bool {
        let (Some(Attempt::Replace(expected)), true) = (&self.attempt, self.was_unknown) else {
            return false;
        };
        commits_since(*expected, record) > CommitIds::MOST
    }

    /// Whether this record, which does not have its id, proves that it is not stored and cannot be stored any more: it has
    /// the ids of all commits since. One of them may be that of a move in two steps.
    pub(super) fn is_refuted_by(&self, record: &Record) -> bool {
        let (Some(Attempt::Replace(expected)) | Some(Attempt::Move(expected, _))) = &self.attempt
        else {
            return false;
        };
        (1..record.body().commits.len()).contains(&commits_since(*expected, record))
    }

    /// Whether a write may have happened of which no answer tells.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.attempt.is_some() && (!self.is_refused || self.was_unknown)
    }

    /// No answer says what became of its last call.
    pub(super) fn note_unanswered(&mut self) {
        self.was_unknown |= !matches!(self.attempt, Some(Attempt::Delete(_)));
    }

    /// Once its session is over: whether it may have been stored before.
    pub(crate) fn may_have_been_stored(&self) -> bool {
        self.was_unknown
    }

    /// A write is about to be asked for. Gives the one before it, of which the outcome is not known.
    pub(super) fn attempt(&mut self, attempt: Attempt) -> Option<Attempt> {
        self.is_refused = false;
        self.attempt.replace(attempt)
    }

    /// Whether it may have created a session whose id no one has been told yet.
    pub(super) fn may_have_created(&self) -> bool {
        matches!(self.attempt, Some(Attempt::Create))
    }

    /// Its create, if that may still be in flight.
    pub(super) fn abandoned(&self) -> Option<Abandoned> {
        let names = self.new_id.zip(self.commit);
        let (new_id, commit) = names.filter(|_| self.may_have_created())?;
        let before = self.state.abandoned.as_deref();
        Some(Abandoned::new(new_id, commit, before))
    }

    /// What stands under the new id is not this unit's. If it is of the create that was abandoned, it is ended first.
    pub(super) fn end_abandoned(&mut self, record: &Record) {
        if let Some(abandoned) = self.state.abandoned.take()
            && abandoned.has_stored(record)
        {
            self.state.endings.others.push(abandoned.handle());
        }
    }

    /// Whether it may have left a copy of its session under the new id, in a store that moves in two steps.
    pub(crate) fn may_have_copied(&self) -> bool {
        matches!(self.attempt, Some(Attempt::Move(..)))
    }

    /// A move that is not continued: the copy that it [may have left](Self::may_have_copied) is ended first. Answers
    /// whether there may be something.
    pub(super) fn end_copy(&mut self) -> bool {
        let may_have_copied = self.may_have_copied();
        if may_have_copied {
            let copy = self.new_id().1;
            self.state.endings.others.push(copy);
            self.attempt = None;
            self.rename();
        }
        may_have_copied
    }

    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// The records that it may leave behind if it is not continued.
    pub(crate) fn leftovers(&self) -> impl Iterator<Item = Handle> + use<> {
        let new = match self.attempt {
            Some(Attempt::Create | Attempt::Move(..)) => self.new_id.map(|(_, handle)| handle),
            Some(Attempt::Delete(_) | Attempt::Replace(_)) | None => None,
        };
        let endings = self.state.endings.clone();
        new.into_iter().chain(endings.own).chain(endings.others)
    }
}

/// How many commits came after the version that a write expects.
fn commits_since(expected: Version, record: &Record) -> usize {
    let since = record.version().get().saturating_sub(expected.get());
    since.try_into().unwrap_or(usize::MAX)
}
