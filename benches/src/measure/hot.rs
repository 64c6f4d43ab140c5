//! A thousand requests at once on one session.

use std::time::Instant;

use axum::Router;
use http::HeaderValue;
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    contestants::{self, OURS, PEER},
    routes::{self, CROWD},
    stage::{call, cookies_of, request},
    stats::median,
    table::Table,
    targets::verdict,
};

const ROUNDS: usize = 9;

pub fn measure() {
    let mut table = Table::new([
        "contestant",
        "single commits, ms",
        "at once, ms",
        "/ single",
        "all loaded: a session each, ms",
        "one session, ms",
        "one / each",
        "changes kept",
        "each ratio ≤ 2, all kept",
    ]);
    for name in [PEER, OURS] {
        eprintln!("hot session: {name}");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .expect("a runtime starts");
        let app = contestants::named(name).app_on(&runtime);
        let samples: Vec<[f64; 5]> = (0..ROUNDS).map(|_| round(&runtime, &app)).collect();
        let [single, come, each, hot, kept] = [0, 1, 2, 3, 4].map(|column| {
            let mut values: Vec<f64> = samples.iter().map(|sample| sample[column]).collect();
            median(&mut values)
        });
        table.row([
            name.to_owned(),
            format!("{single:.2}"),
            format!("{come:.2}"),
            format!("{:.2}", come / single),
            format!("{each:.2}"),
            format!("{hot:.2}"),
            format!("{:.2}", hot / each),
            format!("{kept:.0} of {CROWD}"),
            verdict(come <= 2.0 * single && hot <= 2.0 * each && kept == CROWD as f64),
        ]);
    }
    table.print("A hot session");
    println!(
        "\n{CROWD} requests that add one to a number. *Single*: one after the other, a session each, the sum. *At \
         once*: as tasks on two threads, all on one session. *All loaded*: the same, but none goes on before all have \
         loaded, so that all but the first have a conflict; beside it the same tasks with a session each, for what \
         the tasks and their wake-ups cost."
    );
}

/// Milliseconds, and how many of the changes that met a conflict were kept.
fn round(runtime: &Runtime, app: &Router) -> [f64; 5] {
    let sessions: Vec<HeaderValue> = (0..CROWD).map(|_| runtime.block_on(session(app))).collect();
    let single = timed(|| {
        let mut app = app.clone();
        runtime.block_on(async {
            for line in &sessions {
                call(&mut app, request(routes::ADD, Some(line.clone()))).await;
            }
        });
    });
    let hot = |path, line: &HeaderValue| {
        let lines = std::iter::repeat_n(line.clone(), CROWD);
        timed(|| runtime.block_on(together(app, path, lines)))
    };
    let come = hot(routes::ADD, &sessions[0]);
    let each = timed(|| {
        runtime.block_on(together(
            app,
            routes::ADD_TOGETHER,
            sessions.iter().cloned(),
        ));
    });
    let fresh = runtime.block_on(session(app));
    let one = hot(routes::ADD_TOGETHER, &fresh);
    [single, come, each, one, runtime.block_on(shown(app, fresh))]
}

fn timed(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64() * 1e3
}

async fn together(app: &Router, path: &'static str, lines: impl Iterator<Item = HeaderValue>) {
    let mut tasks = JoinSet::new();
    for line in lines {
        let mut app = app.clone();
        tasks.spawn(async move {
            call(&mut app, request(path, Some(line))).await;
        });
    }
    tasks.join_all().await;
}

async fn session(app: &Router) -> HeaderValue {
    let response = call(&mut app.clone(), request(routes::FILL_SMALL, None)).await;
    HeaderValue::try_from(cookies_of(&response)).expect("cookies are ASCII")
}

async fn shown(app: &Router, line: HeaderValue) -> f64 {
    let response = call(&mut app.clone(), request(routes::SHOW, Some(line))).await;
    let body = axum::body::to_bytes(response.into_body(), 100).await;
    let body = body.expect("the body is in memory");
    str::from_utf8(&body)
        .ok()
        .and_then(|number| number.parse().ok())
        .expect("it is a number")
}
