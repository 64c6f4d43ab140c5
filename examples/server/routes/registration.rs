//! Registering in two steps.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use wiz_session::WizSession;

use crate::error::{Error, Result};
use crate::input::Input;
use crate::model::{Registration, Step1, Step2, Users, identity};

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/api/save_step1", post(save_step1))
        .route("/api/save_step2", post(save_step2))
        .route("/api/complete_registration", post(complete_registration))
}

async fn save_step1(session: WizSession, Input(step): Input<Step1>) -> Result<Json<Value>> {
    Registration::of(&session).save_step1(&step)?;
    Ok(Json(json!({ "message": "Step 1 saved" })))
}

async fn save_step2(session: WizSession, Input(step): Input<Step2>) -> Result<Json<Value>> {
    Registration::of(&session).save_step2(&step)?;
    Ok(Json(json!({ "message": "Step 2 saved" })))
}

async fn complete_registration(
    State(users): State<Users>,
    session: WizSession,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>)> {
    let new_user = Registration::of(&session)
        .take()
        .await?
        .ok_or_else(|| Error::new(StatusCode::BAD_REQUEST, "Both steps must be saved first"))?;
    let user = users.create(new_user);
    identity::log_in(&session, &user, &headers)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": user.id }))))
}
