use wiz_session::{SessionStore, forward_session_store};

use super::store::Faulty;

/// [`Faulty`] with the default `regenerate` of the contract: a create, then a replace.
pub(super) struct InSteps(pub(super) Faulty);

impl SessionStore for InSteps {
    forward_session_store!(self => self.0, except [regenerate]);
}
