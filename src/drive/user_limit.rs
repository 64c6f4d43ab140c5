use std::{num::NonZeroUsize, sync::Arc};

use super::revoke::Revoker;
use crate::{at_once::at_once, observe};

/// How many sessions a user may have. The login that exceeds it ends the oldest.
///
/// It is enforced after the login is stored, by its request: of several logins at once, the last one to list the
/// sessions sees all of them. A failure does not undo the login: the next one enforces it again.
#[derive(Clone, Copy)]
pub(crate) struct UserLimit<'a> {
    pub(crate) most: NonZeroUsize,
    pub(crate) revoker: &'a Arc<Revoker>,
}

impl UserLimit<'_> {
    /// After a login of this user. Goes on if the request is given up meanwhile.
    pub(super) async fn enforce(self, user: &str) {
        let (revoker, user, most) = (Arc::clone(self.revoker), user.to_owned(), self.most.get());
        let enforcing = tokio::spawn(async move { revoker.keep_newest(&user, most).await });
        match enforcing.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => observe::limit_not_enforced(&error),
            // The runtime shuts down, or the store panicked and that was reported.
            Err(_) => {}
        }
    }

    /// As [`enforce`](Self::enforce), over a store that answers at once.
    pub(super) fn enforce_now(self, user: &str) {
        if let Some(Err(error)) = at_once(self.revoker.keep_newest(user, self.most.get())) {
            observe::limit_not_enforced(&error);
        }
    }
}
