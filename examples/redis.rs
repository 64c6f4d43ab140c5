//! Sessions in Redis: they outlive a restart, and all servers that use it share them.
//!
//! Run with
//!
//! ```text
//! apt-get install -y redis-server && redis-server --daemonize yes
//! cargo run --example redis --features redis
//! ```
//!
//! and visit it twice, with a restart in between if you like:
//!
//! ```text
//! curl -c jar -b jar localhost:3000
//! curl -c jar -b jar localhost:3000
//! ```

use std::error::Error;

use axum::{Router, routing::get};
use wiz_session::{CookieOptions, Key, RedisStore, WizSession, WizSessionLayer};

fn app(store: RedisStore) -> Router {
    // All servers need the same key. A real one is 64 random bytes, kept where you keep your secrets.
    let sessions = WizSessionLayer::builder(store, Key::from(&[7; 64]))
        // Plain HTTP on localhost; behind HTTPS the default is right.
        .cookie(CookieOptions::insecure("sid"))
        .build()
        .expect("the cookie's name is valid");
    Router::new().route("/", get(count)).layer(sessions)
}

async fn count(session: WizSession) -> Result<String, wiz_session::Error> {
    let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
    Ok(format!("visit {visits}\n"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // For a cluster: `connect_cluster`, with the feature `redis-cluster`. For a primary that sentinels name:
    // `redis+sentinel://host,host/name`, with the feature `redis-sentinel`.
    let store = RedisStore::connect("redis://127.0.0.1/").await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(store)).await?;
    Ok(())
}
