//! One login with a Flask or wiz application beside this one, while its routes move over one by one.
//!
//! [`FlaskBridge`] shares the login and the data of Flask's signed cookie with the sessions here.
//! Where Flask-Session keeps the sessions, `FlaskSessionStore` keeps those of this side in the same records.
//! [`guide::from_flask`](crate::guide::from_flask) says in which order to move, and what each side sees.
//!
//! ```
//! # use axum::Router;
//! # use wiz_session::{ConfigError, Key, MemoryStore, WizSessionLayer, flask::FlaskBridge};
//! # fn f(routes: Router) -> Result<Router, ConfigError> {
//! let flask = FlaskBridge::builder("the SECRET_KEY of the Flask application").build()?;
//! let app = routes.layer(flask).layer(WizSessionLayer::new(MemoryStore::new(), Key::generate()));
//! # Ok(app) }
//! ```

// How the two are told apart. A session remembers what it and Flask's cookie last agreed on (`mirror`). A cookie that
// differs from that is one of three:
//
//  - Flask has written it since: what differs is done to the session, key by key (`take_over`).
//  - This session has sent it, or has taken it over before, and has gone further since: another request was faster, or its
//    response was. It is left alone, and replaced. All cookies that one login was sent carry its `lineage`, which Flask drops
//    when it writes.
//  - Its login has ended here: the logout left a tombstone in the store (`logged_out`).
//
// What the session holds after the handler is written to Flask's cookie in the transaction that commits it (`share`).

mod bridge;
mod builder;
mod cookie;
mod data;
mod flashes;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod json;
mod lineage;
mod logged_out;
mod mirror;
#[cfg(any(
    feature = "redis",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql"
))]
mod records;
mod settings;
mod share;
mod take_over;
mod user;
mod visit;

#[cfg(any(
    feature = "redis",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql"
))]
pub use self::records::{
    FlaskSerialization, FlaskSessionBridge, FlaskSessionBridgeService, FlaskSessionStore,
    FlaskSessionStoreBuilder,
};
pub use self::{
    bridge::{FlaskBridge, FlaskBridgeService},
    builder::FlaskBridgeBuilder,
    cookie::{FlaskCookie, FlaskCookieBuilder, FlaskDigest},
    data::FlaskData,
    mirror::MIRROR_KEY,
    user::FlaskUser,
};
