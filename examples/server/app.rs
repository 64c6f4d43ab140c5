//! The whole application as one `Router`: routes inside, layers around them.

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use wiz_session::WizSessionLayer;
use wiz_session::flask::FlaskBridge;

use crate::model::Users;
use crate::{auth, error, headers, routes};

/// Every route, behind the session layer, and beside a Flask application if there is one.
pub(crate) fn app(users: Users, sessions: WizSessionLayer, flask: Option<FlaskBridge>) -> Router {
    let guarded = routes::all(sessions.sessions())
        // Around the fallback too: an unknown page below a protected one is protected.
        .layer(from_fn_with_state(users.clone(), auth::guard));
    let shared = match flask {
        Some(flask) => guarded.layer(flask),
        None => guarded,
    };
    shared
        .layer(sessions)
        // Outside the sessions: it also words the errors of their commit.
        .layer(map_response(error::as_json))
        .layer(map_response(headers::harden))
        .with_state(users)
}
