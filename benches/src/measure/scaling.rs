//! Two threads on one application, with few and with many live sessions; and the sweeper at work.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant, SystemTime},
};

use axum::{Router, body::Body};
use fastrand::Rng;
use http::Request;
use tokio::task::unconstrained;
use wiz_session::{SessionStore, WizSession, WizSessionLayer};

use crate::{
    contestants::{self, OURS, PEER, wiz_session as ours},
    routes,
    stage::{call, cookies_of, request, runtime},
    stats::{median, percentile},
    table::Table,
    targets::verdict,
};

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
/// Short, so that other programs seldom come between.
const SLICE: usize = 64;
const SLICES: usize = 3_500;
const ROUNDS: usize = 7;

pub fn measure() {
    sessions();
    sweeper();
}

fn sessions() {
    let mut table = Table::new([
        "contestant",
        "1 thread, 1,000",
        "1 thread, 1,000,000",
        "2 threads, 1,000",
        "2 threads, 1,000,000",
        "many / few",
        "≥ 70 %",
    ]);
    for name in [PEER, OURS] {
        eprintln!("scaling: {name}");
        let [few, many] = [FEW, MANY].map(|count| {
            let app = contestants::named(name).app_on(&runtime());
            let mut lines = Lines::default();
            lines.fill(&app, count);
            (app, lines)
        });
        let mut rates = [const { Vec::new() }; 5];
        for _ in 0..ROUNDS {
            let [alone, alone_many, two, two_many, share] = &mut rates;
            alone.push(reads_per_second(&few, 1));
            alone_many.push(reads_per_second(&many, 1));
            two.push(reads_per_second(&few, 2));
            two_many.push(reads_per_second(&many, 2));
            share.push(two_many[two_many.len() - 1] / two[two.len() - 1]);
        }
        let [alone, alone_many, two, two_many, share] = rates.map(|mut rates| median(&mut rates));
        table.row([
            name.to_owned(),
            format!("{alone:.0}"),
            format!("{alone_many:.0}"),
            format!("{two:.0}"),
            format!("{two_many:.0}"),
            format!("{:.0} %", 100.0 * share),
            verdict(share >= 0.7),
        ]);
    }
    table.print("Reads per second in process, random sessions");
}

/// `Cookie` headers of many sessions, all of one length, in one piece of memory.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    len: usize,
}

impl Lines {
    fn fill(&mut self, app: &Router, count: usize) {
        let mut app = app.clone();
        runtime().block_on(async {
            while self.count() < count {
                let response = call(&mut app, request(routes::FILL_SMALL, None)).await;
                let line = cookies_of(&response);
                self.len = line.len();
                self.bytes.extend(line.into_bytes());
            }
        });
    }

    fn count(&self) -> usize {
        self.bytes.len().checked_div(self.len).unwrap_or(0)
    }

    fn get(&self, index: usize) -> http::HeaderValue {
        let line = &self.bytes[index * self.len..][..self.len];
        http::HeaderValue::from_bytes(line).expect("cookies are ASCII")
    }
}

fn reads_per_second((app, lines): &(Router, Lines), threads: usize) -> f64 {
    let worker = || {
        let (mut app, runtime, mut rng) = (app.clone(), runtime(), Rng::new());
        let slice = |_| {
            let requests = random_reads(lines, &mut rng);
            let start = Instant::now();
            runtime.block_on(unconstrained(async {
                for request in requests {
                    call(&mut app, request).await;
                }
            }));
            SLICE as f64 / start.elapsed().as_secs_f64()
        };
        median(&mut (0..SLICES / ROUNDS).map(slice).collect::<Vec<f64>>())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("it does not panic"))
            .sum()
    })
}

fn random_reads(lines: &Lines, rng: &mut Rng) -> Vec<Request<Body>> {
    let read = |_| request(routes::READ, Some(lines.get(rng.usize(..lines.count()))));
    (0..SLICE).map(read).collect()
}

/// Times of single reads, while another thread does nothing, looks for expired sessions without an end, or also finds
/// a hundred thousand of them.
fn sweeper() {
    eprintln!("scaling: the sweeper");
    let store = ours::store();
    let layer = WizSessionLayer::new(store.clone(), ours::key());
    let app = routes::router::<WizSession>().layer(layer);
    let mut lines = Lines::default();
    lines.fill(&app, MANY);
    let mut table = Table::new([
        "1,000,000 sessions; meanwhile",
        "median, ns",
        "p99, ns",
        "p99 / median",
        "≤ 3",
        "longest, µs",
    ]);
    let sweep = || {
        let expired = store.delete_expired(SystemTime::now(), usize::MAX);
        runtime()
            .block_on(expired)
            .expect("the memory store answers");
    };
    let mut row = |what: &str, meanwhile: &(dyn Fn() + Sync)| {
        let stop = AtomicBool::new(false);
        let mut times = thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    meanwhile();
                }
            });
            let times = latencies(&app, &lines);
            stop.store(true, Relaxed);
            times
        });
        let (middle, p99) = (median(&mut times), percentile(&mut times, 99));
        let longest = times.last().expect("there were requests") / 1e3;
        table.row([
            what.to_owned(),
            format!("{middle:.0}"),
            format!("{p99:.0}"),
            format!("{:.1}", p99 / middle),
            verdict(p99 <= 3.0 * middle),
            format!("{longest:.0}"),
        ]);
    };
    row("nothing", &|| thread::sleep(Duration::from_millis(1)));
    row("the sweeper looks, without a pause", &sweep);
    expire_soon(&store, 100_000);
    thread::sleep(Duration::from_millis(1_500));
    row("the sweeper deletes 100,000, then looks", &sweep);
    table.print("One request, with the sweeper at work");
}

fn expire_soon(store: &wiz_session::MemoryStore, count: usize) {
    let layer = WizSessionLayer::builder(store.clone(), ours::key())
        .idle_timeout(Duration::from_secs(1))
        .build()
        .expect("a second is long enough");
    Lines::default().fill(&routes::router::<WizSession>().layer(layer), count);
}

fn latencies(app: &Router, lines: &Lines) -> Vec<f64> {
    let (mut app, mut rng) = (app.clone(), Rng::new());
    let mut times = Vec::with_capacity(SLICE * SLICES);
    for _ in 0..SLICES {
        let requests = random_reads(lines, &mut rng);
        runtime().block_on(unconstrained(async {
            for request in requests {
                let start = Instant::now();
                call(&mut app, request).await;
                times.push(start.elapsed().as_nanos() as f64);
            }
        }));
    }
    times
}
