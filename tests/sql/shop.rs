//! A small application.

use std::time::Duration;

use axum::{Router, extract::Path, routing::post};
use wiz_session::{Clock, CookieOptions, Key, SessionStore, WizSession, WizSessionLayer};

pub(crate) const STORE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn app(store: impl SessionStore, clock: Clock) -> Router {
    let layer = WizSessionLayer::builder(store, Key::from(&[7; 64]))
        .cookie(CookieOptions::insecure("sid"))
        .store_timeout(STORE_TIMEOUT)
        .clock(clock)
        .build()
        .expect("a valid configuration");
    Router::new()
        .route("/untouched", post(async || "hello"))
        .route(
            "/read",
            post(async |session: WizSession| {
                session.get_value("list").unwrap_or_default().to_string()
            }),
        )
        .route(
            "/push/{n}",
            post(async |session: WizSession, Path(n): Path<u64>| {
                session
                    .update("list", move |list: &mut Vec<u64>| list.push(n))
                    .map(drop)
            }),
        )
        .route(
            "/regenerate",
            post(async |session: WizSession| session.regenerate()),
        )
        .route(
            "/log_in/{user}",
            post(async |session: WizSession, Path(user): Path<String>| session.log_in(user)),
        )
        .route("/clear", post(async |session: WizSession| session.clear()))
        .layer(layer)
}
