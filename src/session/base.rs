use crate::{
    id::{Handle, SessionId},
    record::Record,
};

/// Where the session stands in the store.
#[derive(Debug, Clone)]
pub(crate) enum Base {
    /// Nowhere yet.
    New,
    Live(Live),
    /// It has ended or moved to another id, and the client may hold a newer cookie by now: nothing may be stored, and
    /// no cookie sent, but by a login.
    Gone,
}

#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
    pub(crate) record: Record,
}

impl Base {
    pub(crate) fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            Self::New | Self::Gone => None,
        }
    }
}
