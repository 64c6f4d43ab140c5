//! "Where am I logged in?", and ending what one does not want to be.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use wiz_session::{Handle, Sessions, WizSession};

use crate::error::{Error, Result};
use crate::input::Input;
use crate::model::{Logins, Users};

pub(super) fn routes(sessions: Sessions) -> Router<Users> {
    Router::new()
        .route("/api/sessions", get(list))
        .route("/api/sessions/revoke", post(revoke))
        .route("/api/sessions/revoke_others", post(revoke_others))
        .layer(Extension(sessions))
}

/// None for a visitor, as the page asks whoever looks at it.
async fn list(
    State(users): State<Users>,
    Extension(sessions): Extension<Sessions>,
    session: WizSession,
) -> Result<Json<Value>> {
    let logins = match Logins::of(&session, &sessions, &users) {
        Some(logins) => logins.list().await?,
        None => Vec::new(),
    };
    Ok(Json(json!({ "sessions": logins })))
}

#[derive(Deserialize)]
struct Choice {
    handle: Handle,
}

async fn revoke(
    State(users): State<Users>,
    Extension(sessions): Extension<Sessions>,
    session: WizSession,
    Input(choice): Input<Choice>,
) -> Result<Json<Value>> {
    let logins = Logins::of(&session, &sessions, &users).ok_or_else(not_logged_in)?;
    if !logins.end(choice.handle).await? {
        return Err(Error::new(StatusCode::NOT_FOUND, "No such session"));
    }
    Ok(Json(json!({ "message": "Session ended" })))
}

async fn revoke_others(
    State(users): State<Users>,
    Extension(sessions): Extension<Sessions>,
    session: WizSession,
) -> Result<Json<Value>> {
    let logins = Logins::of(&session, &sessions, &users).ok_or_else(not_logged_in)?;
    Ok(Json(json!({ "ended": logins.end_others().await? })))
}

fn not_logged_in() -> Error {
    Error::new(StatusCode::UNAUTHORIZED, "Not logged in")
}
