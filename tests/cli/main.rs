//! The operator's tool, run as people and scripts run it, on every store.
//!
//! The database servers are started by the tests, as in `tests/sql` and `tests/redis`.

#[path = "../support/beside.rs"]
mod beside;
#[allow(dead_code, reason = "the races use the rest")]
#[path = "../support/client.rs"]
mod client;
mod commands;
mod copies;
mod failures;
mod files;
mod key;
mod output;
mod place;
#[allow(dead_code, reason = "the Redis store's tests use the rest")]
#[path = "../redis/servers.rs"]
mod redis_servers;
mod shop;
#[allow(dead_code, reason = "the SQL stores' tests use the rest")]
#[path = "../sql/servers.rs"]
mod sql_servers;
#[allow(dead_code, reason = "the stores' tests use the rest")]
#[path = "../support/mod.rs"]
mod support;
mod sweeps;
mod tool;
