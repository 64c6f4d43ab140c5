use crate::{
    id::{Handle, SessionId},
    record::{CommitId, CommitIds, Record},
};

/// A create that was given up though its call may still be in flight. The next session of the request begins under the same
/// id, so that the store refuses whichever of them comes last.
#[derive(Debug, Clone)]
pub(super) struct Abandoned {
    new_id: (SessionId, Handle),
    /// Of all that were given up under this id.
    commits: CommitIds,
}

impl Abandoned {
    /// A further one under the id of those `before`.
    pub(super) fn new(
        new_id: (SessionId, Handle),
        commit: CommitId,
        before: Option<&Self>,
    ) -> Self {
        let before = before.map(|before| before.commits.clone());
        let commits = before.unwrap_or_default().with(commit);
        Self { new_id, commits }
    }

    pub(super) fn new_id(&self) -> (SessionId, Handle) {
        self.new_id
    }

    pub(super) fn handle(&self) -> Handle {
        self.new_id.1
    }

    /// Whether this record was stored by one of them.
    pub(super) fn has_stored(&self, record: &Record) -> bool {
        let stored = record.body().commits.latest();
        stored.is_some_and(|commit| self.commits.contains(commit))
    }
}
