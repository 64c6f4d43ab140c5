//! Sessions in a SQLite file: they outlive a restart.
//!
//! Run with
//!
//! ```text
//! cargo run --example sqlite --features sqlite
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
use wiz_session::{CookieOptions, Key, Sweeper, WizSession, WizSessionLayer, store::SqliteStore};

fn app(store: SqliteStore) -> Router {
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
    let store = SqliteStore::connect("sqlite:sessions.db").await?;
    store.migrate().await?;
    // Deletes what has expired, for as long as the program runs.
    let _sweeper = Sweeper::spawn(store.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(store)).await?;
    Ok(())
}
