//! How soon the end of a session is told, and what watching costs.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, task::JoinSet};
use wiz_session::{
    Handle, RedisStore, SessionStore, Sessions, WizSession, WizSessionLayer,
    store::{MySqlStore, PostgresStore, SqliteStore},
    test_util,
};

use super::databases::{runtime, servers};
use crate::{
    contestants::wiz_session::{key, store as memory},
    counting,
    stats::{median, percentile},
    table::Table,
    targets::{self, Target},
};

const ENDS: usize = 400;
const WATCHES: usize = 10_000;
/// How often stores that do not push are looked at here; the default is ten times as long.
const INTERVAL: Duration = Duration::from_secs(1);
/// So that nothing is seen by a look.
const NEVER: Duration = Duration::from_secs(3600);

pub fn measure() {
    bytes();
    writes();
    delays();
}

/// Two processes.
struct Pair {
    name: &'static str,
    here: WizSessionLayer,
    there: WizSessionLayer,
    /// The most that is wanted at p99.
    bound: Duration,
}

fn pair(name: &'static str, stores: [impl SessionStore; 2], interval: Duration) -> Pair {
    let [here, there] = stores.map(|store| layer(store, interval));
    let bound = match interval {
        NEVER => Duration::from_millis(20),
        _ => interval + Duration::from_millis(20),
    };
    Pair {
        name,
        here,
        there,
        bound,
    }
}

fn layer(store: impl SessionStore, interval: Duration) -> WizSessionLayer {
    let builder = WizSessionLayer::builder(store, key());
    let builder = builder.watch_interval(interval);
    builder.build().expect("the settings are valid")
}

fn delays() {
    let runtime = runtime();
    let mut table = Table::new(["store", "told by", "p50, ms", "p99, ms", "longest, ms"]);
    let mut targets = Vec::new();
    let mut add = |pair: Pair| {
        eprintln!("feed: {ENDS} ends on {}", pair.name);
        let mut told = runtime.block_on(told_after(&pair));
        let [p50, p99, p100] = [50, 99, 100].map(|percent| percentile(&mut told, percent));
        let by = match pair.bound > INTERVAL {
            true => "a look, each second",
            false => "a push",
        };
        let cells = [p50, p99, p100].map(|millis| format!("{millis:.2}"));
        table.row(
            [pair.name.to_owned(), by.to_owned()]
                .into_iter()
                .chain(cells),
        );
        let bound = pair.bound.as_secs_f64() * 1e3;
        targets.push(Target {
            what: format!("p99, {}", pair.name),
            target: format!("≤ {bound:.0} ms"),
            measured: format!("{p99:.2} ms"),
            holds: p99 <= bound,
        });
    };
    let one = memory();
    let here = layer(one, NEVER);
    add(Pair {
        name: "memory, in one process",
        there: here.clone(),
        here,
        bound: Duration::from_millis(20),
    });
    if let Some(server) = servers::redis() {
        let url = format!("redis://127.0.0.1:{}/", server.port);
        let connect = || {
            runtime
                .block_on(RedisStore::connect(&url))
                .expect("a server")
        };
        add(pair("Redis", [connect(), connect()], NEVER));
    }
    if let Some(server) = servers::postgres() {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port);
        let connect = || {
            runtime
                .block_on(PostgresStore::connect(&url))
                .expect("a server")
        };
        let stores = [connect(), connect()];
        runtime.block_on(stores[0].migrate()).expect("a table");
        add(pair("PostgreSQL", stores, NEVER));
    }
    if let Some(server) = servers::mariadb() {
        let url = format!("mysql://root@127.0.0.1:{}/wiz", server.port);
        let connect = || {
            runtime
                .block_on(MySqlStore::connect(&url))
                .expect("a server")
        };
        let stores = [connect(), connect()];
        runtime.block_on(stores[0].migrate()).expect("a table");
        add(pair("MySQL (MariaDB)", stores, INTERVAL));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/sessions.db?mode=rwc", folder.path().display());
    let connect = || {
        runtime
            .block_on(SqliteStore::connect(&url))
            .expect("a file")
    };
    let stores = [connect(), connect()];
    runtime.block_on(stores[0].migrate()).expect("a table");
    add(pair("SQLite", stores, INTERVAL));
    table.print("How soon an end is told");
    println!(
        "\nFrom the answer to a logout in one process to `ended()` in another, of {ENDS} sessions. Two layers stand for \
         the processes, each with connections of its own."
    );
    targets::print("Targets: how soon an end is told", &targets);
}

/// Milliseconds from a logout's answer to its being told, of each session.
async fn told_after(Pair { here, there, .. }: &Pair) -> Vec<f64> {
    let mut cookies = Vec::new();
    let mut watches = JoinSet::new();
    let sessions = here.sessions();
    for n in 0..ENDS {
        let cookie = test_util::logged_in(there, n).await;
        let handle = test_util::with_session(there, &cookie, WizSession::handle).await;
        cookies.push(cookie);
        let watch = sessions.watch(handle.expect("a session"));
        watches.spawn(async move {
            watch.ended().await;
            (n, Instant::now())
        });
    }
    // They are looked at, and subscribed to.
    tokio::time::sleep(2 * INTERVAL).await;
    let mut answered = Vec::new();
    for cookie in &cookies {
        // Not in step with anything.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..5_000))).await;
        test_util::with_session(there, cookie, |session| assert!(session.log_out())).await;
        answered.push(Instant::now());
    }
    let mut told = Vec::new();
    while let Some(ended) = watches.join_next().await {
        let (n, at) = ended.expect("no panic");
        told.push(at.saturating_duration_since(answered[n]).as_secs_f64() * 1e3);
    }
    told
}

fn handle() -> Handle {
    Handle::from_bytes(fastrand::u128(..).to_ne_bytes())
}

fn bytes() {
    let mut table = Table::new([
        "store",
        "watches",
        "bytes each",
        "left when all are dropped",
    ]);
    let mut targets = Vec::new();
    let server = servers::redis();
    let runtime = runtime();
    let redis = server.as_ref().map(|server| {
        let url = format!("redis://127.0.0.1:{}/", server.port);
        let store = runtime
            .block_on(RedisStore::connect(&url))
            .expect("a server");
        layer(store, NEVER)
    });
    let layers = [("memory", Some(layer(memory(), NEVER))), ("Redis", redis)];
    for (name, layer) in layers {
        let Some(layer) = layer else { continue };
        eprintln!("feed: {WATCHES} watches on {name}");
        let sessions = layer.sessions();
        // The connections are open, and the task runs.
        let first = runtime.block_on(async { sessions.watch(handle()) });
        settle(&runtime);
        let mut watches = Vec::new();
        let held = counting::count(|| {
            watches = runtime.block_on(watch_all(&sessions));
            settle(&runtime);
        });
        let dropped = counting::count(|| {
            drop(watches);
            settle(&runtime);
        });
        drop(first);
        let each = held.live as f64 / WATCHES as f64;
        table.row([
            name.to_owned(),
            WATCHES.to_string(),
            format!("{each:.0}"),
            format!("{:.0}", held.live + dropped.live),
        ]);
        targets.push(Target {
            what: format!("bytes a watch, {name}"),
            target: "≤ 300".to_owned(),
            measured: format!("{each:.0}"),
            holds: each <= 300.0,
        });
    }
    table.print("What watching takes in memory");
    println!("\nHeap bytes, the `Watch` and the subscription included.");
    targets::print("Target: what watching takes in memory", &targets);
}

async fn watch_all(sessions: &Sessions) -> Vec<wiz_session::Watch> {
    let mut watches = Vec::with_capacity(WATCHES);
    watches.extend((0..WATCHES).map(|_| sessions.watch(handle())));
    watches
}

fn settle(runtime: &Runtime) {
    runtime.block_on(async { tokio::time::sleep(Duration::from_secs(1)).await });
}

const WRITES: usize = 500;
const ROUNDS: usize = 41;

/// Who watches while a session is written.
#[derive(Clone, Copy)]
enum Watched {
    Nobody,
    ThisOne,
    ThisOneOften,
    Others,
}

const WATCHED: [(&str, Watched); 4] = [
    ("nothing", Watched::Nobody),
    ("it, once", Watched::ThisOne),
    ("it, 1,000 times", Watched::ThisOneOften),
    ("1,000 others", Watched::Others),
];

fn writes() {
    let runtime = runtime();
    let mut table = Table::new([
        "watched",
        "memory, ns",
        "/ nothing",
        "Redis, µs",
        "/ nothing",
    ]);
    let server = servers::redis();
    let redis = server.as_ref().map(|server| {
        let url = format!("redis://127.0.0.1:{}/", server.port);
        runtime
            .block_on(RedisStore::connect(&url))
            .expect("a server")
    });
    let on_memory = write_times(&runtime, memory);
    let on_redis = redis.map(|store| write_times(&runtime, || store.clone()));
    let cells = |times: &[f64; 4], at: usize, unit: f64, digits: usize| {
        [
            format!("{:.digits$}", times[at] / unit),
            format!("{:.2}", times[at] / times[0]),
        ]
    };
    for (at, (name, _)) in WATCHED.iter().enumerate() {
        let mut row = vec![(*name).to_owned()];
        row.extend(cells(&on_memory, at, 1.0, 0));
        row.extend(on_redis.iter().flat_map(|times| cells(times, at, 1e3, 1)));
        table.row(row);
    }
    table.print("A write to a session that is watched");
    println!(
        "\nBy the handler's `set` and the commit after it, one after the other; medians of {ROUNDS} rounds in turn."
    );
}

/// Nanoseconds of a write, for each way of watching.
fn write_times<S: SessionStore>(runtime: &Runtime, store: impl Fn() -> S) -> [f64; 4] {
    let mut cases = WATCHED.map(|(_, watched)| {
        let layer = layer(store(), NEVER);
        let cookie = runtime.block_on(test_util::logged_in(&layer, "alice"));
        let own = runtime.block_on(test_util::with_session(&layer, &cookie, WizSession::handle));
        let own = own.expect("a session");
        let sessions = layer.sessions();
        let watch = |handle| {
            let watch = sessions.watch(handle);
            runtime.spawn(async move { watch.ended().await });
        };
        let _inside = runtime.enter();
        match watched {
            Watched::Nobody => {}
            Watched::ThisOne => watch(own),
            Watched::ThisOneOften => (0..1_000).for_each(|_| watch(own)),
            Watched::Others => {
                // Sessions that do not exist end at once: these do.
                for n in 0..1_000 {
                    let cookie = runtime.block_on(test_util::logged_in(&layer, n));
                    let handle = test_util::with_session(&layer, &cookie, WizSession::handle);
                    watch(runtime.block_on(handle).expect("a session"));
                }
            }
        }
        (layer, cookie, Vec::new())
    });
    settle(runtime);
    let mut next = 0_u64;
    for round in 0..ROUNDS {
        eprintln!("feed: writes, round {} of {ROUNDS}", round + 1);
        for (layer, cookie, times) in &mut cases {
            let start = Instant::now();
            runtime.block_on(async {
                for _ in 0..WRITES {
                    next += 1;
                    let written =
                        test_util::with_session(layer, cookie, |session| session.set("n", next));
                    black_box(written.await).expect("it fits");
                }
            });
            times.push(start.elapsed().as_nanos() as f64 / WRITES as f64);
        }
    }
    cases.map(|(_, _, mut times): (_, _, Vec<f64>)| median(&mut times))
}
