//! Requests that meet on one record: what is kept, and what Flask loses as it always did.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiz_session::{Handle, SessionStore};

use super::engine::{Both, Database, Engine, on_every_engine};
use crate::{beside, sql_servers, visitor::Visitor};

on_every_engine!(
    what_flask_writes_meanwhile_is_kept,
    a_logout_there_meanwhile_is_one,
    what_is_written_here_meanwhile_is_lost_by_flask,
    a_late_response_of_flasks_does_not_undo_a_login,
    first_requests_at_once_come_to_one_session,
);

/// Between our load and our commit.
async fn what_flask_writes_meanwhile_is_kept(database: &Database) {
    let both = Both::of(database).await;
    // A session that began here, and one that began there, which this side sees for the first time.
    for begin in ["here", "there"] {
        let visitor = both.visitor();
        match begin {
            "here" => drop(visitor.here("log_in/7").await),
            _ => drop(visitor.there("session['user_id'] = 7").await),
        }
        visitor.meet("own", "session['theirs'] = 1").await;
        let values = json!({ "own": [null, "here"], "theirs": 1 });
        assert_eq!(visitor.values().await, values, "{begin}");
        let seen = "{'own': [None, 'here'], 'theirs': 1, 'user_id': 7}";
        assert_eq!(visitor.there("pass").await, seen);
        // Often, and the key that Flask changes again.
        for n in 0..5 {
            let code = format!("session['theirs'] += 1; session['n'] = {n}");
            visitor.meet(&format!("own{n}"), &code).await;
        }
        let values = visitor.values().await;
        assert_eq!((&values["theirs"], &values["n"]), (&json!(6), &json!(4)));
        assert!((0..5).all(|n| values[format!("own{n}")] == json!([null, "here"])));
        assert_eq!(visitor.user().await, "7");
    }
}

async fn a_logout_there_meanwhile_is_one(database: &Database) {
    let both = Both::of(database).await;
    let visitor = both.visitor();
    visitor.here("log_in/7").await;
    visitor.meet("own", "session.clear()").await;
    assert!(visitor.has_no_login(&visitor.here("show").await));
    assert_eq!(visitor.there("pass").await, "{}");
}

/// A handler of Flask's that takes its time, while this runs.
async fn during(visitor: &Visitor, code: &str, meanwhile: impl AsyncFnOnce()) -> String {
    let slow = visitor.there(code);
    let rest = async {
        visitor.signal("arrived").await;
        meanwhile().await;
        visitor.signal("released").await;
    };
    let (seen, ()) = tokio::join!(slow, rest);
    seen
}

/// Flask writes the whole session back as it has read it. This is what the documentation warns of.
async fn what_is_written_here_meanwhile_is_lost_by_flask(database: &Database) {
    let both = Both::of(database).await;
    let visitor = both.visitor();
    visitor.there("session['user_id'] = 7").await;
    let change = async || visitor.set("own", &json!(1)).await;
    during(&visitor, "session['theirs'] = 1; wait()", change).await;
    let values = visitor.values().await;
    assert_eq!(
        (&values["theirs"], &values["own"]),
        (&json!(1), &Value::Null)
    );

    // But a session that has ended by then is one that Flask has revived, as with Flask alone.
    let end = async || drop(both.visitor_with(&visitor).here("log_out").await);
    during(&visitor, "session['late'] = 1; wait()", end).await;
    assert_eq!(visitor.values().await["late"], 1);
}

/// It brings the cookie of before the login back, and the record with it.
async fn a_late_response_of_flasks_does_not_undo_a_login(database: &Database) {
    let both = Both::of(database).await;
    let visitor = both.visitor();
    visitor.there("session['cart'] = 1").await;
    let old = visitor.cookie("session");
    let log_in = async || drop(visitor.here("log_in/7").await);
    during(&visitor, "session['late'] = 1; wait()", log_in).await;
    assert_eq!(visitor.cookie("session"), old, "it is the last to answer");
    assert_eq!(visitor.user().await, "7");
    assert_ne!(visitor.cookie("session"), old);
    assert_eq!(visitor.there("pass").await, "{'cart': 1, 'user_id': 7}");
}

async fn first_requests_at_once_come_to_one_session(database: &Database) {
    let both = Both::of(database).await;
    let visitor = both.visitor();
    visitor.there("session['user_id'] = 7").await;
    let [a, b, c] = ["a", "b", "c"];
    let value = json!(1);
    tokio::join!(
        visitor.set(a, &value),
        visitor.set(b, &value),
        visitor.set(c, &value)
    );
    let seen = "{'a': 1, 'b': 1, 'c': 1, 'user_id': 7}";
    assert_eq!(visitor.there("pass").await, seen);
    assert_eq!(visitor.values().await, json!({ "a": 1, "b": 1, "c": 1 }));
    assert_eq!(both.sessions.list("7").await.expect("a list").len(), 1);
}

/// With `SESSION_REFRESH_EACH_REQUEST` off, Flask writes only what it has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_flasks_that_only_reads_need_not_write() {
    let database = Database::new(Engine::Redis);
    for (setting, kept) in [("1", Value::Null), ("0", json!(1))] {
        let setting = format!("SESSION_REFRESH_EACH_REQUEST={setting}");
        let both = Both::with(&database, &[&setting], |builder| builder).await;
        let visitor = both.visitor();
        visitor.there("session['user_id'] = 7").await;
        let change = async || visitor.set("own", &json!(1)).await;
        during(&visitor, "wait()", change).await;
        assert_eq!(visitor.values().await["own"], kept, "{setting}");
    }
}

/// All that PostgreSQL is asked of one table goes by one connection, where a statement that waits holds up the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_locked_hold_up_no_other_on_postgres() {
    let database = Database::new(Engine::Postgres);
    let both = Both::of(&database).await;
    let mut handles = Vec::<Handle>::new();
    for user in 1..=2 {
        let begin = format!("session['user_id'] = {user}");
        both.visitor().there(&begin).await;
        let listed = both.store.list(&user.to_string()).await.expect("a list");
        handles.push(listed[0].0);
    }
    let [swapped, removed] = handles[..] else {
        panic!("{handles:?}");
    };
    let locks = beside::client(&sql_servers::postgres_url()).await;
    let lock = format!("BEGIN; SELECT 1 FROM {} FOR UPDATE", database.name);
    locks.batch_execute(&lock).await.expect("a lock");
    let later = both.clock.now() + Duration::from_secs(3600);
    let [swaps, removes] = [(); 2].map(|()| both.store.clone());
    let swap = tokio::spawn(async move { swaps.touch(swapped, later).await });
    let remove = tokio::spawn(async move { removes.delete(removed).await });
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    while start.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        both.store.load(swapped).await.expect("a load");
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(!swap.is_finished() && !remove.is_finished());
    locks.batch_execute("COMMIT").await.expect("a commit");
    assert!(swap.await.expect("no panic").expect("a touch"));
    assert!(remove.await.expect("no panic").expect("a delete"));
}
