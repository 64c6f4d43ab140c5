use super::{
    base::{Base, Stored},
    call::Event,
    cookie_action::CookieAction,
};
use crate::{error::Error, time::Timestamp};

/// Where an answer leads: the state that comes next.
#[derive(Debug)]
pub(super) enum Turn {
    /// Plan again.
    Plan,
    Refresh(Why),
    /// Let other commits of this session go first.
    Wait,
    Verify(After),
    /// Keep this session alive until then, and tell its client by this cookie.
    Touch(Stored, Timestamp, Option<CookieAction>),
    Settle(Base, Option<CookieAction>),
    /// It was stored, and then another request moved the session to another id.
    SettleMoved,
    /// The session has ended, and the changes are discarded with it.
    Discard,
    Fail(Error),
}

/// Why the newest record is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Another request was faster.
    Conflict,
    /// The snapshot is too old to decide from.
    Snapshot,
    /// The application wants to see it.
    Reload,
    /// The cookie is to be sent again, which it may only be while the session has no newer one.
    Reissue,
    /// The transaction read what may no longer be true.
    Transaction,
}

/// Why it is not known what became of a write.
#[derive(Debug)]
pub(super) enum After {
    /// The store's error: looked up once, in the same call.
    Error(Error),
    /// An earlier call, which was dropped, or whose look-up found nothing.
    Resumed,
    /// The new id is in use, possibly by this very commit.
    IdInUse,
    /// The time for this commit is used up by conflicts with others.
    OutOfTime,
}

/// A write that is stored.
pub(crate) struct Written {
    pub(crate) stored: Stored,
    pub(crate) cookie: Option<CookieAction>,
    pub(crate) event: Event,
}

impl Written {
    pub(super) fn settle(self) -> (Turn, Option<Event>) {
        let Self {
            stored,
            cookie,
            event,
        } = self;
        (Turn::Settle(Base::Live(stored), cookie), Some(event))
    }
}
