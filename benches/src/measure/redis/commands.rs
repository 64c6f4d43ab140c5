//! The store's commands beside the same ones by `redis-benchmark -P 16`.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::task::JoinSet;
use wiz_session::{RedisStore, SessionStore};

use super::{handle, record, runtime, server, store};
use crate::{
    measure::databases::{processors, servers::Server},
    stats::median,
    table::Table,
};

const SESSIONS: usize = 1_000;
const CALLERS: usize = 800;
const CALLS: usize = 60_000;
const ROUNDS: usize = 9;
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy)]
enum Call {
    Load,
    Create,
    Touch,
}

const CALLS_MADE: [(&str, Call, f64); 3] = [
    ("load", Call::Load, 0.5),
    ("create", Call::Create, 0.8),
    ("touch", Call::Touch, 0.8),
];

macro_rules! lua {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("../../../../src/store/redis/lua/", $file))),+)
    };
}

pub fn measure() {
    let server = server();
    let runtime = runtime();
    let store = runtime.block_on(store(&server));
    for n in 0..SESSIONS {
        let record = record(200, HOUR);
        let created = runtime.block_on(store.create(handle(n), &record));
        created.expect("it is created");
    }
    let mut table = Table::new([
        "call",
        "store, a second",
        "redis-benchmark",
        "ratio",
        "target",
        "application, µs",
        "server, µs",
        "server beside redis-benchmark, µs",
    ]);
    let next = Arc::new(AtomicUsize::new(1_000_000));
    for (name, call, target) in CALLS_MADE {
        let mut samples = [const { Vec::new() }; 6];
        for round in 0..ROUNDS {
            eprintln!("redis: {name}, round {} of {ROUNDS}", round + 1);
            let (rate, application, busy) =
                timed(&server, || runtime.block_on(calls(&store, call, &next)));
            let (theirs, _, theirs_busy) = timed(&server, || benchmark(&server, call, round));
            let theirs = theirs.max(1.0);
            let figures = [rate, theirs, rate / theirs, application, busy, theirs_busy];
            for (samples, figure) in samples.iter_mut().zip(figures) {
                samples.push(figure);
            }
        }
        let [rate, theirs, ratio, application, busy, theirs_busy] =
            samples.each_mut().map(|samples| median(samples));
        table.row([
            name.to_owned(),
            format!("{rate:.0}"),
            format!("{theirs:.0}"),
            format!("{ratio:.2}"),
            format!("≥ {target}"),
            format!("{application:.1}"),
            format!("{busy:.1}"),
            format!("{theirs_busy:.1}"),
        ]);
    }
    table.print("The Redis store's calls beside `redis-benchmark -P 16`");
    println!(
        "\n{CALLERS} callers on two threads; `redis-benchmark -c 50 -P 16` has as many commands in flight. Sessions of \
         200 bytes, the same scripts. Medians of {ROUNDS} rounds in turn; µs: processor time of a call."
    );
}

/// Calls a second, and the processor time of a call here and at the server, in microseconds.
fn timed(server: &Server, calls: impl FnOnce()) -> (f64, f64, f64) {
    let own = processors::own;
    let (start, before, busy) = (Instant::now(), own(), server.processor_seconds());
    calls();
    let seconds = start.elapsed().as_secs_f64();
    let micros = |seconds: f64| seconds * 1e6 / CALLS as f64;
    (
        CALLS as f64 / seconds,
        micros(own() - before),
        micros(server.processor_seconds() - busy),
    )
}

async fn calls(store: &RedisStore, call: Call, next: &Arc<AtomicUsize>) {
    let first = next.load(Relaxed);
    let end = first + CALLS;
    let mut tasks = JoinSet::new();
    let (data, until) = (record(200, HOUR), SystemTime::now() + HOUR);
    for _ in 0..CALLERS {
        let (store, next, data) = (store.clone(), Arc::clone(next), data.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= end {
                    break;
                }
                let old = handle(n % SESSIONS);
                match call {
                    Call::Load => drop(store.load(old).await.expect("it is read")),
                    Call::Create => {
                        let _ = store.create(handle(n), &data).await.expect("it is created");
                    }
                    Call::Touch => {
                        assert!(store.touch(old, until).await.expect("it is touched"));
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    next.store(end, Relaxed);
}

/// A key that `redis-benchmark` fills in.
const KEY: &str = "wiz:s:00000000000000000000__rand_int__";

fn benchmark(server: &Server, call: Call, round: usize) {
    let value = format!(
        "{} {:020} a {:015} {:09} {}",
        "9".repeat(15),
        1,
        0,
        0,
        "x".repeat(280)
    );
    let script = |source: &str| redis_cli(server, &["SCRIPT", "LOAD", source]);
    let (range, command) = match call {
        Call::Load => (SESSIONS, vec!["GETEX".to_owned(), KEY.to_owned()]),
        Call::Create => {
            let sha = script(lua!("index.lua", "create.lua"));
            let key = KEY.replace("wiz:s:00", &format!("wiz:s:{:02}", round + 10));
            let words = ["EVALSHA", &sha, "1", &key, &value, "3900000", "3900000"];
            (1_000_000_000, words.map(str::to_owned).into())
        }
        Call::Touch => {
            let sha = script(lua!("head.lua", "touch.lua"));
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let end = now.expect("after 1970").as_millis() + 3_600_000;
            let words = ["EVALSHA", &sha, "1", KEY, &format!("{end:015}"), "3900000"];
            (SESSIONS, words.map(str::to_owned).into())
        }
    };
    let output = Command::new("redis-benchmark")
        .args(["-p", &server.port.to_string(), "-P", "16", "-c", "50", "-q"])
        .args(["-n", &CALLS.to_string(), "-r", &range.to_string()])
        .args(command)
        .output();
    let output = output.expect("apt-get install -y redis-tools");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !said.contains("ERR"), "{said}");
}

fn redis_cli(server: &Server, words: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &server.port.to_string()])
        .args(words)
        .output();
    let output = output.expect("apt-get install -y redis-tools");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
