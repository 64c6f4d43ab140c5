//! Server-side sessions for axum and tower.

mod cookie;
mod data;
mod draft;
mod error;
mod expiry;
mod id;
mod op;
mod record;
pub mod store;
mod time;

pub use ::cookie::{Key, SameSite};
pub use cookie::CookieOptions;
pub use error::{ConfigError, Error};
pub use id::{Handle, InvalidHandle};
pub use record::{Record, Version};
pub use store::{MemoryStore, SessionStore};
pub use time::Clock;
