//! What a commit says and is told.

use super::{base::Base, cookie_action::CookieAction};
use crate::{
    error::Error,
    expiry::Expiry,
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced},
    time::Timestamp,
};

/// What is to be done next.
pub(crate) enum Next<'a> {
    Ask(Call<'a>),
    /// Run the transaction's closure on [`Commit::start_run`], then tell [`Commit::ran`].
    Run,
    /// Wait for other commits of this session, then tell [`Commit::waited`]. So many conflicts there were.
    Wait(Handle, u32),
    Done(Done),
}

/// A call to the store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    Load(Handle),
    /// A load that tells what became of a call without an answer.
    Verify(Handle),
    Create(Handle, &'a Record),
    Replace(Handle, Version, &'a Record),
    Regenerate {
        old: Handle,
        expected: Version,
        tombstone: &'a Record,
        new: Handle,
        record: &'a Record,
    },
    Touch(Handle, Timestamp),
    Delete(Handle),
}

/// What the store answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Loaded(Option<Record>),
    Created(Created),
    Replaced(Replaced),
    Touched(bool),
    Deleted(bool),
}

/// What a run of a transaction's closure came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It returned a value.
    Completed,
    /// It returned an error, which aborts the transaction.
    Failed,
}

/// How a commit ended.
#[derive(Debug)]
pub(crate) enum Done {
    Settled(Settled),
    /// A unit that was in doubt is not stored, and this commit was only to find that out.
    Unstored,
    /// The transaction's closure failed on the newest record.
    Aborted,
    Failed(Error),
}

/// Where a commit led.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) base: Base,
    pub(crate) cookie: Option<CookieAction>,
    /// Changes were dropped, as their session had ended.
    pub(crate) discards: bool,
    /// They were stored before their session moved to another id.
    pub(crate) has_moved: bool,
}

/// What happened, for events, metrics and those who watch a session.
#[derive(Debug)]
pub(crate) enum Event {
    Created(Handle),
    Replaced,
    Moved { from: Handle, to: Handle },
    Ended(Handle),
    Replayed,
    TouchFailed(Handle, Error),
}

/// The settings of a layer that its commits depend on.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) expiry: Expiry,
    /// The store is immediate: no answer can be lost, so commits need no ids.
    pub(crate) is_immediate: bool,
}
