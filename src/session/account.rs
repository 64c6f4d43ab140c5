use std::time::Duration;

use super::wiz_session::WizSession;
use crate::{
    error::Error,
    expiry,
    record::{Alias, Stamp},
};

/// What a login carries beside the user: what it is shown as, and what ends it.
impl WizSession {
    /// As [`log_in`](Self::log_in), with a stamp of the credentials that were checked: the password's hash, or a number
    /// that is raised whenever a credential changes. [`Sessions::revoke_stale`](crate::Sessions::revoke_stale) ends the
    /// sessions that have another stamp, and [`has_stamp`](Self::has_stamp) tells whether one does.
    ///
    /// Only a hash of the stamp is stored. A login without a stamp removes that of the login before.
    ///
    /// ```
    /// # struct Account { id: i64, password_hash: String }
    /// # async fn f(session: wiz_session::WizSession, account: Account) -> Result<(), wiz_session::Error> {
    /// session.log_in_with(account.id, &account.password_hash);
    /// assert!(session.has_stamp(&account.password_hash));
    /// # Ok(()) }
    /// ```
    #[allow(
        clippy::needless_pass_by_value,
        reason = "ids are text as often as numbers"
    )]
    pub fn log_in_with(&self, user: impl ToString, stamp: impl AsRef<[u8]>) {
        let user = user.to_string().into_boxed_str();
        let stamp = Stamp::of(stamp.as_ref());
        let at = self.session.config.clock.timestamp();
        self.session
            .edit(|state| state.log_in(user, Some(stamp), at));
    }

    /// Whether the user logged in with credentials of this stamp. `false` also for a login without a stamp, and for a
    /// visitor.
    ///
    /// An extractor that loads the user's account for each request compares it there, and so a changed password ends the
    /// sessions from before it, wherever it was changed:
    ///
    /// ```
    /// # struct Account { password_hash: String }
    /// # async fn find_account(_: i64) -> Option<Account> { None }
    /// # async fn f(session: wiz_session::WizSession) -> Result<Option<Account>, wiz_session::Error> {
    /// let Some(id) = session.user_as()? else { return Ok(None) };
    /// let account = find_account(id).await;
    /// Ok(account.filter(|account| session.has_stamp(&account.password_hash)))
    /// # }
    /// ```
    #[must_use]
    pub fn has_stamp(&self, stamp: impl AsRef<[u8]>) -> bool {
        let stamp = Stamp::of(stamp.as_ref());
        let details = self.session.view(|state| state.details());
        details.is_some_and(|details| details.stamp == Some(stamp))
    }

    /// Whether the user logged in no longer ago than this: for actions that ask for the password again. `false` for a
    /// visitor.
    ///
    /// By the layer's clock. A login at another server, whose clock is ahead by up to five minutes, counts as one of now.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// use std::time::Duration;
    ///
    /// if !session.is_fresh(Duration::from_secs(300)) {
    ///     println!("ask for the password again");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_fresh(&self, within: Duration) -> bool {
        let at = self.session.view(|state| state.authenticated_at());
        let now = self.session.config.clock.timestamp();
        at.is_some_and(|at| at.since(now) <= expiry::SKEW && now.since(at) <= within)
    }

    /// Whether the layer takes bearer tokens.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.session.config.cookie.is_bearer()
    }

    /// Whether the client came with a token, and so keeps no cookie.
    pub(crate) fn came_with_token(&self) -> bool {
        self.session.cookies().is_bearer()
    }

    /// How lists of sessions show this one: [`SessionInfo::label`](crate::SessionInfo::label) and the operator's tool.
    /// Stored with the session, and kept until another label is given; the empty one removes it. For a visitor without a
    /// session it takes effect with the first value that is set.
    ///
    /// At most 64 characters are kept, and no control characters: a label is mostly made from a `User-Agent`, which the
    /// client chooses.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// session.log_in("alice");
    /// session.label("Firefox on Linux");
    /// # }
    /// ```
    pub fn label(&self, label: impl AsRef<str>) {
        const MAX_CHARACTERS: usize = 64;
        let printable = label.as_ref().chars().filter(|c| !c.is_control());
        let label: String = printable.take(MAX_CHARACTERS).collect();
        self.session
            .edit(|state| state.set_label(label.trim().into()));
    }

    /// Commits what is pending and gives the session's bearer token, for a client that keeps no cookies; the response then
    /// sets none, and may not be cached. The layer has to be built with
    /// [`bearer(true)`](crate::WizSessionLayerBuilder::bearer). `None` if there is no session: a visitor's begins with a
    /// value or a login.
    ///
    /// Call it last: a login or a new id after it makes the token one that has ended. A token lives as long as its session
    /// keeps its id, and as long as the layer has the key that signed it. A cookie of a previous key is replaced by itself;
    /// a token is not, so give out another before its key leaves
    /// [`previous_keys`](crate::WizSessionLayerBuilder::previous_keys).
    ///
    /// ```
    /// use axum::Json;
    /// use wiz_session::{Error, WizSession};
    ///
    /// async fn log_in(session: WizSession) -> Result<Json<Option<String>>, Error> {
    ///     session.log_in("alice");
    ///     Ok(Json(session.token().await?))
    /// }
    /// ```
    ///
    /// # Store calls
    /// Those of [`save`](Self::save).
    ///
    /// # Errors
    /// Those of [`save`](Self::save); and if the layer takes no tokens, with a message that says so.
    ///
    /// # Cancel safety
    /// Cancel-safe, as [`save`](Self::save) is.
    pub async fn token(&self) -> Result<Option<String>, Error> {
        self.session.token().await
    }

    /// Gives this login a name under which another system knows it, so that the system can end it:
    /// [`Sessions::revoke_alias`](crate::Sessions::revoke_alias). In OpenID Connect back-channel logout it is the `sid` of
    /// the ID token.
    ///
    /// An alias belongs to one login: the next [`log_in`](Self::log_in) removes it. A session has one alias of a name, and
    /// eight at most. Call it after `log_in`, and after [`remember`](Self::remember) where that is called: the alias is
    /// kept for as long as the session can live by then, and its entry in the store also after a logout.
    ///
    /// An alias leads to one user, the last to be given it. Several sessions of that user may have it. Where it comes from
    /// several systems, put the system into the name or the value: two may have given out one `sid`.
    ///
    /// ```
    /// # async fn f(session: wiz_session::WizSession, sid: &str) -> Result<(), wiz_session::Error> {
    /// session.log_in("alice");
    /// session.alias("oidc-sid", sid).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Store calls
    /// One `create`, at once: of an entry that leads from the alias to the user. The alias itself is committed with the
    /// session. If the entry is there, from an earlier login, one `load` and one `replace` more.
    ///
    /// # Errors
    /// [`Error::is_not_logged_in`] for a visitor. [`Error::is_too_large`] if the name has more than 64 bytes, the value
    /// more than 512, or the session has eight others. [`Error::is_store`], [`Error::is_conflict`]: try again.
    ///
    /// # Cancel safety
    /// Dropped at any point, the session has no alias, and an entry may be left that leads nowhere and expires.
    pub async fn alias(&self, name: &str, value: &str) -> Result<(), Error> {
        let alias = Alias {
            name: name.into(),
            value: value.into(),
        };
        if name.len() > Alias::MAX_NAME || value.len() > Alias::MAX_VALUE {
            return Err(Error::alias_too_large());
        }
        self.session.add_alias(alias).await
    }
}
