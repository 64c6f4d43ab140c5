use std::{sync::Arc, time::Duration};

use http::{Extensions, HeaderValue, StatusCode};

use super::{super::cookie::FlaskCookie, store::FlaskSessionStore};
use crate::{
    commit::Base,
    cookie::{CookieFinder, CookieHeader, CookieOptions},
    error::Error,
    id::Handle,
    layer::is_failure,
    observe,
    session::{RequestSession, SessionExtension, WizSession},
};

/// Flask's cookie.
pub(super) struct Cookies {
    pub(super) finder: CookieFinder,
    pub(super) options: CookieOptions,
    /// `SESSION_USE_SIGNER`.
    pub(super) signer: Option<FlaskCookie>,
    pub(super) max_age: Option<Duration>,
}

/// How many cookies of one name are looked at.
const MAX_COOKIES: usize = 8;

impl Cookies {
    /// The first that may be an id of Flask-Session's.
    fn presented(&self, header: &CookieHeader) -> Option<String> {
        let mut values = header.values(&self.finder).take(MAX_COOKIES);
        values.find_map(|value| {
            let id = match &self.signer {
                Some(signer) => signer.unsign(value)?,
                None => value,
            };
            let id = str::from_utf8(id).ok()?;
            is_id(id).then(|| id.to_owned())
        })
    }

    fn line(&self, id: String) -> Option<HeaderValue> {
        let value = match &self.signer {
            Some(signer) => signer.sign_bare(&id),
            None => id,
        };
        let line = self.options.cookie(value, self.max_age).to_string();
        HeaderValue::try_from(line).ok()
    }

    fn removal(&self) -> Option<HeaderValue> {
        let line = self.options.cookie(String::new(), Some(Duration::ZERO));
        HeaderValue::try_from(line.to_string()).ok()
    }
}

/// `secrets.token_urlsafe`, of some length (`SESSION_ID_LENGTH`) from which nobody can guess one.
fn is_id(id: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (16..=200).contains(&id.len()) && id.bytes().all(is_of_it)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_an_id_is_none() {
        let id = "wqJk3bJ5m0l7bmzQ9mR4pT2yV8xA1cD6eF0gH3iJ5kL";
        assert!(is_id(id) && is_id("aA0-_aA0-_aA0-_a"));
        for other in [
            "",
            "short",
            &id.repeat(5),
            "a b".repeat(9).as_str(),
            "é".repeat(20).as_str(),
        ] {
            assert!(!is_id(other), "{other}");
        }
        assert!(!is_id("wqJk3bJ5m0l7bmzQ:*mR4pT2yV8xA1cD"));
    }
}
