use super::op::Ops;

/// Changes that were given to a commit whose outcome is not known yet. They stay visible to the request, and have to
/// be handed back: [acknowledged](Changes::ack) once they are stored, [aborted](Changes::abort) once it is certain that
/// they are not.
#[derive(Debug)]
#[must_use = "changes in flight are handed back by `ack` or `abort`"]
pub(crate) struct InFlight(pub(super) ());

impl InFlight {
    /// For changes that no other handle can observe.
    pub(crate) fn nothing() -> Self {
        Self(())
    }
}

/// What is in flight, and how later operations are kept meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) ops: Ops,
    /// Every later operation is kept, even one that changes nothing: it is not known what it will be applied to.
    pub(super) keeps_all: bool,
}
