use std::sync::Arc;

use http::{Extensions, HeaderValue, StatusCode};

use super::store::FlaskSessionStore;
use crate::{
    commit::Base,
    error::Error,
    id::Handle,
    layer::is_failure,
    observe,
    session::{RequestSession, SessionExtension, WizSession},
};

/// One request on its way through the bridge.
pub(super) struct Visit {
    session: Arc<RequestSession>,
    /// Flask's id, and the session that it names.
    presented: Option<(String, Handle)>,
}

impl Visit {
    /// # Errors
    /// Without a session layer, or if it takes a look at the store that fails.
    pub(super) async fn begin(
        store: &FlaskSessionStore,
        extensions: &Extensions,
    ) -> Result<Self, Error> {
        let extension = extensions.get::<SessionExtension>();
        let extension = extension.ok_or_else(Error::missing_layer)?;
        let session = Arc::clone(&extension.session);
        if extension.is_duplicate {
            return Err(Error::duplicate_layer(session.config.cookie.name()));
        }
        store.use_expiry(&session.config.policy.expiry);
        let mut visit = Self {
            session,
            presented: None,
        };
        if !visit.session.keeps_cookies() {
            return Ok(visit);
        }
        if let Some(id) = store.cookies().presented(visit.session.cookies()) {
            let handle = store.ids().note(&id);
            visit.agree(store, &id, handle).await?;
            visit.presented = Some((id, handle));
        }
        Ok(visit)
    }

    /// The session is the one that Flask's cookie names, unless the session's own cookie names the one which that has become.
    async fn agree(
        &self,
        store: &FlaskSessionStore,
        id: &str,
        handle: Handle,
    ) -> Result<(), Error> {
        let cookie = &self.session.config.cookie;
        let own = cookie.presented(self.session.cookies()).flatten().next();
        let own = own.map(|own| own.handle);
        if own == Some(handle) {
            return Ok(());
        }
        let named = store.ids().session(id);
        // It has got a cookie before.
        let is_told = own == Some(named.handle());
        if let Some(own) = own.filter(|_| !is_told)
            && store.has_left(id, own).await?
        {
            return Ok(());
        }
        self.session.name(named, handle, !is_told);
        Ok(())
    }

    /// The handler has answered. Gives the line that sets or removes Flask's cookie.
    pub(super) async fn end(
        self,
        store: &FlaskSessionStore,
        status: StatusCode,
    ) -> Option<HeaderValue> {
        // A client with a token has nothing to do with Flask.
        if !self.session.keeps_cookies() || !self.session.is_loaded() {
            return None;
        }
        let session = WizSession::of(Arc::clone(&self.session));
        if !is_failure(status) && self.session.view(|state| state.has_changes()) {
            // Its id is not known before. After an error the layer tries again.
            if let Err(error) = session.save().await {
                if !error.is_gone() {
                    observe::flask_failed(&error);
                }
                return None;
            }
        }
        let (is_new, is_cleared, is_ended) = self.session.view(|state| {
            let is_new = matches!(state.base, Base::New);
            (is_new, state.is_cleared(), state.is_ended())
        });
        let presented = self.presented.as_ref();
        match session.handle() {
            Some(handle) => {
                let id = store.ids().of(handle);
                let is_told = presented.is_some_and(|(presented, _)| *presented == id);
                if is_told {
                    return None;
                }
                store.cookies().line(id)
            }
            None if is_new && is_cleared => presented.and_then(|_| store.cookies().removal()),
            None => {
                if let Some((_, handle)) = presented.filter(|_| is_ended)
                    && let Err(error) = store.end_expired(*handle).await
                {
                    observe::flask_failed(&error);
                }
                None
            }
        }
    }
}
