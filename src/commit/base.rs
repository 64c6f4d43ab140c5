use crate::{
    id::{Handle, SessionId},
    record::Record,
};

/// Where the session stands in the store, as far as the request knows.
#[derive(Debug, Clone, Default)]
pub(crate) enum Base {
    /// Nowhere yet.
    #[default]
    New,
    Live(Stored),
    /// It has ended or moved to another id. The client may hold a newer cookie by now, so only a login may store
    /// anything or set a cookie.
    Gone,
}

/// A stored session.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
    pub(crate) record: Record,
}

impl Base {
    #[inline]
    pub(crate) fn live(&self) -> Option<&Stored> {
        match self {
            Self::Live(stored) => Some(stored),
            Self::New | Self::Gone => None,
        }
    }
}
