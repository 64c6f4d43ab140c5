//! The handlers, the same for all contestants. But for one they never wait: what comes between a load and a save is the
//! store's distance.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{FromRequestParts, Path},
    response::Response,
    routing::get,
};
use tokio::sync::Barrier;

/// What the handlers do with a contestant's session. An error is the response that it becomes.
pub trait Session: FromRequestParts<()> + Send + Sync + 'static {
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<u64>, Response>> + Send;
    fn write(&self, key: &str, value: u64) -> impl Future<Output = Result<(), Response>> + Send;
    /// Read, do some work, write what was read plus one; where the contestant has a step for both, that after the work.
    fn add_one(&self, key: &str, work: Work) -> impl Future<Output = Result<(), Response>> + Send;
    /// A new id.
    fn regenerate(&self) -> impl Future<Output = Result<(), Response>> + Send;
    /// The end of the session.
    fn log_out(&self) -> impl Future<Output = Result<(), Response>> + Send;
}

pub const LOG_IN: &str = "/login";
pub const LOG_OUT: &str = "/logout";
pub const REGENERATE: &str = "/regenerate";
/// Who is logged in; "nobody".
pub const USER: &str = "/user";
pub const ADD: &str = "/add";
/// With [some work](WORKS) between the read and the write.
pub const ADD_SLOWLY: &str = "/add-slowly";
pub const COUNT: &str = "/count";
/// Reads, meets the one who measures twice, and writes key 0.
pub const SLOW: &str = "/slow";

/// Such as a question to another service.
const WORKS: Duration = Duration::from_millis(5);

/// What a handler does between a read and a write.
pub struct Work(Duration);

impl Work {
    pub async fn done(self) {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
    }
}

/// Sets the n-th key.
pub fn set(n: usize) -> String {
    format!("/set/{n}")
}

/// How many of the first n keys there are.
pub fn kept(n: usize) -> String {
    format!("/kept/{n}")
}

/// Where a slow request and the one who measures meet: when the request has loaded, and when it is to go on.
#[derive(Clone)]
pub struct Meeting(Arc<Barrier>);

impl Meeting {
    pub fn new() -> Self {
        Self(Arc::new(Barrier::new(2)))
    }

    pub async fn meet(&self) {
        self.0.wait().await;
    }
}

const LOGIN: &str = "user";
const COUNTER: &str = "count";

pub fn router<S: Session>(meeting: &Meeting) -> Router {
    Router::new()
        .route(LOG_IN, get(log_in::<S>))
        .route(LOG_OUT, get(log_out::<S>))
        .route(REGENERATE, get(regenerate::<S>))
        .route(USER, get(user::<S>))
        .route("/set/{n}", get(set_key::<S>))
        .route("/kept/{n}", get(kept_keys::<S>))
        .route(ADD, get(add::<S>))
        .route(ADD_SLOWLY, get(add_slowly::<S>))
        .route(COUNT, get(count::<S>))
        .route(SLOW, get(slow::<S>))
        .layer(Extension(meeting.clone()))
}

type Answer<T> = Result<T, Response>;

async fn log_in<S: Session>(session: S) -> Answer<()> {
    session.write(LOGIN, 7).await
}

async fn log_out<S: Session>(session: S) -> Answer<()> {
    session.log_out().await
}

async fn regenerate<S: Session>(session: S) -> Answer<()> {
    session.regenerate().await
}

async fn user<S: Session>(session: S) -> Answer<String> {
    let user = session.read(LOGIN).await?;
    Ok(user.map_or("nobody".to_owned(), |user| user.to_string()))
}

async fn set_key<S: Session>(session: S, Path(n): Path<usize>) -> Answer<()> {
    session.write(&key(n), 1).await
}

async fn kept_keys<S: Session>(session: S, Path(n): Path<usize>) -> Answer<String> {
    let mut kept = 0;
    for n in 0..n {
        kept += usize::from(session.read(&key(n)).await?.is_some());
    }
    Ok(kept.to_string())
}

async fn add<S: Session>(session: S) -> Answer<()> {
    session.add_one(COUNTER, Work(Duration::ZERO)).await
}

async fn add_slowly<S: Session>(session: S) -> Answer<()> {
    session.add_one(COUNTER, Work(WORKS)).await
}

async fn count<S: Session>(session: S) -> Answer<String> {
    let count = session.read(COUNTER).await?;
    Ok(count.unwrap_or_default().to_string())
}

async fn slow<S: Session>(session: S, Extension(meeting): Extension<Meeting>) -> Answer<()> {
    session.read(LOGIN).await?;
    meeting.meet().await;
    meeting.meet().await;
    session.write(&key(0), 1).await
}

fn key(n: usize) -> String {
    format!("key{n}")
}
