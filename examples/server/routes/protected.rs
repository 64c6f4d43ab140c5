//! The pages that need a login. [`auth::guard`](crate::auth::guard) stands before them all.

use axum::extract::{Extension, OriginalUri, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, VARY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use wiz_session::WizSession;

use crate::auth::CurrentUser;
use crate::model::Users;
use crate::page;
use crate::routes::wants_json;

pub(super) fn routes() -> Router<Users> {
    Router::new()
        .route("/dashboard", get(member_page))
        .route("/profile", get(member_page))
        .route("/admin", get(member_page))
}

/// The user, and what only they may see of themselves.
async fn member_page(
    State(users): State<Users>,
    Extension(CurrentUser(user)): Extension<CurrentUser>,
    session: WizSession,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let body = if wants_json(&headers) {
        let contact = users.contact(user.id);
        Json(json!({ "page": uri.path(), "user": user, "contact": contact })).into_response()
    } else {
        page::MEMBER.render(&session, &headers).into_response()
    };
    ([(VARY, ACCEPT.as_str())], body).into_response()
}
