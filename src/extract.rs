//! The session as an argument of an axum handler: [`WizSession`], `Option<WizSession>` and `Result<WizSession, Error>`.

use std::str::FromStr;

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{cookie, error::Error, session::WizSession};

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
        // The future holds no part of the request.
        let (session, is_insecure) = (Self::unloaded(&parts.extensions), is_insecure(parts));
        async move {
            let session = session?.ok_or_else(Error::missing_layer)?;
            session.loaded_for(is_insecure).await
        }
    }
}

/// `None` if there is no layer. A failing store is an error, not `None`.
impl<S: Sync> OptionalFromRequestParts<S> for WizSession {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        match Self::unloaded(&parts.extensions)? {
            Some(session) => session.loaded_for(is_insecure(parts)).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Whether the client may change something, and says that its page came by plain HTTP.
fn is_insecure(parts: &Parts) -> bool {
    !parts.method.is_safe() && cookie::is_insecure(&parts.headers)
}

/// The user who is logged in, as an argument of a handler. A visitor is answered 401.
///
/// It reads as any type that parses from text, as [`WizSession::user_as`] does. `Option<User>` lets visitors pass. The
/// routes of a whole router are for users with a [`Guard`](crate::Guard).
///
/// ```
/// use axum::{Router, routing::get};
/// use wiz_session::User;
///
/// async fn orders(User(id): User<i64>) -> String {
///     format!("the orders of user {id}")
/// }
///
/// async fn home(user: Option<User>) -> String {
///     user.map_or("hello".to_owned(), |User(name)| format!("hello, {name}"))
/// }
/// # let _: Router = Router::new().route("/orders", get(orders)).route("/", get(home));
/// ```
///
/// An application whose handlers take the account itself writes an extractor of its own in ten lines: see
/// [authentication](crate::guide::authentication#passwords).
///
/// One `load` for the first use of the session in a request.
///
/// # Errors
/// As a response: 401 for a visitor, 500 if the user does not parse as `T`, and those of [`WizSession`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User<T = String>(pub T);

impl<S: Sync, T: FromStr> FromRequestParts<S> for User<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let session = WizSession::from_extensions(&parts.extensions).await?;
        let user = session.user_as()?.map(Self);
        user.ok_or_else(Error::not_logged_in)
    }
}

/// `None` for a visitor.
impl<S: Sync, T: FromStr> OptionalFromRequestParts<S> for User<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        let session = WizSession::from_extensions(&parts.extensions).await?;
        Ok(session.user_as()?.map(Self))
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
