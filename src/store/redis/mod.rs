//! The store that keeps sessions in Redis or Valkey: one server, one that sentinels name, or a cluster.

mod advice;
mod batch;
#[cfg(feature = "flask")]
mod blobs;
#[cfg(feature = "redis-cluster")]
mod cluster_subscriber;
mod connect;
mod connection;
mod encoding;
mod feed;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod index;
mod keys;
mod lane;
mod look;
mod pages;
mod progress;
mod reply;
mod scan;
mod script;
#[cfg(feature = "redis-sentinel")]
mod sentinels;
mod store;
mod subscriber;
mod sweep;
mod tcp;
mod told;
mod topology;
mod users;

pub use self::store::RedisStore;
