//! Behind PgBouncer in transaction mode, where one statement after another may be sent over any of a few connections to
//! the server: each worker knows what it stored, and is answered that and nothing else.
//!
//! The other processes are this test program again, told by the environment to run [`child`] alone.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::time::timeout;
use wiz_session::{
    Handle, Record, SessionStore, Version,
    store::{Created, PostgresStore, Replaced, conformance},
};

use crate::{
    fresh,
    proxy::{Protocol, Proxy},
    races,
    schema::{handle, in_an_hour},
    servers::{self, Engine, Mortal},
    support::{self, Server},
    trips::reroute,
};

/// To PostgreSQL: fewer than the two processes have to PgBouncer.
const SERVER_CONNECTIONS: u32 = 5;

pub(crate) struct PgBouncer {
    _server: Server,
    pub(crate) url: String,
}

impl PgBouncer {
    pub(crate) fn start(postgres: u16) -> Self {
        let (folder, port) = (support::folder(), support::free_port());
        let settings = format!(
            "[databases]\n\
             postgres = host=127.0.0.1 port={postgres} dbname=postgres user=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             default_pool_size = {SERVER_CONNECTIONS}\n\
             max_client_conn = 200\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("a file");
        servers::own(folder.path());
        let program = support::program("pgbouncer", &["/usr/sbin"], "apt-get install -y pgbouncer");
        let mut line = servers::unprivileged();
        line.extend([program, file].map(|path| path.display().to_string()));
        let server = Server::start(folder, Path::new(&line[0]), &line[1..]);
        support::wait_for("a pooler that is ready", || {
            server.log().contains("process up").then_some(())
        });
        Self {
            _server: server,
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_conforms_behind_a_pooler() {
    let server = Mortal::start(Engine::Postgres);
    let pooler = PgBouncer::start(server.port());
    let store = PostgresStore::connect(&pooler.url).await.expect("a store");
    store.migrate().await.expect("a table");
    conformance::run(store.clone()).await;
    races::run(store, 2).await;
}

/// What every pooler can follow, also one that takes each answer for the last (PgBouncer before 1.21, Supavisor).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_sent_on_a_connection_before_the_last_statement_is_answered() {
    let server = Mortal::start(Engine::Postgres);
    let proxy = Proxy::start(Protocol::Postgres, server.port()).await;
    let store = PostgresStore::connect(&reroute(server.url(), proxy.port)).await;
    let store = store.expect("a store");
    store.load(handle()).await.expect_err("there is no table");
    store.migrate().await.expect("a table");
    let missing = store.clone().with_table("missing").expect("a name");
    let refused = (0..3_000).map(|_| missing.delete(handle()));
    for refused in join_all(refused).await {
        refused.expect_err("there is no table");
    }
    let until = Instant::now() + Duration::from_secs(2);
    join_all((0..WORKERS).map(|_| Worker::new(store.clone()).work(until))).await;
    assert!(proxy.statements() > 1_000, "it was all asked by this way");
    assert_eq!(proxy.interruptions(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_behind_a_pooler_get_their_own_answers() {
    let server = Mortal::start(Engine::Postgres);
    let pooler = PgBouncer::start(server.port());
    let table = fresh::table();
    let store = PostgresStore::connect(&pooler.url).await.expect("a store");
    let store = store.with_table(&table).expect("a name");
    store.migrate().await.expect("a table");
    let children: Vec<Child> = (0..2).map(|_| spawn(&pooler.url, &table)).collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        let told = said.lines().filter(|line| line.contains("right answers"));
        told.for_each(|line| println!("{line}"));
    }
}

fn spawn(url: &str, table: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "pooler::child", "--nocapture"])
        .env("WIZ_CHILD_URL", url)
        .env("WIZ_CHILD_TABLE", table)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs")
}

const WORKERS: usize = 50;
const LASTS: Duration = Duration::from_secs(5);

/// A test only by name: what another process does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(url) = std::env::var("WIZ_CHILD_URL") else {
        return;
    };
    let table = std::env::var("WIZ_CHILD_TABLE").expect("a table");
    let store = PostgresStore::connect(&url).await.expect("a store");
    let store = store.with_table(&table).expect("a name");
    let until = Instant::now() + LASTS;
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| tokio::spawn(Worker::new(store.clone()).work(until)))
        .collect();
    let mut answers = 0;
    for worker in workers {
        answers += worker.await.expect("no worker was told anything wrong");
    }
    println!("{answers} right answers");
    assert!(answers > 1_000, "{answers}: they were at work");
}

/// A client with a session of its own.
struct Worker {
    store: PostgresStore,
    user: String,
    /// Of its records, in bytes. A pooler reads a few thousand at a time.
    size: usize,
    answers: u64,
}

impl Worker {
    fn new(store: PostgresStore) -> Self {
        Self {
            store,
            user: handle().to_string(),
            size: *fastrand::choice(&[0, 10_000, 100_000]).expect("one of them"),
            answers: 0,
        }
    }

    async fn work(mut self, until: Instant) -> u64 {
        while Instant::now() < until {
            self.session().await;
        }
        self.answers
    }

    /// From its beginning to its end.
    async fn session(&mut self) {
        let handle = handle();
        let created = self.store.create(handle, &self.record(0)).await;
        self.is(&created.expect("a create"), &Created::Created);
        let again = self.store.create(handle, &self.record(1)).await;
        self.is(&again.expect("a create"), &Created::Exists);
        let mut n = 0;
        for _ in 0..fastrand::usize(1..10) {
            n = self.change(handle, n).await;
            self.look(handle, n).await;
        }
        let there = self.store.touch(handle, in_an_hour()).await;
        self.is(&there.expect("a touch"), &true);
        let deleted = self.store.delete(handle).await;
        self.is(&deleted.expect("a delete"), &true);
        let loaded = self.store.load(handle).await.expect("a load");
        self.is(&loaded.is_none(), &true);
        let replaced = self
            .store
            .replace(handle, version(n), &self.record(n + 1))
            .await;
        self.is(&replaced.expect("a replace"), &Replaced::Gone);
    }

    /// Replaces the record, or goes away meanwhile; answers what is stored then.
    async fn change(&mut self, handle: Handle, n: u64) -> u64 {
        let next = self.record(n + 1);
        let change = self.store.replace(handle, version(n), &next);
        if fastrand::u8(..4) > 0 {
            let replaced = change.await.expect("a replace");
            self.is(&replaced, &Replaced::Stored(version(n + 1)));
            return n + 1;
        }
        let patience = Duration::from_micros(fastrand::u64(..2_000));
        if let Ok(replaced) = timeout(patience, change).await {
            self.is(
                &replaced.expect("a replace"),
                &Replaced::Stored(version(n + 1)),
            );
        }
        // It has happened or not, and will not happen later.
        let loaded = self.store.load(handle).await.expect("a load");
        let stored = loaded.expect("the session").version().get() - 1;
        assert!([n, n + 1].contains(&stored), "{stored} after {n}");
        stored
    }

    async fn look(&mut self, handle: Handle, n: u64) {
        if fastrand::bool() {
            let patience = Duration::from_micros(fastrand::u64(..1_000));
            drop(timeout(patience, self.store.load(handle)).await);
        }
        let loaded = self.store.load(handle).await.expect("a load");
        self.is_its_own(&loaded.expect("the session"), n);
        if fastrand::u8(..8) == 0 {
            let sessions = self.store.list(&self.user).await.expect("a list");
            let handles: Vec<Handle> = sessions.iter().map(|(handle, _)| *handle).collect();
            self.is(&handles, &vec![handle]);
            self.is_its_own(&sessions[0].1, n);
        }
    }

    fn record(&self, n: u64) -> Record {
        let text = "x".repeat(self.size);
        let json = format!(
            r#"{{"v":1,"created_at":1,"deadline":253402300799999,"user":"{}","data":{{"n":{n},"text":"{text}"}}}}"#,
            self.user
        );
        Record::from_json(&json, version(n), in_an_hour()).expect("a record")
    }

    fn is_its_own(&mut self, record: &Record, n: u64) {
        self.is(&record.version(), &version(n));
        self.is(&record.to_json(), &self.record(n).to_json());
    }

    #[track_caller]
    fn is<T: PartialEq + std::fmt::Debug>(&mut self, answer: &T, right: &T) {
        assert_eq!(answer, right);
        self.answers += 1;
    }
}

fn version(n: u64) -> Version {
    Version::new(n + 1)
}
