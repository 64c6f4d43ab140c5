//! The session document's examples as one running server: login, cart, registration in steps,
//! preferences, flash messages, protected pages and a WebSocket, all on one session.
//!
//! Run with
//!
//! ```text
//! cargo run --example server
//! ```
//!
//! and open <http://127.0.0.1:3000>, or talk to it from a shell:
//!
//! ```text
//! alias call="curl -s -b jar -c jar -H content-type:application/json"
//! call localhost:3000/api/add_to_cart -d '{"product_id":7}'
//! call localhost:3000/api/login -d '{"email":"alice@example.com","password":"wonderland"}'
//! call localhost:3000/api/session
//! ```
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PORT` | port on 127.0.0.1; `0` takes a free one | `3000` |
//! | `STORE` | where sessions live, see `store.rs` | `memory` |
//! | `SESSION_SECRET` | signs the cookie, at least 32 bytes | a generated key |
//! | `SECURE_COOKIE` | `true` behind a TLS proxy: the cookie is `__Host-sid; Secure` | `false`, which is `sid` |
//! | `IDLE_TIMEOUT` | seconds that a session lives without being used | `1800` |
//! | `WATCH_INTERVAL` | seconds after which an open page notices at the latest what another process did | `10` |
//! | `CACHE` | seconds that a process may keep what it has read, `1` to `60` | not at all |
//! | `MAX_SESSIONS_PER_USER` | the login that is one more ends the oldest | no limit |
//! | `GUESTS` | `1`: beside Alice and Bob there is `guest7@example.com`, and one for every other number, with the password `guest`, for tests | `0` |
//! | `FLASK_SECRET_KEY` | shares login and data with a Flask application that has this `SECRET_KEY` | not at all |
//! | `TLS_CERT`, `TLS_KEY` | files in PEM: HTTPS, with the cookie `__Host-sid`, and logins are offered to be bound to their device | plain HTTP |
//! | `DEVICE_COOKIE` | seconds that the bound cookie `__Host-sid-bound` lives | `600` |
//! | `REQUIRE_DEVICE` | `1`: sessions have to be bound | they may be |
//! | `RUST_LOG` | what to log on stderr, `wiz_session=debug` for example | errors |

mod app;
mod auth;
mod body;
mod config;
mod error;
mod headers;
mod input;
mod model;
mod page;
mod routes;
mod shutdown;
mod store;
mod tls;

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::model::Users;

/// Room for several values of 256 KB, however they are escaped.
const MAX_SESSION_BYTES: usize = 8 << 20;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();

    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(cause) = error.source() {
                eprintln!("cause: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = Config::from_env()?;
    let store = store::open(&config.store, config.key).await?;
    let mut sessions = store
        .layer
        .cookie(config.cookie)
        .bearer(true)
        .max_bytes(MAX_SESSION_BYTES);
    if let Some(timeout) = config.idle_timeout {
        sessions = sessions.idle_timeout(timeout);
    }
    if let Some(interval) = config.watch_interval {
        sessions = sessions.watch_interval(interval);
    }
    if let Some(duration) = config.cache {
        sessions = sessions.cache_for(duration);
    }
    if let Some(binding) = config.device_binding {
        sessions = sessions.device_bound(binding);
    }
    if let Some(most) = config.max_sessions_per_user {
        sessions = sessions.max_sessions_per_user(most);
    }
    let sessions = sessions.build()?;
    // Until the last request is answered.
    let _sweeper = store.sweeper;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!(
            "cannot listen on {address}: {error}; set PORT to another one, or to 0 for a free one"
        )
    })?;
    // Before the address is announced: who reads it may stop us at once.
    let stop = shutdown::signal()?;
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    announce(scheme, listener.local_addr()?)?;

    let mut users = Users::with_demo_accounts();
    if config.guests {
        users = users.with_guests();
    }
    let app = app::app(users, sessions, config.flask);
    match config.tls {
        Some(identity) => shutdown::serve(identity.listen(listener)?, app, stop).await?,
        None => {
            let listener = listener.tap_io(|stream| {
                // Only latency is lost when the option cannot be set.
                let _ = stream.set_nodelay(true);
            });
            shutdown::serve(listener, app, stop).await?;
        }
    }
    Ok(())
}

/// Flushed, because a script that started us waits for this line.
fn announce(scheme: &str, address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {scheme}://{address}")?;
    out.flush()
}
