//! The whole contract of a store, with no check excepted, while Flask does not write.

use std::time::Duration;

use wiz_session::{Handle, Key, SessionStore, store::conformance::Conformance};

use super::engine::{Both, Database, Engine, on_every_engine, on_sql_engines};
use crate::races;

on_every_engine!(it_conforms, it_loses_no_race);
on_sql_engines!(sessions_of_flasks_are_ended_among_thousands_of_others);

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

/// By their handles, in a process that has not seen them: it looks through all keys, a thousand at a time. The first has been
/// written since, which puts its row behind all others in PostgreSQL's table.
async fn sessions_of_flasks_are_ended_among_thousands_of_others(database: &Database) {
    let both = Both::of(database).await;
    let [first, last] = [(); 2].map(|()| both.visitor());
    first.there("session['user_id'] = 7").await;
    let others = format!(
        r#"sql("INSERT INTO {} (session_id, data, expiry) VALUES " + ", ".join(f"('other{{n}}', '', '2099-01-01')" for n in range(2500)))"#,
        database.name
    );
    both.visitor().there(&others).await;
    last.there("session['user_id'] = 7").await;
    first.there("session['a'] = 1").await;
    let key = Key::generate();
    let [seen_by, asked] = [database.store(&key).await, database.store(&key).await];
    let nobodys = Handle::from_bytes([7; 16]);
    assert!(!asked.delete(nobodys).await.expect("a delete"));
    let listed = seen_by.list("7").await.expect("a list");
    assert_eq!(listed.len(), 2, "{listed:?}");
    for (handle, _) in listed {
        assert!(asked.delete(handle).await.expect("a delete"));
    }
    assert!(seen_by.list("7").await.expect("a list").is_empty());
}
