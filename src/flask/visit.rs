use std::{sync::Arc, time::SystemTime};

use http::{Extensions, HeaderValue, StatusCode};

use super::{
    lineage::Lineage,
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
    /// That of the cookies which the session has sent.
    lineage: Option<Lineage>,
    /// Flask's cookie is of a login that has ended here.
    removes: bool,
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
            lineage: None,
            removes: false,
        };
        let has_cookies = visit.presented.is_some() || visit.has_own_cookie();
        if has_cookies && visit.session.keeps_cookies() {
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
        let mirror = Mirror::read(&session).unwrap_or_default();
        self.lineage = mirror.lineage();
        if self.is_over(&session, &mirror).await? {
            self.presented = None;
            self.removes = true;
        }
        let user = session.user();
        let presented = self.presented.as_ref();
        match take_over::take_over(settings, &session, presented, self.now) {
            Ok(is_shared) => self.is_shared = is_shared,
            Err(error) => {
                observe::flask_failed(&error);
                session.clear();
            }
        }
        if user.is_some() && session.user().is_none() {
            self.remember_logout(settings, None).await;
        }
        Ok(())
    }

    /// Whether Flask's cookie is one of a login that has ended here, which Flask cannot know.
    async fn is_over(&self, session: &WizSession, mirror: &Mirror) -> Result<bool, Error> {
        let Some(presented) = &self.presented else {
            return Ok(false);
        };
        if !session.is_new()
            && (presented.lineage.is_none() || mirror.has_sent(presented.lineage, self.now))
        {
            return Ok(false);
        }
        // A session sent this cookie, and cannot have idled out since: then it was revoked.
        let idle = self.session.config.policy.expiry.idle_timeout.as_secs();
        let is_revoked = session.is_new()
            && session.is_ended()
            && presented.lineage.is_some()
            && presented.age < idle;
        Ok(is_revoked || logged_out::is_remembered(&self.session, presented).await?)
    }

    /// The handler has answered. Gives the line that sets or removes Flask's cookie.
    pub(super) async fn end(self, settings: &Settings, status: StatusCode) -> Option<HeaderValue> {
        // A client with a token has nothing to do with Flask.
        if !self.session.keeps_cookies() {
            return None;
        }
        let line = match self.session.is_loaded() && !self.is_gone() {
            true => self.share(settings, status).await,
            false => None,
        };
        line.or_else(|| settings.removal().filter(|_| self.removes))
    }

    async fn share(&self, settings: &Settings, status: StatusCode) -> Option<HeaderValue> {
        let session = WizSession::of(Arc::clone(&self.session));
        let is_cleared = self.is_cleared(&session);
        if !is_cleared && self.ended_meanwhile(&session).await {
            session.clear();
            return settings.removal();
        }
        if is_cleared {
            self.remember_logout(settings, self.presented.as_ref())
                .await;
        }
        let is_nothing = session.is_new() && session.is_empty() && session.user().is_none();
        // A failed request's changes are dropped, except for a `clear`.
        if is_nothing || is_failure(status) {
            let is_told = self.presented.is_none() || !is_cleared;
            return settings.removal().filter(|_| !is_told);
        }
        // The handler may have taken its time.
        let now = self.session.config.clock.now();
        share::share(settings, &session, self.presented.as_ref(), now).await
    }

    /// Whether the login by which this request began a session has ended while its handler was at work.
    async fn ended_meanwhile(&self, session: &WizSession) -> bool {
        match &self.presented {
            Some(presented) if self.is_shared && session.is_new() => {
                let remembered = logged_out::is_remembered(&self.session, presented).await;
                remembered
                    .inspect_err(observe::flask_failed)
                    .unwrap_or(true)
            }
            _ => false,
        }
    }

    /// Whether this request has ended the session that Flask knows of.
    fn is_cleared(&self, session: &WizSession) -> bool {
        let is_kept = Mirror::read(session).is_some() || session.has_login();
        self.is_shared && session.is_new() && !is_kept
    }

    async fn remember_logout(&self, settings: &Settings, presented: Option<&Presented>) {
        let lifetime = settings.cookie.lifetime();
        let remembered = logged_out::remember(&self.session, self.lineage, presented, lifetime);
        // The logout holds for the browser all the same.
        if let Err(error) = remembered.await {
            observe::flask_failed(&error);
        }
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
