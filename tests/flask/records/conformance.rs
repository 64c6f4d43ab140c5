//! The whole contract of a store, with no check excepted, while Flask does not write.

use std::time::Duration;

use wiz_session::{Key, store::conformance::Conformance};

use super::engine::{Database, Engine, on_every_engine};
use crate::races;

on_every_engine!(it_conforms, it_loses_no_race);

async fn it_conforms(database: &Database) {
    let _makes_the_table = database.flask(&[]);
    let key = Key::generate();
    let stores = [database.store(&key).await, database.store(&key).await];
    let sessions = match database.engine {
        // More than fit one page.
        Engine::Redis | Engine::Sqlite => 151,
        // The pages of SQL are the same everywhere, and this takes a fraction of the time.
        Engine::Postgres | Engine::Mysql => 21,
    };
    let suite = Conformance::new().max_sessions_of_a_user(sessions);
    let suite = suite
        .lists_read_all()
        .answers_within(Duration::from_secs(60));
    let suite = match database.engine {
        // What SQLAlchemy makes for bytes there.
        Engine::Mysql => suite.max_bytes(20 * 1024),
        _ => suite,
    };
    suite.run_shared(stores).await;
}

async fn it_loses_no_race(database: &Database) {
    let _makes_the_table = database.flask(&[]);
    races::run(database.store(&Key::generate()).await, 3).await;
}
