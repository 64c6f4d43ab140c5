//! Server-side sessions for axum and tower.

mod cookie;
mod data;
mod draft;
mod error;
mod expiry;
mod extract;
mod flash;
mod id;
mod layer;
mod op;
mod record;
mod session;
mod sessions;
pub mod store;
mod time;
mod trace;

pub use ::cookie::{Key, SameSite};

pub use self::{
    cookie::CookieOptions,
    error::{ConfigError, Error},
    flash::{Flash, Level},
    id::{Handle, InvalidHandle},
    layer::{ResponseFuture, WizSessionLayer, WizSessionLayerBuilder, WizSessionService},
    record::{Record, Version},
    session::{Tx, WizSession},
    sessions::{SessionInfo, Sessions},
    store::{MemoryStore, SessionStore},
    time::Clock,
};
