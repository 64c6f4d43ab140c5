use std::{fmt, sync::Arc, time::SystemTime};

use crate::{
    error::Error,
    id::Handle,
    observe,
    record::{Alias, Record, Stamp},
    session::{AliasEntry, LayerConfig, WizSession},
    time::Timestamp,
    watch::Watch,
};

/// Lists and ends sessions from outside of a request: "where am I logged in", "log out everywhere else", the
/// administrator's view (OWASP ASVS 5.0 §7.4, §7.5).
///
/// Sessions are named by their [`Handle`], which is not a credential: it cannot be used as a cookie.
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
/// /// Ends one of the user's own sessions, by the handle that the list shows.
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

    /// The live sessions in which this user is logged in, in no particular order.
    ///
    /// One call of the store's `list`, whose cost grows with that user's sessions only.
    ///
    /// # Errors
    /// [`Error::is_store`].
    ///
    /// # Cancel safety
    /// Cancel-safe: it changes nothing.
    pub async fn list(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        let expiry = &self.config.policy.expiry;
        let listed = self.config.revoker.list(user).await?;
        Ok(listed
            .into_iter()
            .map(|(handle, record)| SessionInfo {
                handle,
                last_used: expiry.last_used(&record),
                record,
            })
            .collect())
    }

    /// Ends one session and returns whether this call ended it. Requests that are using the session find it gone at
    /// their commit.
    ///
    /// One `delete`.
    ///
    /// # Errors
    /// [`Error::is_store`]. The session may have ended all the same, if only the answer was lost; call it again.
    ///
    /// # Cancel safety
    /// Dropped at any point, the session has ended or it has not. Calling it again is harmless.
    pub async fn revoke(&self, handle: Handle) -> Result<bool, Error> {
        self.config.revoker.revoke(handle).await
    }

    /// Ends all sessions of a user, and returns how many: when an account is closed, or its password was reset.
    ///
    /// One call of the store's `delete_user`. It includes sessions that move to a new id while it runs.
    ///
    /// # Errors
    /// [`Error::is_store`]. Some sessions may have ended; call it again.
    ///
    /// # Cancel safety
    /// Dropped at any point, none, some or all of the sessions have ended. Calling it again ends the rest.
    pub async fn revoke_user(&self, user: &str) -> Result<u64, Error> {
        self.config.revoker.revoke_all(user, None).await
    }

    /// Ends all *other* sessions of the user who is logged in here, and returns how many. For an anonymous visitor it does
    /// nothing and returns 0.
    ///
    /// One `load`, to make sure that this session is still alive under its id, and one `delete_user`. After a `log_in` of
    /// the same request the `load` is left out: the login begins a session of its own.
    ///
    /// # Errors
    /// [`Error::is_gone`] if this session has ended or has moved to another id. No session is ended then, since the
    /// session that this one moved to would be among them. [`Error::is_store`]: some sessions may have ended; call it
    /// again.
    ///
    /// # Cancel safety
    /// Dropped at any point, none, some or all of the other sessions have ended. Calling it again ends the rest.
    pub async fn revoke_others(&self, session: &WizSession) -> Result<u64, Error> {
        let Some(user) = session.user() else {
            return match session.is_ended() {
                true => Err(Error::gone()),
                false => Ok(0),
            };
        };
        // A pending login begins a session of its own even if this one has ended.
        if !session.has_login() && !session.is_alive().await? {
            return Err(Error::gone());
        }
        let revoker = &self.config.revoker;
        revoker.revoke_all(&user, session.handle()).await
    }

    /// Ends the sessions of a user who logged in with other credentials than those of this stamp, or with none that was
    /// [stamped](WizSession::log_in_with), and returns how many. After a change of password, wherever it was changed.
    ///
    /// One `list`, and one `delete` for each session that ends; again if one of them moves to a new id meanwhile. A login
    /// with the old credentials that is under way may be stored after the list. An application that compares
    /// [`has_stamp`](WizSession::has_stamp) for each request does not let it pass.
    ///
    /// ```
    /// # use wiz_session::{Error, Sessions};
    /// # struct Account { id: i64, password_hash: String }
    /// async fn password_changed(sessions: &Sessions, account: &Account) -> Result<u64, Error> {
    ///     sessions.revoke_stale(&account.id.to_string(), &account.password_hash).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_store`], [`Error::is_conflict`]. Some sessions may have ended; call it again.
    ///
    /// # Cancel safety
    /// Dropped at any point, none, some or all of the sessions have ended. Calling it again ends the rest.
    pub async fn revoke_stale(&self, user: &str, stamp: impl AsRef<[u8]>) -> Result<u64, Error> {
        let stamp = Some(Stamp::of(stamp.as_ref()));
        let is_current = |record: &Record| record.details().is_some_and(|it| it.stamp == stamp);
        self.config.revoker.revoke_unless(user, is_current).await
    }

    /// Ends all sessions of a user except the `most` whose logins are the newest, and returns how many.
    /// [`max_sessions_per_user`](crate::WizSessionLayerBuilder::max_sessions_per_user) does so at each login.
    ///
    /// One `list`, and one `delete` for each session that ends; again if one of them moves to a new id meanwhile.
    ///
    /// # Errors
    /// [`Error::is_store`], [`Error::is_conflict`]. Some sessions may have ended; call it again.
    ///
    /// # Cancel safety
    /// Dropped at any point, none, some or all of the sessions have ended. Calling it again ends the rest.
    pub async fn keep_newest(&self, user: &str, most: usize) -> Result<u64, Error> {
        self.config.revoker.keep_newest(user, most).await
    }

    /// Ends the sessions whose login has this [alias](WizSession::alias), and returns how many: another system has logged
    /// the user out. For OpenID Connect back-channel logout, with the `sid` of the logout token. A token that names the
    /// user alone, by `sub`, is what [`revoke_user`](Self::revoke_user) is for.
    ///
    /// One `load`, one `list`, and one `delete` for each session that ends. A login that is under way may be stored after
    /// the list.
    ///
    /// ```
    /// # async fn f(sessions: wiz_session::Sessions, sid: &str) -> Result<(), wiz_session::Error> {
    /// let ended = sessions.revoke_alias("oidc-sid", sid).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_store`], [`Error::is_conflict`]. Some sessions may have ended; call it again.
    ///
    /// # Cancel safety
    /// Dropped at any point, none, some or all of the sessions have ended. Calling it again ends the rest.
    pub async fn revoke_alias(&self, name: &str, value: &str) -> Result<u64, Error> {
        let alias = Alias {
            name: name.into(),
            value: value.into(),
        };
        let entry = AliasEntry::of(&self.config.store, &alias);
        let Some(user) = entry.user().await? else {
            return Ok(0);
        };
        let is_another = |record: &Record| {
            let details = record.details();
            !details.is_some_and(|details| details.aliases.contains(&alias))
        };
        self.config.revoker.revoke_unless(&user, is_another).await
    }

    /// Watches a session from outside of a request: a job, or a gateway that holds a socket on behalf of another process.
    /// In a handler, [`WizSession::ended`] does it. The handle may be of a session that is over by now.
    ///
    /// ```
    /// # async fn f(sessions: wiz_session::Sessions, owner: wiz_session::Handle) {
    /// let watch = sessions.watch(owner);
    /// tokio::select! {
    ///     why = watch.ended() => println!("the export is stopped: its owner's session is {why}"),
    ///     () = export() => {}
    /// }
    /// # }
    /// # async fn export() {}
    /// ```
    ///
    /// One look at the store when it begins, together with others that begin then, and a share of one each
    /// [`watch_interval`](crate::WizSessionLayerBuilder::watch_interval).
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn watch(&self, handle: Handle) -> Watch {
        self.config.watchers.watch(handle, None)
    }

    /// The number of live sessions, of users and anonymous visitors together. With the feature `metrics` it also sets the
    /// gauge `wiz_session_live`.
    ///
    /// One call of the store's `count`, which may look at every session: do not call it for each request.
    ///
    /// # Errors
    /// [`Error::is_store`].
    ///
    /// # Cancel safety
    /// Cancel-safe: it changes nothing.
    pub async fn count(&self) -> Result<u64, Error> {
        let now = self.config.clock.now();
        let sessions = self.config.store.count(now).answer().await?;
        observe::counted(sessions);
        Ok(sessions)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// One session as [`Sessions::list`] returns it: its user and its times, none of its data.
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
    /// Whether it is bound to the device of its browser, by the feature `dbsc`.
    ///
    /// ```
    /// fn line(info: &wiz_session::SessionInfo) -> String {
    ///     let bound = if info.is_device_bound() { ", bound to its device" } else { "" };
    ///     format!("{}{bound}", info.label().unwrap_or("a browser"))
    /// }
    /// ```
    #[must_use]
    pub fn is_device_bound(&self) -> bool {
        self.record.is_device_bound()
    }

    /// The session's public name, for [`Sessions::revoke`].
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// The user who is logged in.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.record.user()
    }

    /// What the application [named](WizSession::label) it, for people to recognise it by. It may have been made from what
    /// the client sent: escape it.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.record.label()
    }

    /// When the session was first stored.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        self.record.created_at()
    }

    /// When the user last logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.record.authenticated_at()
    }

    /// When the session was last used, as far as the store knows. Uses are recorded at most once per tenth of the idle
    /// timeout, and not at all where they could not postpone the end, close to the absolute timeout.
    #[must_use]
    pub fn last_used_at(&self) -> SystemTime {
        self.last_used.into()
    }

    /// When the session ends unless it is used before.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.record.expires_at()
    }
}
