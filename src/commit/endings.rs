use crate::id::Handle;

/// Sessions that were cleared and are not deleted yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Endings {
    /// The request's own.
    pub(super) own: Option<Handle>,
    /// Those of other cookies that the client presented, and of commits that may have left a record behind.
    pub(super) others: Vec<Handle>,
}

impl Endings {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_none() && self.others.is_empty()
    }

    /// The one to be deleted next.
    pub(super) fn first(&self) -> Option<Handle> {
        self.own.or_else(|| self.others.first().copied())
    }

    pub(super) fn remove(&mut self, handle: Handle) {
        self.own = self.own.filter(|own| *own != handle);
        self.others.retain(|other| *other != handle);
    }
}
