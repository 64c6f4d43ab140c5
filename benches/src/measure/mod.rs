//! The measurements, one a file. Each prints its own tables.

pub mod allocations;
pub mod bound;
#[cfg(feature = "databases")]
pub mod cache;
pub mod connection;
#[cfg(feature = "databases")]
pub mod databases;
pub mod dependencies;
#[cfg(feature = "databases")]
pub mod feed;
#[cfg(feature = "flask")]
pub mod flask;
pub mod guide;
pub mod heap;
pub mod hot;
pub mod instructions;
pub mod parts;
#[cfg(feature = "peers")]
pub mod races;
#[cfg(feature = "databases")]
pub mod redis;
pub mod scaling;
pub mod time;
pub mod wrk;

use std::collections::HashMap;

/// A figure for every scenario and contestant.
pub type Figures = HashMap<(String, &'static str), f64>;
