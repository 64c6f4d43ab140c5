//! The near cache: reading a session without a round trip.
//!
//! It may make a read old, by `cache_for` at the most, and never makes a commit wrong: that is a compare-and-swap on the
//! store. Without the feature `cache` it is nothing.

mod commits;
mod forget;
#[cfg(feature = "cache")]
mod near_cache;
#[cfg(feature = "cache")]
mod settings;
#[cfg(feature = "cache")]
mod tokens;
#[cfg(not(feature = "cache"))]
mod without;

pub(crate) use self::commits::Asking;
#[cfg(not(feature = "cache"))]
pub(crate) use self::without::{CacheSettings, Fill, NearCache};
#[cfg(feature = "cache")]
pub(crate) use self::{
    near_cache::{Fill, NearCache},
    settings::CacheSettings,
};
