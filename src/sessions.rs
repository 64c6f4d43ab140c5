use std::{fmt, sync::Arc, time::SystemTime};

use crate::{
    error::Error,
    id::Handle,
    observe,
    record::Record,
    session::{LayerConfig, WizSession},
    time::Timestamp,
};

/// Looks at sessions from outside, and ends them: "where am I logged in", "log out everywhere else", the
/// administrator's view (OWASP ASVS 5.0 §7.4, §7.5).
///
/// Sessions are named by their [`Handle`], which is no credential.
///
/// ```
/// use wiz_session::{Key, MemoryStore, WizSessionLayer};
///
/// # async fn f() -> Result<(), wiz_session::Error> {
/// let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
/// let sessions = layer.sessions();
///
/// for session in sessions.list("alice").await? {
///     println!("{} since {:?}", session.handle(), session.authenticated_at());
/// }
/// sessions.revoke_user("alice").await?;
/// assert_eq!(sessions.count().await?, 0);
/// # Ok(()) }
/// ```
///
/// In a handler, with the sessions in the router's state:
///
/// ```
/// use axum::extract::{Path, State};
/// use wiz_session::{Error, Handle, Sessions, WizSession};
///
/// async fn log_out_elsewhere(session: WizSession, State(sessions): State<Sessions>) -> Result<String, Error> {
///     Ok(format!("{} ended", sessions.revoke_others(&session).await?))
/// }
///
/// /// One of one's own, by the handle that the list shows.
/// async fn log_out_there(
///     session: WizSession,
///     State(sessions): State<Sessions>,
///     Path(handle): Path<Handle>,
/// ) -> Result<String, Error> {
///     let own = sessions.list(&session.user().unwrap_or_default()).await?;
///     let ended = own.iter().any(|one| one.handle() == handle) && sessions.revoke(handle).await?;
///     Ok(format!("ended: {ended}"))
/// }
/// ```
#[derive(Clone)]
pub struct Sessions {
    config: Arc<LayerConfig>,
}

impl Sessions {
    pub(crate) fn new(config: Arc<LayerConfig>) -> Self {
        Self { config }
    }

    /// The sessions in which this user is logged in.
    ///
    /// # Errors
    /// [`Error::is_store`].
    pub async fn list(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        let LayerConfig {
            store,
            clock,
            policy,
            ..
        } = &*self.config;
        let mut listed = store.list(user).answer().await?;
        let now = clock.timestamp();
        listed.retain(|(_, record)| policy.expiry.is_live(record, now));
        Ok(listed
            .into_iter()
            .map(|(handle, record)| SessionInfo {
                handle,
                last_used: policy.expiry.last_used(&record),
                record,
            })
            .collect())
    }

    /// Ends one session. Answers whether there was one.
    ///
    /// # Errors
    /// [`Error::is_store`].
    pub async fn revoke(&self, handle: Handle) -> Result<bool, Error> {
        let ended = self.config.store.delete(handle).answer().await?;
        if ended {
            observe::ended(handle);
        }
        Ok(ended)
    }

    /// Ends all sessions of a user: after a change of password, or when the account is closed. Answers how many.
    ///
    /// # Errors
    /// [`Error::is_store`].
    pub async fn revoke_user(&self, user: &str) -> Result<u64, Error> {
        self.revoke_all(user, None).await
    }

    /// Ends all *other* sessions of the user who is logged in here. Answers how many; none if nobody is logged in.
    ///
    /// Takes a look at the store first, whether this session still is what it was when the request loaded it.
    ///
    /// # Errors
    /// [`Error::is_gone`] if this session has ended or moved to another id; then no session is ended, as this one's
    /// successor would be among them. [`Error::is_store`].
    pub async fn revoke_others(&self, session: &WizSession) -> Result<u64, Error> {
        let Some(user) = session.user() else {
            return match session.is_ended() {
                true => Err(Error::gone()),
                false => Ok(0),
            };
        };
        // A login that is pending begins a session of its own, whatever became of this one.
        if !session.has_login() && !session.is_alive().await? {
            return Err(Error::gone());
        }
        self.revoke_all(&user, session.handle()).await
    }

    /// How many sessions live, of users and of anonymous visitors. May take a store a while.
    ///
    /// # Errors
    /// [`Error::is_store`].
    pub async fn count(&self) -> Result<u64, Error> {
        let now = self.config.clock.now();
        let sessions = self.config.store.count(now).answer().await?;
        observe::counted(sessions);
        Ok(sessions)
    }

    async fn revoke_all(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let ended = self.config.store.delete_user(user, except).answer().await?;
        observe::revoked(ended);
        Ok(ended)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// One session as [`Sessions::list`] shows it: when and whose, nothing of its data.
///
/// ```
/// fn line(session: &wiz_session::SessionInfo) -> String {
///     format!("{} until {:?}", session.handle(), session.expires_at())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SessionInfo {
    handle: Handle,
    last_used: Timestamp,
    record: Record,
}

impl SessionInfo {
    /// Its public name, for [`Sessions::revoke`].
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// The user who is logged in.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.record.user()
    }

    /// When it was first stored.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        self.record.created_at()
    }

    /// When the user last logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.record.authenticated_at()
    }

    /// When it was last used, as far as that was written down: uses within a tenth of the idle timeout count as one,
    /// and one that could not prolong the session, near the absolute timeout or with
    /// [`remember`](WizSession::remember), is not written down.
    #[must_use]
    pub fn last_used_at(&self) -> SystemTime {
        self.last_used.into()
    }

    /// When it ends unless it is used before.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.record.expires_at()
    }
}
