use std::{fmt, sync::Arc, time::SystemTime};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    id::Handle,
    record::{Record, Version},
    time::Timestamp,
};

/// Why a session is over.
///
/// ```
/// assert_eq!(wiz_session::Ended::Moved.to_string(), "moved");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// By [`clear`](crate::WizSession::clear) or [`log_out`](crate::WizSession::log_out). Also by
    /// [`Sessions::revoke`](crate::Sessions::revoke) or the operator's tool in *another* process: to the store it is the same
    /// `delete`. Where ends are not pushed, every session that another process deletes is told as this.
    LoggedOut,
    /// By [`Sessions`](crate::Sessions) in this process, or all sessions of the user by
    /// [`revoke_user`](crate::Sessions::revoke_user) and its like in another one whose store pushes it. Do not decide by it
    /// whether a client may log in again.
    Revoked,
    /// It lives on under a new id, after a login or [`regenerate`](crate::WizSession::regenerate). What was opened before a
    /// login does not follow into it (OWASP ASVS 5.0 §7.2.4): the client connects again with its new cookie.
    Moved,
    /// It was not used for too long, or has reached its absolute end.
    Expired,
}

impl Ended {
    /// `logged_out`, `revoked`, `moved` or `expired`: a reason for a client.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Revoked => "revoked",
            Self::Moved => "moved",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What [`SessionStore::look`](super::SessionStore::look) answers for one session: all of its record but the data.
///
/// ```
/// use std::time::SystemTime;
/// use wiz_session::{Version, store::Status};
///
/// let status = Status::new(Version::FIRST, SystemTime::now(), false);
/// assert_eq!(status.version(), Version::FIRST);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    version: Version,
    expires_at: Timestamp,
    is_tombstone: bool,
}

impl Status {
    /// That of a session whose record is damaged: it has not changed, and does not expire before it is looked at again.
    pub(super) const UNREADABLE: Self = Self {
        version: Version::new(0),
        expires_at: Timestamp::from_millis(Timestamp::LATEST),
        is_tombstone: false,
    };

    /// The status of a session with this version and expiry, or of a tombstone.
    #[must_use]
    pub fn new(version: Version, expires_at: SystemTime, is_tombstone: bool) -> Self {
        Self {
            version,
            expires_at: expires_at.into(),
            is_tombstone,
        }
    }

    /// The status of the session with this record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self::new(record.version(), record.expires_at(), record.is_tombstone())
    }

    /// The record's version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// When the session ends unless it is used before.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at.into()
    }

    /// Whether the session has moved to another id.
    #[must_use]
    pub const fn is_tombstone(&self) -> bool {
        self.is_tombstone
    }
}

/// Where a store reports what other processes do to the sessions that are watched in this one. A store gets it by
/// [`SessionStore::push`](super::SessionStore::push).
///
/// Reports may be late, repeated or of sessions that nobody watches. They may also be lost, as every watched session is
/// looked at from time to time; if the store notices that some were, it says so by [`gap`](Self::gap), and all are looked
/// at at once.
pub struct Feed {
    watching: Arc<dyn Watching>,
    /// Opened by the first request: they would pile up for a store that does not ask.
    requests: Option<UnboundedReceiver<FeedRequest>>,
}

/// What a [`Feed`] asks of its store, for engines with a channel for each session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedRequest {
    /// This session is watched from now on.
    Watch(Handle),
    /// It is no longer.
    Unwatch(Handle),
}

/// Who is told what a store reports.
pub(crate) trait FeedSink: Send + Sync {
    fn ended(&self, handle: Handle, why: Ended);
    fn changed(&self, handle: Handle, version: Version);
    fn gap(&self);
}

/// What a store's feed is for.
pub(crate) trait Watching: FeedSink {
    /// It may have ended or changed.
    fn look(&self, handle: Handle);
    /// What is watched by now, and what will be.
    fn requests(&self) -> UnboundedReceiver<FeedRequest>;
}

impl Feed {
    pub(crate) fn new(watching: Arc<dyn Watching>) -> Self {
        Self {
            watching,
            requests: None,
        }
    }

    /// A session has ended. It is believed without a look at the store.
    pub fn ended(&self, handle: Handle, why: Ended) {
        self.watching.ended(handle, why);
    }

    /// A session has changed, and has this version now.
    pub fn changed(&self, handle: Handle, version: Version) {
        self.watching.changed(handle, version);
    }

    /// This session may have ended or changed without a report: it is looked at at once. For a store that subscribes to each
    /// session, to be called when that has taken effect, as nobody was told what happened before.
    pub fn look(&self, handle: Handle) {
        self.watching.look(handle);
    }

    /// Reports may have been lost: the connection broke, or could not keep up. To be called once reports arrive again.
    pub fn gap(&self) {
        self.watching.gap();
    }

    /// The next session that is to be watched, or no longer. Whoever opens a new connection is not told again what the
    /// former one was told.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn request(&mut self) -> FeedRequest {
        let watching = &self.watching;
        let requests = self.requests.get_or_insert_with(|| watching.requests());
        match requests.recv().await {
            Some(request) => request,
            // Its watchers drop the store's future then.
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_word_for_a_client() {
        use Ended::{Expired, LoggedOut, Moved, Revoked};
        let words = ["logged_out", "revoked", "moved", "expired"];
        let reasons = [LoggedOut, Revoked, Moved, Expired];
        assert_eq!(reasons.map(Ended::as_str), words);
        assert_eq!(reasons.map(|reason| reason.to_string()), words);
    }

    #[test]
    fn a_status_tells_what_its_record_does() {
        let stone = Record::tombstone(Version::new(7), Timestamp::from_millis(1_000));
        let end = stone.expires_at();
        for is_tombstone in [false, true] {
            let status = Status::new(Version::new(7), end, is_tombstone);
            assert_eq!(status == Status::of(&stone), is_tombstone);
            assert_eq!(status.version(), Version::new(7));
            assert_eq!(status.expires_at(), end);
            assert_eq!(status.is_tombstone(), is_tombstone);
        }
    }
}
