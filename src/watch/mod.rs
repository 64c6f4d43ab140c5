//! The feed: tells the holders of a session when it ends or changes.
//!
//! ```text
//!  this process:     commit ─────────────────────┐
//!  other processes:  store ──push (if it can)──▶ Watchers ──▶ Watch::ended, Watch::changed
//!                    store ◀──look, each interval, at each gap, at each expiry
//! ```
//!
//! Every report but the look may be lost. So a watch is late by the interval and one call of the store at the most.

mod looking;
mod registry;
mod revoking;
mod watched;
mod watchers;

#[cfg(feature = "cache")]
pub(crate) use self::watchers::Listen;
pub use self::watchers::Watch;
pub(crate) use self::{looking::WatchConfig, registry::Registry, watchers::Watchers};
