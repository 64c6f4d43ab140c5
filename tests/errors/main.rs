//! Every error that a user can meet is met here, for real: its message is a row of `docs/errors.md`, and every row is met.
//!
//! The servers are started by the test, as in `tests/sql` and `tests/redis`. `cargo test` builds the example server, with
//! the same features; `cargo test --test errors` alone does not.

#[path = "../support/beside.rs"]
mod beside;
mod handler;
mod imposter;
#[allow(dead_code, unused_imports, reason = "the layer's tests use the rest")]
#[path = "../it/support/mod.rs"]
mod layer;
mod met;
mod redis;
#[allow(dead_code, reason = "the Redis store's tests use the rest")]
#[path = "../redis/servers.rs"]
mod redis_servers;
#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../support/example_server.rs"]
mod server;
mod settings;
mod sql;
#[allow(dead_code, reason = "the SQL stores' tests use the rest")]
#[path = "../sql/servers.rs"]
mod sql_servers;
mod startup;
#[allow(dead_code, reason = "the stores' tests use the rest")]
#[path = "../support/mod.rs"]
mod support;
mod table;

use crate::table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_a_row_of_the_table_and_every_row_is_met() {
    let (handler, postgres, mysql, sqlite, redis) = tokio::join!(
        handler::meet(),
        sql::meet_postgres(),
        sql::meet_mysql(),
        sql::meet_sqlite(),
        redis::meet(),
    );
    let elsewhere = [
        settings::meet(),
        settings::panics(),
        settings::panics_of_tests().await,
        startup::meet(),
    ];
    let met = [handler, postgres, mysql, sqlite, redis].into_iter();
    let met: Vec<_> = met.chain(elsewhere).flatten().collect();

    let table = Table::read();
    for error in &met {
        error.holds_no_secret();
    }
    let wrong: Vec<_> = met.iter().filter(|error| !table.has(error)).collect();
    let unmet: Vec<_> = table.rows().filter(|row| !row.is_met_by(&met)).collect();
    assert!(wrong.is_empty(), "no row, or another response: {wrong:#?}");
    assert!(unmet.is_empty(), "nobody met {unmet:#?}");
}
