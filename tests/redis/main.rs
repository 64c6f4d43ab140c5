//! Sessions in Redis: on one server and on a cluster, which the tests start.
//!
//! `WIZ_TEST_REDIS_URL` and `WIZ_TEST_REDIS_CLUSTER_URL` (nodes, with commas) make them use others where a test does
//! not have to break its server.

mod acl;
#[path = "../support/client.rs"]
mod client;
mod commits_in_doubt;
mod conformance;
mod faults;
mod feed;
mod handover;
mod keys;
mod lost_answers;
mod pipelining;
mod proxy;
#[path = "../support/races.rs"]
mod races;
mod records;
mod round_trips;
mod sentinel;
#[cfg(target_os = "linux")]
mod server_clock;
mod servers;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../support/mod.rs"]
mod support;
mod sweep;
#[path = "../support/watching.rs"]
mod watching;
