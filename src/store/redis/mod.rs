//! The store that keeps sessions in Redis or Valkey: one server, one that sentinels name, or a cluster.

mod advice;
mod batch;
mod connect;
mod connection;
mod encoding;
mod index;
mod keys;
mod lane;
mod pages;
mod progress;
mod reply;
mod scan;
mod script;
#[cfg(feature = "redis-sentinel")]
mod sentinels;
mod store;
mod sweep;
mod tcp;
mod topology;
mod users;

pub use self::store::RedisStore;
