//! Looking at the session as it is, and at the server.

use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wiz_session::WizSession;

use crate::error::{Error, Result};
use crate::input::Input;
use crate::model::Users;

const MAX_WAIT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/api/session", get(show))
        .route("/api/slow_set", post(slow_set))
        .route("/healthz", get(healthz))
}

async fn show(session: WizSession) -> Json<Map<String, Value>> {
    Json(session.to_map())
}

#[derive(Deserialize)]
struct SlowSet {
    key: String,
    value: Value,
    ms: u64,
}

/// A request that takes its time between reading the session and writing it, as one that asks
/// another service would. What others wrote meanwhile must survive, and a logout must hold.
async fn slow_set(session: WizSession, Input(input): Input<SlowSet>) -> Result<Json<Value>> {
    let wait = Duration::from_millis(input.ms);
    if wait > MAX_WAIT {
        return Err(Error::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("ms must be at most {}", MAX_WAIT.as_millis()),
        ));
    }
    // The session was read when it was extracted.
    tokio::time::sleep(wait).await;
    session.set(&input.key, input.value)?;
    Ok(Json(json!({ "ok": true })))
}

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
