//! The pages for people, and what they load.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use wiz_session::WizSession;

use crate::error::{Error, Result};
use crate::model::Users;
use crate::page;

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/assets/{name}", get(asset))
}

async fn home(session: WizSession, headers: HeaderMap) -> Html<String> {
    page::HOME.render(&session, &headers)
}

async fn login(session: WizSession, headers: HeaderMap) -> Html<String> {
    page::LOGIN.render(&session, &headers)
}

async fn asset(Path(name): Path<String>) -> Result<impl IntoResponse> {
    let (kind, content) =
        page::asset(&name).ok_or_else(|| Error::new(StatusCode::NOT_FOUND, "Not Found"))?;
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], content))
}
