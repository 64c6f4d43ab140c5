//! Sessions in MySQL or MariaDB, shared by any number of processes.
//!
//! Run with `DATABASE_URL=mysql://user@localhost/database cargo run --example mysql --features mysql`, then:
//!
//! ```sh
//! curl -c jar -b jar http://127.0.0.1:3000/    # visit 1, visit 2, … also from another process
//! ```

use axum::{Router, routing::get};
use wiz_session::{
    CookieOptions, Error, Key, Sweeper, WizSession, WizSessionLayer, store::MySqlStore,
};

fn app(store: MySqlStore, key: Key) -> Result<Router, Box<dyn std::error::Error>> {
    // Plain HTTP on localhost; leave the cookie out behind HTTPS.
    let sessions = WizSessionLayer::builder(store, key)
        .cookie(CookieOptions::insecure("sid"))
        .build()?;
    Ok(Router::new().route("/", get(visits)).layer(sessions))
}

async fn visits(session: WizSession) -> Result<String, Error> {
    let visits = session.update("visits", |n: &mut u64| *n += 1)?;
    Ok(format!("visit {visits}\n"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = MySqlStore::connect(&std::env::var("DATABASE_URL")?).await?;
    store.migrate().await?;
    let _sweeper = Sweeper::spawn(store.clone());
    // All processes take the same key. Keep yours with your secrets.
    let key = Key::derive_from(b"an example's key, which everybody knows");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(store, key)?).await?;
    Ok(())
}
