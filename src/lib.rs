//! Server-side sessions for axum and any tower service: a layer, an extractor, a store.
//!
//! A handler reads and writes the session like a map. The layer loads it on first use, and commits *what was changed*
//! after the handler has answered and before the response headers are sent.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use wiz_session::{CookieOptions, Error, Key, MemoryStore, WizSession, WizSessionLayer};
//!
//! async fn visits(session: WizSession) -> Result<String, Error> {
//!     let visits = session.update("visits", |n: &mut u64| *n += 1)?;
//!     Ok(format!("visit {visits}\n"))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
//!         .cookie(CookieOptions::insecure("sid")) // plain HTTP on localhost
//!         .build()?;
//!     let app = Router::new().route("/", get(visits)).layer(sessions);
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Where to go from here
//!
//! The guide, one page for each subject:
//!
//! - [`guide::concurrency`]: what is guaranteed when requests meet, fail or are sent again.
//! - [`guide::authentication`]: logins by password, another site or a passkey; guarded routes, roles, CORS and CSRF.
//! - [`guide::login_does_not_stick`]: what to look at when a user is a visitor again at the next page.
//! - [`guide::security`]: the defaults and why, OWASP ASVS 5.0 chapter 7 requirement by requirement.
//! - [`guide::expiry`]: the two timeouts, remember me, polling, sweeping.
//! - [`guide::stores`]: choosing a store, setting one up.
//! - [`guide::writing_a_store`]: what a store keeps, a whole one, the suite that it has to pass.
//! - [`guide::websockets_and_streams`]: the session after the response headers are sent; being told when it ends.
//! - [`guide::near_cache`]: reading it without a round trip.
//! - [`guide::device_bound_sessions`]: cookies that are worth nothing once they are stolen.
//! - [`guide::operating`]: keys, tables, sweeps and a user's sessions from a shell.
//! - [`guide::observability`]: every event and every metric.
//! - [`guide::performance`]: what a request costs, beside the peers, and where the time goes.
//! - [`guide::testing`]: tests of an application that uses sessions.
//! - [`guide::without_axum`]: any tower service.
//! - [`guide::errors`]: every message, and what to do next.
//! - [`guide::design`]: what always holds, how a commit works, what a store has to guarantee.
//! - Moving over: [`guide::from_flask`] for `wiz.session` and Flask, [`guide::from_tower_sessions`],
//!   [`guide::from_axum_session`], [`guide::from_axum_login`].
//!
//! The types:
//!
//! - [`WizSession`]: everything a handler does with a session.
//! - [`WizSessionLayer`]: mounting it, its settings and their defaults.
//! - [`CookieOptions`]: the cookie's name and attributes.
//! - [`Sessions`]: listing and ending sessions from outside of a request.
//! - [`SessionStore`] and [`store`]: where sessions are kept, and how to write your own store.
//! - [`Error`]: what can go wrong, and its response.
//!
//! # What always holds
//!
//! - **No lost update.** A request commits what it changed, not what it read. Of many that change one session at once,
//!   none loses a change.
//! - **No resurrection.** A session that was ended stays ended, and no late response overwrites the cookie of a newer login.
//! - **Exactly once.** A commit whose answer was lost is looked up, and never applied twice.
//! - **In time is in time.** A request that found its session alive has its changes stored.
//! - Reading never creates a session, and a request that does not use its session costs nothing.
//! - A failing store is an error, never an empty session.
//! - No id, cookie, key or value is ever logged or printed; the store knows sessions by their [`Handle`].
//!
//! The whole list is in [`guide::design`].
//!
//! # Features
//!
//! - `axum` (default): a [`Guard`] on a nested router remembers the path that the client asked for. Nothing else needs it.
//! - `tracing` (default): events for audit, at the target `wiz_session`.
//! - `metrics`: counters, a gauge and the store's latency, on the [metrics](https://docs.rs/metrics) facade.
//! - `postgres`: the store for PostgreSQL, over [tokio-postgres](https://docs.rs/tokio-postgres), swept by a [`Sweeper`].
//!   `postgres-tls`: over TLS too.
//! - `sqlite`, `mysql`: stores over [sqlx](https://docs.rs/sqlx) 0.9, which takes Rust 1.94; swept likewise.
//! - `redis`: the store for Redis and Valkey. `redis-cluster`: for a cluster of them. `redis-sentinel`: for a
//!   primary that sentinels name.
//! - `encryption`: [`EncryptedStore`], for sessions that the database cannot read.
//! - `cache`: a [near cache](guide::near_cache), for reads without a round trip.
//! - `flask`: one login with a Flask or wiz application beside this one, `flask::FlaskBridge`; with a feature of a database
//!   also on the records of Flask-Session, `flask::FlaskSessionStore`; see [`guide::from_flask`].
//! - `dbsc`: sessions [bound to the device](guide::device_bound_sessions) of their browser, so that stolen cookies are dead
//!   within minutes.
//! - `test-util`: for the tests of an application, a store that records its calls and fails on demand, and logged-in
//!   cookies.
//! - `conformance`: the suite for authors of stores, `store::conformance`.
//! - `cli`: the operator's tool, installed by `cargo install wiz-session --features cli`; not for the library.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod at_once;
mod cache;
mod change;
mod commit;
mod cookie;
mod device;
mod drive;
mod error;
mod expiry;
mod extract;
mod flash;
#[cfg(feature = "flask")]
pub mod flask;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
pub mod guide;
mod id;
mod layer;
mod observe;
mod record;
mod session;
mod sessions;
mod sha256;
pub mod store;
mod sweeper;
#[cfg(feature = "test-util")]
pub mod test_util;
mod time;
mod watch;

pub use ::cookie::{Key, SameSite};

#[cfg(feature = "dbsc")]
pub use self::device::DeviceBinding;
#[cfg(feature = "encryption")]
pub use self::store::EncryptedStore;
#[cfg(feature = "mysql")]
pub use self::store::MySqlStore;
#[cfg(feature = "postgres")]
pub use self::store::PostgresStore;
#[cfg(feature = "redis")]
pub use self::store::RedisStore;
#[cfg(feature = "sqlite")]
pub use self::store::SqliteStore;
pub use self::{
    cookie::CookieOptions,
    error::{ConfigError, Error},
    extract::User,
    flash::{Flash, FlashLevel},
    guard::{Guard, GuardFuture, GuardService},
    id::{Handle, InvalidHandle},
    layer::{
        ResponseFuture, SessionBody, WizSessionLayer, WizSessionLayerBuilder, WizSessionService,
    },
    record::{Record, Version},
    session::{Transaction, WizSession},
    sessions::{SessionInfo, Sessions},
    store::{BoxStore, Ended, MemoryStore, MemoryStoreBuilder, SessionStore},
    sweeper::{Sweeper, SweeperBuilder},
    time::Clock,
    watch::Watch,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../README.ko.md")]
struct ReadmeInKorean;
