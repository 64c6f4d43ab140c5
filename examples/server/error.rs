//! Every error leaves as `{"error": "…"}`, whoever found it: a handler, an extractor, the router
//! or the session layer.

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A refusal: its status, and a sentence the client may see.
#[derive(Debug)]
pub(crate) struct Error {
    status: StatusCode,
    message: String,
}

impl Error {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// In the words of HTTP.
    fn of(status: StatusCode) -> Self {
        Self::new(status, status.canonical_reason().unwrap_or("Error"))
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

impl From<wiz_session::Error> for Error {
    /// The session knows its statuses (409 for a session that ended meanwhile, 413, 503). What
    /// went wrong in here is for the operator, and no client's business.
    fn from(error: wiz_session::Error) -> Self {
        let status = error.status();
        if status.is_server_error() {
            eprintln!("error: {error}");
            return Self::of(status);
        }
        Self::new(status, error.to_string())
    }
}

impl From<JsonRejection> for Error {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<FormRejection> for Error {
    fn from(rejection: FormRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

/// Words the errors that come without JSON: 404 and 405 of the router, a refused WebSocket
/// handshake, a commit that failed after the handler had answered.
pub(crate) async fn as_json(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || is_json(response.headers()) {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    let mut worded = Error::of(status).into_response();
    worded.headers_mut().extend(parts.headers);
    worded
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}
