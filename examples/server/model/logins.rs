//! Where else a user is logged in, and ending that.

use std::cmp::Reverse;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use wiz_session::{Error, Handle, SessionInfo, Sessions, WizSession};

use crate::model::{Users, identity};

/// One of a user's sessions, as they may see it. The times are milliseconds since 1970.
#[derive(Serialize)]
pub(crate) struct Login {
    handle: Handle,
    /// Browser and system.
    label: String,
    since: u64,
    last_seen: u64,
    expires_at: u64,
    /// Whether it is the one that asks.
    current: bool,
    /// Whether it is bound to the device of its browser.
    bound: bool,
}

/// All sessions of the user who is logged in.
pub(crate) struct Logins<'a> {
    session: &'a WizSession,
    sessions: &'a Sessions,
    user: String,
}

impl<'a> Logins<'a> {
    /// `None` if nobody is logged in.
    pub(crate) fn of(
        session: &'a WizSession,
        sessions: &'a Sessions,
        users: &Users,
    ) -> Option<Self> {
        let user = identity::current_user(session, users)?;
        Some(Self {
            session,
            sessions,
            user: user.id.to_string(),
        })
    }

    /// This one first, then the newest.
    pub(crate) async fn list(&self) -> Result<Vec<Login>, Error> {
        let listed = self.sessions.list(&self.user).await?;
        let mut logins: Vec<_> = listed.iter().map(|info| self.describe(info)).collect();
        logins.sort_by_key(|login| (!login.current, Reverse(login.since)));
        Ok(logins)
    }

    /// Ends one, and tells whether it was there. One of somebody else is not there.
    pub(crate) async fn end(&self, handle: Handle) -> Result<bool, Error> {
        if self.session.handle() == Some(handle) {
            self.session.log_out();
            return Ok(true);
        }
        let listed = self.sessions.list(&self.user).await?;
        if !listed.iter().any(|info| info.handle() == handle) {
            return Ok(false);
        }
        self.sessions.revoke(handle).await
    }

    /// Ends all but this one, and tells how many.
    pub(crate) async fn end_others(&self) -> Result<u64, Error> {
        self.sessions.revoke_others(self.session).await
    }

    fn describe(&self, info: &SessionInfo) -> Login {
        Login {
            handle: info.handle(),
            label: info.label().unwrap_or_default().to_owned(),
            since: millis(info.authenticated_at().unwrap_or(info.created_at())),
            last_seen: millis(info.last_used_at()),
            expires_at: millis(info.expires_at()),
            current: self.session.handle() == Some(info.handle()),
            bound: info.is_device_bound(),
        }
    }
}

fn millis(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
