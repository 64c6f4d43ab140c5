//! What binding a session to its device costs a request that reads it.

use std::{hint::black_box, time::Instant};

use axum::{Router, body::Body};
use http::{HeaderValue, Request, header::COOKIE};
use tokio::{runtime::Runtime, task::unconstrained};
use wiz_session::{
    Clock, DeviceBinding, SessionStore, WizSession, WizSessionLayer,
    test_util::{DeviceBrowser, StoreMethod, TestStore},
};

use crate::{
    contestants::wiz_session::{key, store},
    routes::{READ, router},
    stage::{call, request, runtime},
    stats::median,
    table::Table,
};

const REQUESTS: u32 = 2_000;
const ROUNDS: usize = 101;

pub fn measure() {
    eprintln!("bound");
    let runtime = runtime();
    let mut rows = [
        ("the feature, and no `device_bound`", None),
        (
            "bound, with a good bound cookie",
            Some(DeviceBinding::offer()),
        ),
    ]
    .map(|(name, binding)| {
        let counted = TestStore::new();
        let (mut app, line) = logged_in(&runtime, counted.clone(), binding.clone());
        counted.take_calls();
        runtime.block_on(call(&mut app, request(READ, Some(line))));
        let calls = counted.take_calls();
        assert_eq!(calls, [StoreMethod::Load], "{name}");
        let (app, line) = logged_in(&runtime, store(), binding);
        (name, app, line, Vec::new(), calls.len())
    });
    // In turn, so that what else the machine does meets both.
    for _ in 0..ROUNDS {
        for (_, app, line, samples, _) in &mut rows {
            samples.push(round(&runtime, app, line));
        }
    }
    let mut table = Table::new(["3 keys, read, logged in", "ns", "store calls"]);
    for (name, _, _, mut samples, calls) in rows {
        let ns = format!("{:.0}", median(&mut samples));
        table.row([name.to_owned(), ns, calls.to_string()]);
    }
    table.print("A session that is bound to its device");
}

/// An application, and the cookies of a user of it.
fn logged_in(
    runtime: &Runtime,
    store: impl SessionStore,
    binding: Option<DeviceBinding>,
) -> (Router, HeaderValue) {
    let is_bound = binding.is_some();
    let layer = WizSessionLayer::builder(store, key());
    let layer = match binding {
        Some(binding) => layer.device_bound(binding),
        None => layer,
    };
    let log_in = async |session: WizSession| {
        session.log_in("alice");
        session.extend(serde_json::json!({ "theme": "dark", "user": "alice", "visits": 1 }))
    };
    let app = router::<WizSession>()
        .route("/log_in", axum::routing::post(log_in))
        .layer(layer.build().expect("it makes sense"))
        .with_state(());
    let mut browser = DeviceBrowser::new(&Clock::system());
    let request = Request::post("/log_in")
        .body(Body::empty())
        .expect("a request");
    runtime.block_on(browser.send(&app, request));
    assert_eq!(browser.is_bound(), is_bound);
    (app, browser.cookies().expect("a session"))
}

/// Nanoseconds a request.
fn round(runtime: &Runtime, app: &mut Router, line: &HeaderValue) -> f64 {
    let requests: Vec<_> = (0..REQUESTS)
        .map(|_| request(READ, Some(line.clone())))
        .inspect(|request| assert!(request.headers().contains_key(COOKIE)))
        .collect();
    let start = Instant::now();
    runtime.block_on(unconstrained(async {
        for request in requests {
            black_box(call(app, request).await);
        }
    }));
    start.elapsed().as_nanos() as f64 / f64::from(REQUESTS)
}
