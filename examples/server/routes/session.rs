//! Looking at the session as it is, and at the server.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use wiz_session::WizSession;

use crate::error::{Error, Result};
use crate::input::{self, Input};
use crate::model::{Users, snapshot};

const MAX_WAIT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/api/session", get(show))
        .route("/api/slow_set", post(slow_set))
        .route("/api/regenerate", post(regenerate))
        .route("/healthz", get(healthz))
}

async fn show(session: WizSession) -> Result<Json<BTreeMap<String, Box<RawValue>>>> {
    Ok(Json(snapshot::values(&session)?))
}

#[derive(Deserialize)]
struct SlowSet<V> {
    key: String,
    value: V,
    ms: u64,
}

impl<S: Send + Sync> FromRequest<S> for SlowSet<Box<RawValue>> {
    type Rejection = Error;

    /// The value as it was sent, to the last digit. A form's is a text.
    async fn from_request(request: Request, state: &S) -> Result<Self> {
        if !input::is_form(request.headers()) {
            let Input(set) = Input::from_request(request, state).await?;
            return Ok(set);
        }
        let Input(SlowSet { key, value, ms }) =
            Input::<SlowSet<String>>::from_request(request, state).await?;
        let value = to_raw_value(&value).expect("a text has a JSON form");
        Ok(Self { key, value, ms })
    }
}

/// A request that takes its time between reading the session and writing it, as one that asks
/// another service would. What others wrote meanwhile must survive, and a logout must hold.
async fn slow_set(session: WizSession, input: SlowSet<Box<RawValue>>) -> Result<Json<Value>> {
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

/// Gives the session a new id, as is due whenever its rights change.
async fn regenerate(session: WizSession) -> Json<Value> {
    session.regenerate();
    Json(json!({ "ok": true }))
}

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
