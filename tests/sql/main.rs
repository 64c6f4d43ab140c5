//! The SQL stores, on real servers: `apt-get install -y postgresql mariadb-server`.
//!
//! The tests start them by themselves, and stop them. `WIZ_TEST_POSTGRES_URL` and `WIZ_TEST_MYSQL_URL` name databases
//! to use instead, where that is possible: tests that kill or freeze a server always start one.

#[path = "../support/client.rs"]
mod client;
mod contract;
mod dump;
mod faults;
mod fresh;
mod outage;
mod processes;
mod proxy;
#[path = "../support/races.rs"]
mod races;
mod schema;
mod servers;
mod shop;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod trips;
