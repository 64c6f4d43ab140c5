//! The routes, a topic a file. Handlers translate between HTTP and the models, no more.

mod cart;
mod events;
mod login;
mod logins;
mod pages;
mod preferences;
mod protected;
mod registration;
mod session;
mod users;
mod ws;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use wiz_session::Sessions;

use crate::model::Users;

/// Every route of the application.
pub(crate) fn all(sessions: Sessions) -> Router<Users> {
    Router::new()
        .merge(login::routes())
        .merge(logins::routes(sessions))
        .merge(cart::routes())
        .merge(registration::routes())
        .merge(preferences::routes())
        .merge(users::routes())
        .merge(protected::routes())
        .merge(session::routes())
        .merge(ws::routes())
        .merge(events::routes())
        .merge(pages::routes())
}

/// Whether a program asks, where a person would get a page: all but what names HTML and no JSON,
/// as browsers do.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepts = |kind| {
        let mut lines = headers.get_all(ACCEPT).iter();
        lines.any(|line| {
            line.to_str()
                .is_ok_and(|line| line.to_ascii_lowercase().contains(kind))
        })
    };
    accepts("application/json") || !accepts("text/html")
}
