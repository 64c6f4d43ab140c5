//! The session as an argument of an axum handler: [`WizSession`], `Option<WizSession>` and `Result<WizSession, Error>`.

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{error::Error, session::WizSession};

/// Rejects with status 500 and a message that names the mistake if there is no layer, or if two different layers share a
/// cookie name; with 503 if the store fails.
///
/// ```
/// use wiz_session::{Error, WizSession};
///
/// /// A page that is shown without the session too, while the store is down.
/// async fn page(session: Result<WizSession, Error>) -> String {
///     match session {
///         Ok(session) => format!("hello, {}", session.user().unwrap_or("visitor".to_owned())),
///         Err(_) => "hello".to_owned(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(page));
/// ```
impl<S: Sync> FromRequestParts<S> for WizSession {
    type Rejection = Error;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, Error>> + Send {
        Self::from_extensions(&parts.extensions)
    }
}

/// `None` if there is no layer. A failing store is an error, not `None`.
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
            // Configuration mistakes, for the developer to read in the browser.
            self.to_string()
        } else {
            status.canonical_reason().unwrap_or_default().to_owned()
        };
        (status, body).into_response()
    }
}
