use std::{fmt, sync::Arc, time::Duration};

use crate::{error::Error, session::WizSession};

/// What a guard asks of a session.
#[derive(Clone, Default)]
pub(super) struct Rules {
    pub(super) fresh: Option<Duration>,
    pub(super) conditions: Vec<Arc<Condition>>,
    pub(super) login_at: Option<String>,
    pub(super) next_in_query: Option<String>,
}

pub(super) type Condition = dyn Fn(&WizSession) -> Result<bool, Error> + Send + Sync;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    LogIn,
    /// The user is known, and has to show the password again.
    LogInAgain(Duration),
    Forbid,
}

impl Rules {
    pub(super) fn judge(&self, session: &WizSession) -> Result<Verdict, Error> {
        if session.user().is_none() {
            return Ok(Verdict::LogIn);
        }
        if let Some(within) = self.fresh
            && !session.is_fresh(within)
        {
            return Ok(Verdict::LogInAgain(within));
        }
        for condition in &self.conditions {
            if !condition(session)? {
                return Ok(Verdict::Forbid);
            }
        }
        Ok(Verdict::Pass)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("fresh", &self.fresh)
            .field("conditions", &self.conditions.len())
            .field("login_at", &self.login_at)
            .field("next_in_query", &self.next_in_query)
            .finish()
    }
}
