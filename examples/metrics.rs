//! A page that counts its visits, and `/metrics` for Prometheus: what the sessions do.
//!
//! Run with
//!
//! ```text
//! cargo run --example metrics --features metrics
//! ```
//!
//! and visit it:
//!
//! ```text
//! curl -c jar -b jar localhost:3000
//! curl -c jar -b jar localhost:3000
//! curl localhost:3000/metrics
//! ```

use std::error::Error;

use axum::{Router, extract::State, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use wiz_session::{CookieOptions, Key, MemoryStore, Sessions, WizSession, WizSessionLayer};

/// From half a millisecond, what a database nearby takes, to the layer's `store_timeout`.
const SECONDS: [f64; 8] = [0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 1.0, 5.0];

fn app(recorder: PrometheusHandle) -> Router {
    let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
        // Plain HTTP on localhost; behind HTTPS the default is right.
        .cookie(CookieOptions::insecure("sid"))
        .build()
        .expect("the cookie's name is valid");
    let metrics = get(metrics).with_state((layer.sessions(), recorder));
    Router::new()
        .route("/", get(count))
        .layer(layer)
        // For Prometheus alone: in production on a port of its own.
        .route("/metrics", metrics)
}

async fn count(session: WizSession) -> Result<String, wiz_session::Error> {
    let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
    Ok(format!("visit {visits}\n"))
}

async fn metrics(
    State((sessions, recorder)): State<(Sessions, PrometheusHandle)>,
) -> Result<String, wiz_session::Error> {
    sessions.count().await?; // sets `wiz_session_live`
    Ok(recorder.render())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Before the layer is built, which describes its metrics to the recorder.
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .install_recorder()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app(recorder)).await?)
}
