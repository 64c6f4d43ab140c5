//! How long a session lives on either side.

use std::time::Duration;

use redis::cmd;
use serde_json::Value;

use super::engine::{Both, Database, Engine, on_every_engine, on_sql_engines};
use crate::redis_servers;

const MINUTE: Duration = Duration::from_secs(60);

on_every_engine!(
    who_is_idle_here_is_logged_out_on_both_sides,
    a_use_at_flask_counts_as_one,
);
on_sql_engines!(a_row_that_lacks_its_data_or_its_end_is_no_session);

async fn who_is_idle_here_is_logged_out_on_both_sides(database: &Database) {
    let both = Both::of(database).await;
    let [begun_here, begun_there] = [(); 2].map(|()| both.visitor());
    begun_here.here("log_in/7").await;
    begun_there.there("session['user_id'] = 7").await;
    begun_there.set("seen", &Value::Null).await;
    both.clock.advance(29 * MINUTE);
    for visitor in [&begun_here, &begun_there] {
        assert_eq!(visitor.user().await, "7");
    }
    both.clock.advance(31 * MINUTE);
    for visitor in [&begun_here, &begun_there] {
        assert_eq!(visitor.user().await, Value::Null);
        assert_eq!(
            visitor.there("pass").await,
            "{}",
            "the request has ended it there too"
        );
    }
}

/// Flask goes by the system's clock, and here the time is moved: so Flask has a longer lifetime, as if it had been used later.
async fn a_use_at_flask_counts_as_one(database: &Database) {
    let an_hour_more = format!("PERMANENT_SESSION_LIFETIME={}", 31 * 24 * 60 * 60 + 60 * 60);
    let both = Both::with(database, &[&an_hour_more], |builder| builder).await;
    let visitor = both.visitor();
    visitor.here("log_in/7").await;
    both.clock.advance(29 * MINUTE);
    visitor.there("session['a'] = 1").await;
    both.clock.advance(29 * MINUTE);
    assert_eq!(visitor.user().await, "7");
    // It was used half an hour ago and some, in Flask's hour.
    both.clock.advance(33 * MINUTE);
    assert_eq!(visitor.user().await, Value::Null);
}

/// Both columns may be NULL, and Flask-Session takes a row without an end for none.
async fn a_row_that_lacks_its_data_or_its_end_is_no_session(database: &Database) {
    let both = Both::of(database).await;
    for column in ["data", "expiry"] {
        let visitor = both.visitor();
        visitor.there("session['user_id'] = 7").await;
        assert_eq!(visitor.user().await, "7");
        let update = format!("UPDATE {} SET {column} = NULL", database.name);
        both.visitor().there(&format!("sql({update:?})")).await;
        assert_eq!(visitor.user().await, Value::Null, "{column}");
        let listed = both
            .sessions
            .list("7")
            .await
            .expect("such rows are passed over");
        assert!(listed.is_empty(), "{column}: {listed:?}");
        visitor.here("log_in/7").await;
        assert_eq!(visitor.there("pass").await, "{'user_id': 7}", "{column}");
    }
}

/// Flask's lifetime from each write, on the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_kept_for_as_long_as_flask_would() {
    let database = Database::new(Engine::Redis);
    let both = Both::of(&database).await;
    let visitor = both.visitor();
    visitor.here("log_in/7").await;
    let [id] = <[String; 1]>::try_from(database.ids().await).expect("one record");
    let left: i64 = {
        let keys: Vec<String> =
            redis_servers::ask(&redis_servers::shared(), cmd("KEYS").arg(format!("*{id}"))).await;
        redis_servers::ask(&redis_servers::shared(), cmd("TTL").arg(&keys[0])).await
    };
    let month = 31 * 24 * 60 * 60;
    assert!((month - 60..=month).contains(&left), "{left}");
}
