//! The PostgreSQL store by itself, beside `pgbench -M prepared`, which reads and writes the same rows one by one.

use std::{
    fs,
    process::Command,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::task::JoinSet;
use wiz_session::{
    Handle, Record, SessionStore, Version,
    store::{PostgresStore, Replaced},
};

use super::{Database, away, servers};
use crate::{
    table::Table,
    targets::{self, Target},
};

const SESSIONS: usize = 10_000;
const LASTS: Duration = Duration::from_secs(5);

/// Clients of pgbench, each with a connection, and of the store.
const CLIENTS: usize = 20;

/// Callers at once over a network, and how far away the server is.
const CALLERS: usize = 100;
const AWAY: Duration = Duration::from_millis(7);

/// What is measured: a read, or a read and a write of one session, which are two.
#[derive(Clone, Copy)]
enum Work {
    Load,
    LoadAndReplace,
}

pub async fn measure(database: &Database) {
    let Some(program) = servers::pgbench() else {
        return println!("\nNo pgbench: `apt-get install -y postgresql`");
    };
    let url = database.url(database.server.port);
    let store = PostgresStore::connect(&url)
        .await
        .expect("the server is there");
    store.migrate().await.expect("a table");
    let sessions = fill(&store).await;
    let mut table = Table::new(["PostgreSQL", "pgbench", "store", "store / pgbench"]);
    let mut targets = Vec::new();
    for (work, what) in [
        (Work::Load, "load"),
        (Work::LoadAndReplace, "load and replace"),
    ] {
        eprintln!("databases: {what}, beside pgbench");
        // In turn, the better of two of each.
        let (mut theirs, mut ours) = (0.0_f64, 0.0_f64);
        for _ in 0..2 {
            theirs = theirs.max(pgbench(&program, database.server.port, work));
            ours = ours.max(run(&store, &sessions, CLIENTS, work).await);
        }
        let ratio = ours / theirs;
        table.row([
            format!("{what}, {CLIENTS} clients"),
            format!("{theirs:.0}"),
            format!("{ours:.0}"),
            format!("{ratio:.2}"),
        ]);
        targets.push(target(format!("{what}, of pgbench's"), 1.0, ratio));
    }
    let far = away::port(database.server.port, AWAY).await;
    let store = PostgresStore::connect(&database.url(far)).await;
    let store = store.expect("the server is there");
    // Measured, as timers are late.
    let trip = 1.0 / run(&store, &sessions, 1, Work::Load).await;
    let ours = run(&store, &sessions, CALLERS, Work::Load).await;
    let most = CALLERS as f64 / trip;
    table.row([
        format!("load, {CALLERS} callers, {:.1} ms away", 1e3 * trip),
        format!("{most:.0} (callers / round trip)"),
        format!("{ours:.0}"),
        format!("{:.2}", ours / most),
    ]);
    targets.push(target(
        "load far away, of callers / round trip".to_owned(),
        0.8,
        ours / most,
    ));
    table.print("The store by itself on PostgreSQL, transactions per second");
    targets::print("Targets: the store by itself on PostgreSQL", &targets);
}

fn target(what: String, least: f64, measured: f64) -> Target {
    Target {
        what,
        target: format!("≥ {least:.1}"),
        measured: format!("{measured:.2}"),
        holds: measured >= least,
    }
}

/// Numbered, so that pgbench can name them: the digits in reverse, as handles are not alike at their beginning.
fn handle(n: usize) -> Handle {
    let digits: String = format!("{n:032x}").chars().rev().collect();
    digits.parse().expect("a handle")
}

fn record() -> Record {
    let json = r#"{"v":1,"created_at":1,"deadline":253402300799999,"data":{"cart":[1,2,3],"theme":"dark","visits":7}}"#;
    let expires_at = SystemTime::now() + Duration::from_secs(3_600);
    Record::from_json(json, Version::FIRST, expires_at).expect("a record")
}

async fn fill(store: &PostgresStore) -> Arc<[Handle]> {
    let handles: Arc<[Handle]> = (0..SESSIONS).map(handle).collect();
    let mut tasks = JoinSet::new();
    for part in 0..CALLERS {
        let (store, handles) = (store.clone(), Arc::clone(&handles));
        tasks.spawn(async move {
            for handle in handles.iter().skip(part).step_by(CALLERS) {
                store
                    .create(*handle, &record())
                    .await
                    .expect("it is stored");
            }
        });
    }
    tasks.join_all().await;
    handles
}

/// Transactions per second.
async fn run(store: &PostgresStore, handles: &Arc<[Handle]>, clients: usize, work: Work) -> f64 {
    let (start, until) = (Instant::now(), Instant::now() + LASTS);
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (store, handles) = (store.clone(), Arc::clone(handles));
        tasks.spawn(async move {
            let mut done = 0_u64;
            // Each client has sessions of its own, so that no write meets another.
            let own: Vec<Handle> = handles
                .iter()
                .skip(client)
                .step_by(clients)
                .copied()
                .collect();
            while Instant::now() < until {
                let handle = own[fastrand::usize(..own.len())];
                let loaded = store.load(handle).await.expect("an answer");
                if let Work::LoadAndReplace = work {
                    let loaded = loaded.expect("the session");
                    let replaced = store.replace(handle, loaded.version(), &loaded).await;
                    assert!(matches!(replaced, Ok(Replaced::Stored(_))), "{replaced:?}");
                }
                done += 1;
            }
            done
        });
    }
    let done: u64 = tasks.join_all().await.into_iter().sum();
    done as f64 / start.elapsed().as_secs_f64()
}

const LOAD: &str = "\
\\set n random(0, 9999)
SELECT version, expires_at, record FROM wiz_sessions WHERE handle = reverse(lpad(to_hex(:n::int), 32, '0')) \\gset
";

/// As the store has it, but prepared.
const REPLACE: &str = "\
UPDATE wiz_sessions SET version = :version + 1, user_id = NULL, expires_at = :expires_at, \
sweep_at = LEAST(sweep_at, :expires_at), tombstone = FALSE, record = :record \
WHERE handle = reverse(lpad(to_hex(:n::int), 32, '0')) AND version = :version \
AND set_config('lock_timeout', '50', true) IS NOT NULL;
";

fn pgbench(program: &std::path::Path, port: u16, work: Work) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script.sql");
    let text = match work {
        Work::Load => LOAD.to_owned(),
        Work::LoadAndReplace => LOAD.to_owned() + REPLACE,
    };
    fs::write(&script, text).expect("a file");
    let output = Command::new(program)
        .args(["-n", "-M", "prepared", "-h", "127.0.0.1", "-U", "postgres"])
        .args([
            "-p",
            &port.to_string(),
            "-c",
            &CLIENTS.to_string(),
            "-j",
            "2",
        ])
        .args(["-T", &LASTS.as_secs().to_string(), "-f"])
        .arg(&script)
        .arg("postgres")
        .output()
        .expect("pgbench runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let tps = tps.and_then(|rest| rest.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)))
}
