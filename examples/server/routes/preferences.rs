//! The preferences.

use axum::routing::{get, post};
use axum::{Json, Router};
use wiz_session::WizSession;

use crate::error::Result;
use crate::input::Input;
use crate::model::{Preferences, PreferencesUpdate, Users};

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/api/update_preferences", post(update_preferences))
        .route("/api/get_preferences", get(get_preferences))
}

async fn update_preferences(
    session: WizSession,
    Input(update): Input<PreferencesUpdate>,
) -> Result<Json<Preferences>> {
    Ok(Json(Preferences::update(&session, update).await?))
}

async fn get_preferences(session: WizSession) -> Result<Json<Preferences>> {
    Ok(Json(Preferences::of(&session)?))
}
