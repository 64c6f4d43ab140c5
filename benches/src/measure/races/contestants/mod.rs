//! Who runs: each on a store of its own trait, which keeps all in memory and is as far away as the [`Way`] says.

mod axess;
mod axum_session;
mod ruts;
mod tower_sessions;
mod wiz_session;

use std::pin::Pin;

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::StatusCode;

use super::{routes::Meeting, way::Way};

pub struct Contestant {
    pub name: &'static str,
    pub apps: fn(Way, Meeting) -> Apps,
}

/// Three processes on one store: a layer each.
type Apps = Pin<Box<dyn Future<Output = [Router; 3]>>>;

/// The library comes last.
pub const ALL: [Contestant; 5] = [
    tower_sessions::CONTESTANT,
    axum_session::CONTESTANT,
    axess::CONTESTANT,
    ruts::CONTESTANT,
    wiz_session::CONTESTANT,
];

pub const OURS: &str = wiz_session::CONTESTANT.name;

/// What a handler makes of an error that is no response by itself.
fn failed<E>(_: E) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
