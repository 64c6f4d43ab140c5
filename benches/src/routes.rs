//! The handlers, the same for all contestants.

use std::{
    hint::black_box,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, extract::FromRequestParts, routing::get};
use serde::Serialize;
use tokio::sync::Barrier;

/// What the handlers do with a contestant's session.
pub trait Session: FromRequestParts<()> + Send + Sync + 'static {
    fn read(&self, key: &str) -> impl Future<Output = Option<u64>> + Send;
    fn write<T: Serialize + Send + Sync>(
        &self,
        key: &str,
        value: T,
    ) -> impl Future<Output = ()> + Send;
    /// Read, add, write; in one step where the contestant has one.
    fn add_one(&self, key: &str) -> impl Future<Output = ()> + Send;
    fn regenerate(&self) -> impl Future<Output = ()> + Send;
}

pub const UNTOUCHED: &str = "/untouched";
pub const READ: &str = "/read";
/// The value as text, for those who check what was kept.
pub const SHOW: &str = "/show";
pub const WRITE: &str = "/write";
pub const REGENERATE: &str = "/regenerate";
pub const FILL_SMALL: &str = "/fill/small";
pub const FILL_LARGE: &str = "/fill/large";
pub const ADD: &str = "/add";
pub const ADD_TOGETHER: &str = "/add-together";

/// The key that is read and written, in small and in large sessions.
pub const KEY: &str = "visits";

pub fn router<S: Session>() -> Router {
    Router::new()
        .route(UNTOUCHED, get(async || "ok"))
        .route(READ, get(read::<S>))
        .route(SHOW, get(show::<S>))
        .route(WRITE, get(write::<S>))
        .route(REGENERATE, get(regenerate::<S>))
        .route(FILL_SMALL, get(fill_small::<S>))
        .route(FILL_LARGE, get(fill_large::<S>))
        .route(ADD, get(add::<S>))
        .route(ADD_TOGETHER, get(add_together::<S>))
}

async fn read<S: Session>(session: S) -> &'static str {
    black_box(session.read(KEY).await);
    "ok"
}

async fn show<S: Session>(session: S) -> String {
    session.read(KEY).await.unwrap_or_default().to_string()
}

/// Another value each time: some contestants do not store what has not changed.
async fn write<S: Session>(session: S) -> &'static str {
    static NEXT: AtomicU64 = AtomicU64::new(100_000);
    let value = NEXT.fetch_add(1, Ordering::Relaxed);
    session.write(KEY, value).await;
    "ok"
}

async fn regenerate<S: Session>(session: S) -> &'static str {
    session.regenerate().await;
    "ok"
}

/// 3 small keys.
async fn fill_small<S: Session>(session: S) -> &'static str {
    session.write("user", "alice").await;
    session.write("theme", "dark").await;
    session.write(KEY, 0).await;
    "ok"
}

/// 100 keys: the one that is read and written, and 99 with values of 100 bytes.
async fn fill_large<S: Session>(session: S) -> &'static str {
    static FILLER: LazyLock<(Vec<String>, String)> = LazyLock::new(|| {
        let keys = (1..100).map(|n| format!("key{n:02}")).collect();
        (keys, "v".repeat(100))
    });
    let (keys, value) = &*FILLER;
    for key in keys {
        session.write(key, value).await;
    }
    session.write(KEY, 0).await;
    "ok"
}

async fn add<S: Session>(session: S) -> &'static str {
    session.add_one(KEY).await;
    "ok"
}

/// How many requests meet in [`ADD_TOGETHER`].
pub const CROWD: usize = 1_000;

/// Adds one once all of the crowd have loaded their session: whoever commits second has a conflict.
async fn add_together<S: Session>(session: S) -> &'static str {
    static MET: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(CROWD));
    black_box(session.read(KEY).await);
    MET.wait().await;
    session.add_one(KEY).await;
    "ok"
}
