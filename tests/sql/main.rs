//! The SQL stores, on real servers: `apt-get install -y postgresql mariadb-server`.
//!
//! The tests start them by themselves, and stop them. `WIZ_TEST_POSTGRES_URL` and `WIZ_TEST_MYSQL_URL` name databases
//! to use instead, and find some tables `t…` there afterwards; tests that kill a server or fill its disk start one all
//! the same.

mod batches;
#[path = "../support/beside.rs"]
mod beside;
#[path = "../support/client.rs"]
mod client;
mod contract;
mod dump;
mod faults;
mod feed;
mod fresh;
mod given_up;
mod locks;
mod outage;
mod pooler;
mod processes;
mod proxy;
#[path = "../support/races.rs"]
mod races;
mod schema;
mod servers;
mod setups;
mod shop;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod tls;
mod trips;
mod turns;
#[path = "../support/watching.rs"]
mod watching;
