//! Sessions in Redis: on one server and on a cluster, which the tests start.
//!
//! `WIZ_TEST_REDIS_URL` and `WIZ_TEST_REDIS_CLUSTER_URL` (nodes, with commas) make them use others where a test does
//! not have to break its server.

#[path = "../support/client.rs"]
mod client;
#[cfg(target_os = "linux")]
mod clocks;
mod conforms;
mod faults;
mod keys;
mod lost_answers;
mod lost_commits;
mod proxy;
#[path = "../support/races.rs"]
mod races;
mod servers;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../support/mod.rs"]
mod support;
mod together;
mod trips;
mod values;
