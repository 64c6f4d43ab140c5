//! Requests per second of an application in process, with the database on the same machine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::Router;
use http::HeaderValue;
use tokio::task::JoinSet;

use super::{CONNECTIONS, Database, contestants::Contestant, processors, session};
use crate::{
    routes,
    stage::{call, request},
    stats::median,
    table::Table,
    targets::{self, Target},
};

const SESSIONS: usize = 1_000;
const CONCURRENT: usize = 32;
const SLICE: usize = 512;
const ROUNDS: usize = 101;
const REQUESTED: [(&str, &str); 2] = [("reads", routes::READ), ("writes", routes::WRITE)];

pub async fn measure(database: &Database) {
    let mut loads = Vec::new();
    for one in database.contestants {
        eprintln!(
            "databases: {SESSIONS} sessions of {} on {}",
            one.name, database.name
        );
        let mut load = Load::new(database, one).await;
        for (_, path) in REQUESTED {
            load.slice(database, path).await;
        }
        loads.push(load);
    }
    let mut slices = vec![[const { Vec::new() }; REQUESTED.len()]; loads.len()];
    for round in 0..ROUNDS {
        eprintln!(
            "databases: load on {}, round {} of {ROUNDS}",
            database.name,
            round + 1
        );
        for (request, (_, path)) in REQUESTED.iter().enumerate() {
            for step in 0..loads.len() {
                let index = (round + step) % loads.len();
                slices[index][request].push(loads[index].slice(database, path).await);
            }
        }
    }
    print(database, &slices);
}

/// For a profiler.
pub async fn spin(database: &Database, contestant: &str, requested: &str) {
    let mut contestants = database.contestants.iter();
    let one = contestants.find(|one| one.name == contestant);
    let mut load = Load::new(database, one.expect("such a contestant")).await;
    let path = REQUESTED.iter().find(|(name, _)| *name == requested);
    let (_, path) = path.expect("reads or writes");
    let (start, first) = (Instant::now(), load.next);
    while start.elapsed() < Duration::from_secs(10) {
        load.run(path).await;
    }
    println!("{} requests", load.next - first);
}

/// Of each kind of request, round by round.
type Slices = [Vec<Slice>; REQUESTED.len()];

fn print(database: &Database, slices: &[Slices]) {
    let (ours, peers) = slices
        .split_last()
        .expect("the library runs, and comes last");
    let head = ["contestant".to_owned()];
    let columns = REQUESTED.iter().flat_map(|(name, _)| {
        let columns = ["a second", "ours / theirs", "application, µs", "server, µs"];
        columns.map(|column| format!("{name}: {column}"))
    });
    let mut table = Table::new(head.into_iter().chain(columns));
    for (one, theirs) in database.contestants.iter().zip(slices) {
        let cells = theirs.iter().zip(ours).flat_map(|(theirs, ours)| {
            [
                format!("{:.0}", middle(theirs, |slice| slice.rate)),
                format!("{:.2}", ratio(ours, theirs)),
                format!("{:.0}", middle(theirs, |slice| slice.application)),
                format!("{:.0}", middle(theirs, |slice| slice.server)),
            ]
        });
        table.row([one.name.to_owned()].into_iter().chain(cells));
    }
    table.print(&format!("Requests per second on {}", database.name));
    println!(
        "\n{CONCURRENT} requests at a time over {SESSIONS} sessions, in process, on two threads, which share the \
         machine with the server. {} Slices of {SLICE} requests in turn; medians of {ROUNDS}, ratios within a round. \
         µs: processor time of a request.",
        database.settings
    );
    let mut targets = Vec::new();
    for (one, theirs) in database.contestants.iter().zip(peers) {
        for (request, (name, _)) in REQUESTED.iter().enumerate() {
            let measured = ratio(&ours[request], &theirs[request]);
            targets.push(Target {
                what: (*name).to_owned(),
                target: format!("≥ {}", one.name),
                measured: format!("{measured:.2} ×"),
                holds: measured >= 1.0,
            });
        }
    }
    targets::print(
        &format!("Targets: requests per second on {}", database.name),
        &targets,
    );
}

fn middle(slices: &[Slice], of: fn(&Slice) -> f64) -> f64 {
    median(&mut slices.iter().map(of).collect::<Vec<f64>>())
}

fn ratio(ours: &[Slice], theirs: &[Slice]) -> f64 {
    let ratio = |(ours, theirs): (&Slice, &Slice)| ours.rate / theirs.rate;
    median(&mut ours.iter().zip(theirs).map(ratio).collect::<Vec<f64>>())
}

#[derive(Clone)]
struct Slice {
    /// Requests per second.
    rate: f64,
    /// Microseconds of processors, a request.
    application: f64,
    server: f64,
}

struct Load {
    app: Router,
    lines: Arc<[HeaderValue]>,
    next: usize,
}

impl Load {
    async fn new(database: &Database, one: &Contestant) -> Self {
        let app = one
            .app(&database.url(database.server.port), CONNECTIONS)
            .await;
        let mut lines = Vec::new();
        for _ in 0..SESSIONS {
            lines.push(session(&app).await);
        }
        Self {
            app,
            lines: lines.into(),
            next: 0,
        }
    }

    async fn slice(&mut self, database: &Database, path: &'static str) -> Slice {
        let processors = || [processors::own(), database.server.processor_seconds()];
        let (before, start) = (processors(), Instant::now());
        self.run(path).await;
        let (seconds, after) = (start.elapsed().as_secs_f64(), processors());
        let [application, server] = [0, 1].map(|of| (after[of] - before[of]) * 1e6 / SLICE as f64);
        Slice {
            rate: SLICE as f64 / seconds,
            application,
            server,
        }
    }

    async fn run(&mut self, path: &'static str) {
        let (first, end) = (self.next, self.next + SLICE);
        self.next = end;
        let next = Arc::new(AtomicUsize::new(first));
        let mut tasks = JoinSet::new();
        for _ in 0..CONCURRENT {
            let (mut app, lines) = (self.app.clone(), Arc::clone(&self.lines));
            let next = Arc::clone(&next);
            tasks.spawn(async move {
                loop {
                    let index = next.fetch_add(1, Relaxed);
                    if index >= end {
                        break;
                    }
                    let line = lines[index % lines.len()].clone();
                    call(&mut app, request(path, Some(line))).await;
                }
            });
        }
        tasks.join_all().await;
    }
}
