//! Logging in and out.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use wiz_session::WizSession;

use crate::error::{Error, Result};
use crate::input::Input;
use crate::model::{Users, identity};

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/api/login", post(login))
        .route("/api/logout", post(logout))
        .route("/api/check_session", get(check_session))
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
    /// To stay logged in for a month after each visit.
    #[serde(default)]
    remember: bool,
    /// For a client that keeps no cookies: the answer has a bearer token instead.
    #[serde(default)]
    token: bool,
}

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

async fn login(
    State(users): State<Users>,
    session: WizSession,
    headers: HeaderMap,
    Input(credentials): Input<Credentials>,
) -> Result<Json<Value>> {
    let user = users
        .authenticate(&credentials.email, credentials.password)
        .await
        .ok_or_else(|| Error::new(StatusCode::UNAUTHORIZED, "Invalid credentials"))?;

    // Before `log_in`, which empties a session that was someone else's.
    let redirect: Option<String> = session.take(identity::REDIRECT)?;
    identity::log_in(&session, &user, &headers)?;
    match credentials.remember {
        true => session.remember(MONTH),
        // Without the wish, what an earlier one left is taken back.
        false => session.forget(),
    }

    let mut answer = json!({
        "message": "Login successful",
        "user": user,
        "redirect": redirect.as_deref().unwrap_or("/"),
    });
    if credentials.token {
        answer["token"] = json!(session.token().await?);
    }
    Ok(Json(answer))
}

async fn logout(session: WizSession) -> Json<Value> {
    session.log_out();
    Json(json!({ "message": "Logged out" }))
}

async fn check_session(State(users): State<Users>, session: WizSession) -> Json<Value> {
    Json(match identity::current_user(&session, &users) {
        Some(user) => json!({ "logged_in": true, "user": user }),
        None => json!({ "logged_in": false }),
    })
}
