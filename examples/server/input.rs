//! The body of a request as a struct, whether the client sends JSON or a form.

use axum::extract::{Form, FromRequest, Json, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::body;
use crate::error::Error;

/// A body of `application/json` or `application/x-www-form-urlencoded`.
///
/// A form's text becomes what the field is: `product_id=7` fills an `i64`, `notifications=false`
/// a `bool`.
pub(crate) struct Input<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Input<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let body = body::read(body).await?;
        if is_form(&parts.headers) {
            // However its type was written: axum knows it so.
            parts.headers.insert(CONTENT_TYPE, FORM);
            let request = Request::from_parts(parts, body.into());
            let Form(input) = Form::from_request(request, state).await?;
            return Ok(Self(input));
        }
        if kind(&parts.headers) != JSON {
            let message =
                "the body must be of application/json or application/x-www-form-urlencoded";
            return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        // First any JSON, then the struct: a body cut short is malformed (400), however wrong its
        // first field is (422), and an array does not pass for the fields in order.
        let Json(value) = Json::<Value>::from_bytes(&body)?;
        if !value.is_object() {
            return Err(unprocessable("the body must be a JSON object"));
        }
        // From the text again, as a `Value` has no room for all digits of a long number.
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| unprocessable(error.to_string()))
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    kind(headers) == FORM
}

/// The type of the body without its parameters, in lower case (RFC 9110, 8.3.1).
fn kind(headers: &HeaderMap) -> String {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.unwrap_or_default().trim().to_ascii_lowercase()
}

fn unprocessable(message: impl Into<String>) -> Error {
    Error::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}
