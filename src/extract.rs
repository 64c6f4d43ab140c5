//! The session as an argument of an axum handler.

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{error::Error, session::WizSession};

/// Refuses with 500 and the name of the layer where it is missing, with 503 where the store fails.
impl<S: Sync> FromRequestParts<S> for WizSession {
    type Rejection = Error;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, Error>> + Send {
        Self::from_extensions(&parts.extensions)
    }
}

/// `None` where there is no layer; a store that fails is an error here too.
impl<S: Sync> OptionalFromRequestParts<S> for WizSession {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        match Self::unloaded(&parts.extensions)? {
            Some(session) => session.loaded().await.map(Some),
            None => Ok(None),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = if self.is_about_layers() {
            // The mistakes that a developer meets in the browser.
            self.to_string()
        } else {
            status.canonical_reason().unwrap_or_default().to_owned()
        };
        (status, body).into_response()
    }
}
