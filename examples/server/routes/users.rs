//! The users, and the message that one was created.

use axum::extract::State;
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use wiz_session::WizSession;

use crate::error::Result;
use crate::input::Input;
use crate::model::{Flash, NewUser, Users};
use crate::page;
use crate::routes::wants_json;

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/users", get(list))
        .route("/api/create_user", post(create))
}

#[derive(Deserialize)]
struct Form {
    name: String,
    email: String,
}

async fn create(
    State(users): State<Users>,
    session: WizSession,
    Input(form): Input<Form>,
) -> Result<Redirect> {
    // First what can be refused.
    Flash::success("사용자가 생성되었습니다").put(&session)?;
    users.create(NewUser {
        name: form.name,
        email: form.email,
        contact: None,
    });
    Ok(Redirect::to("/users"))
}

/// The users and the flash for a program; for a person a page, whose script asks for them.
async fn list(
    State(users): State<Users>,
    session: WizSession,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let body = if wants_json(&headers) {
        // HEAD shows nobody the message, so it does not use it up.
        let flash = match method {
            Method::HEAD => None,
            _ => Flash::take(&session).await?,
        };
        Json(json!({ "users": users.list(), "flash": flash })).into_response()
    } else {
        page::USERS.render(&session, &headers).into_response()
    };
    Ok(([(VARY, ACCEPT.as_str())], body).into_response())
}
