use std::sync::Arc;

use super::{registry::Registry, watched::Watched};
use crate::{id::Handle, store::Ended};

/// A revocation under way: what others say of the end of its session does not know why. Dropped without an answer, it is in
/// doubt until the session is looked at.
#[must_use]
pub(crate) struct Revoking<'a> {
    registry: &'a Registry,
    handle: Handle,
    watched: Option<Arc<Watched>>,
}

impl Registry {
    /// It is about to be revoked.
    pub(crate) fn revoking(&self, handle: Handle) -> Revoking<'_> {
        let watched = self.get(handle);
        if let Some(watched) = &watched {
            watched.begin_revocation();
        }
        Revoking {
            registry: self,
            handle,
            watched,
        }
    }
}

impl Revoking<'_> {
    /// It has ended the session, or there was none to end.
    pub(crate) fn answered(mut self, has_ended: bool) {
        if has_ended {
            self.registry.ended(self.handle, Ended::Revoked);
        }
        if let Some(watched) = self.watched.take() {
            watched.end_revocation();
        }
    }
}

impl Drop for Revoking<'_> {
    fn drop(&mut self) {
        if let Some(watched) = &self.watched {
            watched.doubt_revocation();
            watched.end_revocation();
            self.registry.look_soon(self.handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_finds_nothing_gives_a_later_logout_no_name() {
        let (registry, handle) = (Registry::default(), Handle::from_bytes([7; 16]));
        let watched = registry.enter(handle, None, |entry| entry.watches += 1);
        let other = registry.revoking(handle);
        registry.revoking(handle).answered(false);
        other.answered(false);
        registry.ended(handle, Ended::LoggedOut);
        assert_eq!(watched.ended(), Some(Ended::LoggedOut));
    }

    #[test]
    fn while_one_is_under_way_an_end_is_a_revocation() {
        let (registry, handle) = (Registry::default(), Handle::from_bytes([7; 16]));
        let watched = registry.enter(handle, None, |entry| entry.watches += 1);
        let revoking = registry.revoking(handle);
        registry.revoking(handle).answered(false);
        registry.ended(handle, Ended::LoggedOut);
        assert_eq!(
            watched.ended(),
            Some(Ended::Revoked),
            "told by the store first"
        );
        revoking.answered(true);
    }
}
