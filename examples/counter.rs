//! The shortest useful program: a page that counts its visits, for each visitor apart.
//!
//! Run with
//!
//! ```text
//! cargo run --example counter
//! ```
//!
//! and visit it twice:
//!
//! ```text
//! curl -c jar -b jar localhost:3000
//! curl -c jar -b jar localhost:3000
//! ```

use axum::{Router, routing::get};
use wiz_session::{CookieOptions, Error, Key, MemoryStore, WizSession, WizSessionLayer};

fn app() -> Router {
    let sessions = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
        // Plain HTTP on localhost; behind HTTPS the default is right.
        .cookie(CookieOptions::insecure("sid"))
        .build()
        .expect("the cookie's name is valid");
    Router::new().route("/", get(count)).layer(sessions)
}

async fn count(session: WizSession) -> Result<String, Error> {
    let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
    Ok(format!("visit {visits}\n"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}
