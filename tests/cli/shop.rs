//! An application on the store, and its visitors.

use std::time::{Duration, SystemTime};

use axum::{Router, extract::Path, routing::post};
use wiz_session::{
    Error, Handle, Key, Record, SessionStore, Version, WizSession, WizSessionLayer, store::Created,
};

use crate::client::Client;

/// A session, and the secrets that open it.
pub(crate) struct Visitor {
    pub(crate) handle: String,
    /// The signed cookie's value, and the id alone.
    pub(crate) secrets: [String; 2],
}

pub(crate) fn app(store: impl SessionStore) -> Router {
    app_with(store, Key::generate())
}

/// The application of this key.
pub(crate) fn app_with(store: impl SessionStore, key: Key) -> Router {
    Router::new()
        .route("/add", post(add))
        .route("/log_in/{user}", post(log_in))
        .route("/handle", post(handle))
        .route("/log_out", post(log_out))
        .route("/visits", post(visits))
        .layer(WizSessionLayer::new(store, key))
}

async fn add(session: WizSession) -> Result<(), Error> {
    session.set("cart", [1, 20])
}

async fn log_in(session: WizSession, Path(user): Path<String>) -> Result<(), Error> {
    session.set("diary", "dear diary")?;
    session.log_in(user);
    session.label("Firefox on Linux");
    Ok(())
}

async fn log_out(session: WizSession) {
    session.clear();
}

/// Counts this visit, and answers how many there were before it.
async fn visits(session: WizSession) -> Result<String, Error> {
    let before = session.get_or_default::<u64>("visits")?;
    session.update("visits", |visits: &mut u64| *visits += 1)?;
    Ok(before.to_string())
}

async fn handle(session: WizSession) -> String {
    session
        .handle()
        .map_or_else(String::new, |handle| handle.to_string())
}

/// Puts something into the cart.
pub(crate) async fn anonymous(app: &Router) -> (Client, Visitor) {
    let mut client = Client::default();
    client.visit(app, "/add").await;
    let visitor = Visitor::of(&mut client, app).await;
    (client, visitor)
}

/// Whether the store takes another session.
pub(crate) async fn anonymous_is_taken(app: &Router) -> bool {
    let answer = Client::default().visit(app, "/add").await;
    answer.status.is_success()
}

/// Puts something into the cart, then logs in. Also gives the session of before.
pub(crate) async fn user(app: &Router, user: &str) -> (Visitor, Visitor) {
    let (mut client, before) = anonymous(app).await;
    client.visit(app, &format!("/log_in/{user}")).await;
    (Visitor::of(&mut client, app).await, before)
}

impl Visitor {
    async fn of(client: &mut Client, app: &Router) -> Self {
        let cookie = client.cookie.clone().expect("a cookie");
        let (_, value) = cookie.split_once('=').expect("a name and a value");
        let id = &value[value.len() - 32..];
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "an id");
        Self {
            handle: client.visit(app, "/handle").await.body,
            secrets: [value.to_owned(), id.to_owned()],
        }
    }
}

/// A session of alice's that expired an hour ago.
pub(crate) async fn expired(store: &impl SessionStore) -> Handle {
    let handle = Handle::from_bytes(std::array::from_fn(|_| fastrand::u8(..)));
    let json = r#"{"v":1,"created_at":1,"authenticated_at":1,"deadline":253402300799999,"user":"alice","data":{}}"#;
    let end = SystemTime::now() - Duration::from_secs(3600);
    let record = Record::from_json(json, Version::FIRST, end).expect("a record");
    let created = store.create(handle, &record).await.expect("a create");
    assert_eq!(created, Created::Created);
    handle
}
