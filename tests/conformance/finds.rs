//! Runs the suite on a store, and sees what it says.

use std::{
    any::Any,
    panic,
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use wiz_session::{Handle, store::conformance::Conformance};

use crate::{faults::Fault, store::Store, times::times};

/// A run takes two seconds, and what waits for a lock five: more than a busy machine makes of them is a fault here.
const LIMIT: Duration = Duration::from_secs(60);

/// The suite, with all that can be set.
pub(crate) fn suite(store: &Store) -> Conformance {
    let store = store.clone();
    let damage = move |handle: Handle| {
        let mut rows = store.rows();
        rows.0.entry(handle).and_modify(|row| row.json.truncate(20));
        std::future::ready(())
    };
    Conformance::new().damage(damage)
}

/// A store with this fault breaks this rule, whenever the suite runs.
pub(crate) fn each_time(fault: Fault, rule: &str) {
    let run = || -> Run {
        let store = Store::with(fault);
        // A lock that is left is waited for that long.
        let suite = suite(&store).answers_within(Duration::from_secs(3));
        Box::pin(suite.run(store))
    };
    each_time_in(run, rule);
}

pub(crate) type Run = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) fn each_time_in(run: impl Fn() -> Run, rule: &str) {
    silence_what_is_expected();
    for time in 1..=times() {
        let start = Instant::now();
        let said = outcome(run()).expect_err("the suite finds nothing");
        assert!(start.elapsed() < LIMIT, "it took {:?}", start.elapsed());
        let names_it = said.starts_with(&format!("the store breaks the rule \"{rule}"));
        assert!(names_it, "run {time} says: {said}");
    }
}

/// What the suite says of a store, if it is not content.
pub(crate) fn outcome(run: Run) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .build()
        .expect("a runtime");
    let ended = runtime.block_on(async { tokio::spawn(run).await });
    runtime.shutdown_background();
    ended.map_err(|error| message(&*error.into_panic()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| "it panicked without a message".to_owned())
}

/// Failures that the tests wait for are not printed.
fn silence_what_is_expected() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = Arc::new(panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if !message(info.payload()).starts_with("the store breaks") {
                print(info);
            }
        }));
    });
}
