//! Beside the real thing: Flask 3.0.2 and 3.1.3, wiz, and Flask-Session 0.8.

#[path = "../support/beside.rs"]
mod beside;
#[allow(dead_code, reason = "the races use the rest")]
#[path = "../support/client.rs"]
mod client;
mod example;
mod here;
mod login;
mod python;
#[path = "../support/races.rs"]
mod races;
mod random;
mod records;
#[allow(dead_code, reason = "the Redis store's tests use the rest")]
#[path = "../redis/servers.rs"]
mod redis_servers;
#[allow(dead_code, reason = "the SQL stores' tests use the rest")]
#[path = "../sql/servers.rs"]
mod sql_servers;
#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;
mod there;
mod values;
mod visitor;
