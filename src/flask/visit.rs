use std::{sync::Arc, time::SystemTime};

use http::{Extensions, HeaderValue, StatusCode};

use super::{
    logged_out,
    mirror::Mirror,
    settings::{Presented, Settings},
    share, take_over,
};
use crate::{
    commit::Base,
    error::Error,
    layer::is_failure,
    observe,
    session::{RequestSession, SessionExtension, WizSession},
};

/// One request on its way through the bridge.
pub(super) struct Visit {
    session: Arc<RequestSession>,
    presented: Option<Presented>,
    now: SystemTime,
    /// Flask knows of the session, or should.
    is_shared: bool,
}

impl Visit {
    /// # Errors
    /// Without a session layer, or if the session cannot be loaded.
    pub(super) async fn begin(settings: &Settings, extensions: &Extensions) -> Result<Self, Error> {
        let extension = extensions.get::<SessionExtension>();
        let extension = extension.ok_or_else(Error::missing_layer)?;
        let session = Arc::clone(&extension.session);
        if extension.is_duplicate {
            return Err(Error::duplicate_layer(session.config.cookie.name()));
        }
        let now = session.config.clock.now();
        let presented = settings.presented(session.cookies(), now);
        let presented = presented.unwrap_or_else(|_refused| {
            observe::flask_refused();
            None
        });
        let mut visit = Self {
            session,
            presented,
            now,
            is_shared: false,
        };
        if visit.presented.is_some() || visit.has_own_cookie() {
            visit.take_over(settings).await?;
        }
        Ok(visit)
    }

    async fn take_over(&mut self, settings: &Settings) -> Result<(), Error> {
        let session = WizSession::of(Arc::clone(&self.session)).loaded().await?;
        // The browser is about to learn of a newer session, which shares with Flask by itself.
        if self.is_gone() {
            return Ok(());
        }
        if session.is_new()
            && let Some(presented) = &self.presented
            && logged_out::is_remembered(&self.session, presented).await?
        {
            self.presented = None;
        }
        let presented = self.presented.as_ref();
        match take_over::take_over(settings, &session, presented) {
            Ok(is_shared) => self.is_shared = is_shared,
            Err(error) => {
                observe::flask_failed(&error);
                session.clear();
            }
        }
        Ok(())
    }

    /// The handler has answered. Gives the line that sets or removes Flask's cookie.
    pub(super) async fn end(self, settings: &Settings, status: StatusCode) -> Option<HeaderValue> {
        if !self.session.is_loaded() || self.is_gone() {
            return None;
        }
        let session = WizSession::of(Arc::clone(&self.session));
        let is_nothing = session.is_new() && session.is_empty() && session.user().is_none();
        // A failed request's changes are dropped, except for a `clear`.
        if is_nothing || is_failure(status) {
            let presented = self
                .presented
                .as_ref()
                .filter(|_| self.is_cleared(&session))?;
            self.remember_logout(settings, presented).await;
            return settings.removal();
        }
        if let Some(presented) = self
            .presented
            .as_ref()
            .filter(|_| self.is_cleared(&session))
        {
            self.remember_logout(settings, presented).await;
        }
        share::share(settings, &session, self.presented.as_ref(), self.now).await
    }

    async fn remember_logout(&self, settings: &Settings, presented: &Presented) {
        let lifetime = settings.cookie.lifetime();
        let remembered = logged_out::remember(&self.session, presented, lifetime);
        // The logout holds for the browser all the same.
        if let Err(error) = remembered.await {
            observe::flask_failed(&error);
        }
    }

    /// Whether this request has ended the session that Flask knows of.
    fn is_cleared(&self, session: &WizSession) -> bool {
        let is_kept = Mirror::read(session).is_some() || session.has_login();
        self.is_shared && session.is_new() && !is_kept
    }

    /// Whether the session has ended or moved elsewhere, so that nothing but a login can be stored.
    fn is_gone(&self) -> bool {
        self.session
            .view(|state| matches!(state.base, Base::Gone) && !state.has_login())
    }

    fn has_own_cookie(&self) -> bool {
        let cookie = &self.session.config.cookie;
        cookie.presented(self.session.cookies()).next().is_some()
    }
}
