//! The programs before moving over, from `docs/`: they compile as they stand, and do what the ones after do.

use axum::{Router, body::Body, response::Response};
use http::{
    Request,
    header::{COOKIE, SET_COOKIE},
};
use tower_service::Service;

mod tower_sessions_before {
    include!(concat!(env!("OUT_DIR"), "/from-tower-sessions.rs"));

    pub(crate) fn router() -> Router {
        app()
    }
}

mod axum_session_before {
    include!(concat!(env!("OUT_DIR"), "/from-axum-session.rs"));

    pub(crate) async fn router() -> Router {
        app().await.expect("the settings are valid")
    }
}

#[tokio::test]
async fn tower_sessions() {
    counts_and_ends(tower_sessions_before::router()).await;
}

#[tokio::test]
async fn axum_session() {
    counts_and_ends(axum_session_before::router().await).await;
}

async fn counts_and_ends(mut app: Router) {
    let mut cookies = Vec::new();
    assert_eq!(visit(&mut app, "/", &mut cookies).await, "visit 1");
    visit(&mut app, "/login", &mut cookies).await;
    assert_eq!(visit(&mut app, "/", &mut cookies).await, "visit 2");
    visit(&mut app, "/logout", &mut cookies).await;
    assert_eq!(visit(&mut app, "/", &mut cookies).await, "visit 1");
}

/// Sends the cookies and keeps those that come back, by name.
async fn visit(app: &mut Router, path: &str, cookies: &mut Vec<(String, String)>) -> String {
    let pairs: Vec<_> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let request = Request::get(path).header(COOKIE, pairs.join("; "));
    let request = request.body(Body::empty()).expect("a request");
    let Ok(response): Result<Response, _> = app.call(request).await;
    assert!(response.status().is_success());
    for line in response.headers().get_all(SET_COOKIE) {
        let line = line.to_str().expect("text");
        let pair = line.split(';').next().expect("a pair");
        let (name, value) = pair.split_once('=').expect("a name");
        cookies.retain(|(kept, _)| kept != name);
        if !value.is_empty() && !line.contains("Max-Age=0") {
            cookies.push((name.to_owned(), value.to_owned()));
        }
    }
    let body = axum::body::to_bytes(response.into_body(), 100).await;
    String::from_utf8(body.expect("a body").to_vec()).expect("text")
}
