//! The body of a request as a struct, whether the client sends JSON or a form.

use axum::extract::{Form, FromRequest, Json, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
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
        let request = body::read(request).await?;
        if is_form(request.headers()) {
            let Form(input) = Form::from_request(request, state).await?;
            return Ok(Self(input));
        }
        // First any JSON, then the struct: a body cut short is malformed (400), however wrong its
        // first field is (422), and an array does not pass for the fields in order.
        let Json(value) = Json::<Value>::from_request(request, state).await?;
        let Value::Object(fields) = value else {
            return Err(unprocessable("the body must be a JSON object"));
        };
        T::deserialize(fields)
            .map(Self)
            .map_err(|error| unprocessable(error.to_string()))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    })
}

fn unprocessable(message: impl Into<String>) -> Error {
    Error::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}
