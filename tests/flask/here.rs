//! The application that takes over, with its bridge.

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, header::COOKIE},
    routing::post,
};
use serde_json::{Value, json, value::RawValue};
use tokio::net::TcpListener;
use wiz_session::{
    CookieOptions, Error, FlashLevel, Key, MemoryStore, WizSession, WizSessionLayer,
    flask::{FlaskBridge, MIRROR_KEY},
};

async fn set(
    session: WizSession,
    Path(key): Path<String>,
    Json(value): Json<Box<RawValue>>,
) -> Result<(), Error> {
    session.set(&key, value)
}

async fn raw(session: WizSession, Path(key): Path<String>) -> Result<String, Error> {
    let value: Option<Box<RawValue>> = session.get(&key)?;
    Ok(value.map_or_else(String::new, |value| value.get().to_owned()))
}

async fn delete(session: WizSession, Path(key): Path<String>) {
    session.delete(&key);
}

async fn log_in(session: WizSession, Path(user): Path<String>) {
    session.log_in(user);
}

async fn log_out(session: WizSession) {
    session.log_out();
}

async fn flash(session: WizSession, Path(text): Path<String>) -> Result<(), Error> {
    session.flash(FlashLevel::Warning, text)
}

async fn flashes(session: WizSession) -> Result<Json<Value>, Error> {
    Ok(Json(json!(session.take_flashes()?)))
}

/// Who it is, and what there is.
async fn show(session: WizSession) -> Json<Value> {
    let mut values = session.to_map();
    values.remove(MIRROR_KEY);
    Json(json!({ "user": session.user(), "values": values }))
}

/// Has Flask run something as the same visitor, in the middle of a request that has read the session and changes it.
async fn meet(
    session: WizSession,
    Path((port, key)): Path<(u16, String)>,
    headers: HeaderMap,
    code: String,
) -> Result<(), Error> {
    let before: Option<Value> = session.get(&key)?;
    let url = format!("http://127.0.0.1:{port}/");
    let request = reqwest::Client::new().post(url).form(&[("code", code)]);
    let request = request.header(COOKIE, headers[COOKIE].clone());
    let answer = request.send().await.expect("Python answers");
    assert_eq!(answer.status(), 200);
    session.set(&key, json!([before, "here"]))
}

/// Serves until the test ends. Gives the port.
pub(crate) async fn start(bridge: FlaskBridge) -> u16 {
    let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate());
    let layer = layer
        .cookie(CookieOptions::insecure("sid"))
        .build()
        .expect("right settings");
    serve(routes().layer(bridge).layer(layer)).await
}

/// What is done to a session.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/set/{key}", post(set))
        .route("/delete/{key}", post(delete))
        .route("/log_in/{user}", post(log_in))
        .route("/log_out", post(log_out))
        .route("/flash/{text}", post(flash))
        .route("/flashes", post(flashes))
        .route("/show", post(show))
        .route("/raw/{key}", post(raw))
        .route("/meet/{port}/{key}", post(meet))
}

/// Until the test ends. Gives the port.
pub(crate) async fn serve(app: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async { axum::serve(listener, app).await });
    port
}
