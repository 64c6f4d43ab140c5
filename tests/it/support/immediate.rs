use wiz_session::{SessionStore, forward_session_store, test_util::TestStore};

/// The same store, saying of itself that it answers at once; which it does unless it is told to wait.
pub(crate) struct Immediate(pub(crate) TestStore);

impl SessionStore for Immediate {
    const IMMEDIATE: bool = true;

    forward_session_store!(self => self.0);
}
