//! The whole application as one `Router`: routes inside, layers around them.

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use wiz_session::WizSessionLayer;

use crate::model::Users;
use crate::{auth, error, headers, routes};

/// Every route, behind the session layer.
pub(crate) fn app(users: Users, sessions: WizSessionLayer) -> Router {
    routes::all(sessions.sessions())
        // Around the fallback too: an unknown page below a protected one is protected.
        .layer(from_fn_with_state(users.clone(), auth::guard))
        .layer(sessions)
        // Outside the sessions: it also words the errors of their commit.
        .layer(map_response(error::as_json))
        .layer(map_response(headers::harden))
        .with_state(users)
}
