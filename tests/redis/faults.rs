//! Servers that die, freeze, refuse, or are full.

use std::{
    collections::BTreeMap,
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, extract::Path, routing::post};
use redis::cmd;
use tokio::task::JoinSet;
use wiz_session::{
    CookieOptions, Error, Key, RedisStore, SessionStore, WizSession, WizSessionLayer,
};

use crate::{
    client::Client,
    servers::{self, Cluster, Redis},
    support::{free_port, poll_for, wait_for},
};

const TIMEOUT: Duration = Duration::from_millis(700);
/// What a test machine with two cores may add.
const SLOWNESS: Duration = Duration::from_millis(800);

fn app(store: RedisStore) -> Router {
    let layer = WizSessionLayer::builder(store, Key::generate())
        .cookie(CookieOptions::insecure("sid"))
        .store_timeout(TIMEOUT)
        .build()
        .expect("a valid configuration");
    Router::new()
        .route(
            "/push/{n}",
            post(async |session: WizSession, Path(n): Path<usize>| {
                session
                    .update("list", move |list: &mut Vec<usize>| list.push(n))
                    .map(drop)
            }),
        )
        .route(
            "/log_in",
            post(async |session: WizSession| session.log_in("alice")),
        )
        .route("/list", post(list))
        .layer(layer)
}

async fn list(session: WizSession) -> String {
    session.get_value("list").unwrap_or_default().to_string()
}

async fn numbers(client: &Client, app: &Router) -> Vec<usize> {
    let answer = client.peek(app, "/list").await;
    assert_eq!(answer.status, 200);
    serde_json::from_str(&answer.body).expect("a list of numbers")
}

/// Clients that each push numbers into a session of their own, as fast as they are answered.
struct Load {
    clients: JoinSet<(Client, Vec<usize>)>,
    stop: Arc<AtomicBool>,
    answered: Arc<BTreeMap<u16, AtomicUsize>>,
    slowest: Arc<AtomicUsize>,
}

impl Load {
    async fn start(app: &Router) -> Self {
        let counts = [200, 503].map(|status| (status, AtomicUsize::new(0)));
        let mut load = Self {
            clients: JoinSet::new(),
            stop: Arc::default(),
            answered: Arc::new(counts.into()),
            slowest: Arc::default(),
        };
        for _ in 0..20 {
            let (app, mut client) = (app.clone(), Client::default());
            client.visit(&app, "/push/0").await;
            let stop = Arc::clone(&load.stop);
            let (answered, slowest) = (Arc::clone(&load.answered), Arc::clone(&load.slowest));
            load.clients.spawn(async move {
                let mut kept = vec![0];
                for n in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let start = Instant::now();
                    let answer = client.peek(&app, &format!("/push/{n}")).await;
                    let took = start.elapsed().as_millis() as usize;
                    slowest.fetch_max(took, Ordering::Relaxed);
                    answered[&answer.status.as_u16()].fetch_add(1, Ordering::Relaxed);
                    if answer.status == 200 {
                        kept.push(n);
                    } else {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
                (client, kept)
            });
        }
        load
    }

    fn answered(&self, status: u16) -> usize {
        self.answered[&status].load(Ordering::Relaxed)
    }

    /// Waits for some more answers of a status.
    async fn wait_for(&self, status: u16) {
        let before = self.answered(status);
        let start = Instant::now();
        while self.answered(status) < before + 100 {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "no more answers {status}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The clients, and what was answered 200 to each.
    async fn stop(&mut self) -> Vec<(Client, Vec<usize>)> {
        self.stop.store(true, Ordering::Relaxed);
        std::mem::take(&mut self.clients).join_all().await
    }

    /// Nothing that was answered 200 is missing, nothing is there twice, nothing took too long.
    async fn check(mut self, app: &Router) {
        for (client, kept) in self.stop().await {
            let mut stored = numbers(&client, app).await;
            let whole = stored.len();
            stored.dedup();
            assert_eq!(stored.len(), whole, "nothing is stored twice");
            for n in kept {
                assert!(stored.contains(&n), "{n} was answered 200 and is missing");
            }
        }
        let slowest = Duration::from_millis(self.slowest.load(Ordering::Relaxed) as u64);
        println!(
            "{} answers 200, {} answers 503, the slowest in {slowest:?}",
            self.answered(200),
            self.answered(503)
        );
        // A request loads and stores: twice the limit.
        assert!(slowest < 2 * TIMEOUT + SLOWNESS, "{slowest:?}");
    }
}

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_loses_nothing_that_was_answered() {
    let (data, port) = (servers::data(), free_port());
    let folder = data.path().to_str().expect("a name of the machine's");
    let settings = [&DURABLE[..], &["--dir", folder]].concat();
    let mut redis = Redis::start_on(port, &settings);
    let app = app(redis.store().await);
    let load = Load::start(&app).await;
    for _ in 0..3 {
        load.wait_for(200).await;
        redis.signal("KILL");
        load.wait_for(503).await;
        redis = Redis::start_on(port, &settings);
        let first = Client::default().peek(&app, "/push/0").await;
        assert_eq!(first.status, 200, "the first request after it");
    }
    load.wait_for(200).await;
    load.check(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_costs_an_idle_application_no_request() {
    let port = free_port();
    let mut redis = Redis::start_on(port, &[]);
    let app = app(redis.store().await);
    let mut client = Client::default();
    client.visit(&app, "/push/1").await;
    for _ in 0..3 {
        redis.signal("KILL");
        drop(redis);
        redis = Redis::start_on(port, &[]);
        let answer = client.visit(&app, "/push/2").await;
        assert_eq!((answer.status.as_u16(), answer.set_cookie.len()), (200, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_server_is_waited_for_as_long_as_told() {
    let redis = Redis::start(&[]);
    let app = app(redis.store().await);
    let mut client = Client::default();
    client.visit(&app, "/push/0").await;
    for n in 1..4 {
        redis.signal("STOP");
        for path in ["/list", "/push/9"] {
            let start = Instant::now();
            assert_eq!(client.peek(&app, path).await.status, 503);
            let took = start.elapsed();
            assert!((TIMEOUT..TIMEOUT + SLOWNESS).contains(&took), "{took:?}");
        }
        redis.signal("CONT");
        let answer = client.peek(&app, &format!("/push/{n}")).await;
        assert_eq!(answer.status, 200, "thawed");
    }
    assert_eq!(numbers(&client, &app).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn a_frozen_server_is_given_up_by_the_store_itself() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    redis.signal("STOP");
    for _ in 0..2 {
        let start = Instant::now();
        let error = store.list("alice").await.expect_err("it is frozen");
        assert!(error.is_store() && start.elapsed() < Duration::from_secs(3));
    }
    redis.signal("CONT");
    assert!(store.list("alice").await.is_ok(), "on a new connection");
}

/// A store's error says what is wrong, and nothing of anybody's.
#[track_caller]
fn assert_says(error: &Error, what: &str) {
    assert!(error.is_store(), "{error:?}");
    let source = error.source().expect("the server's answer").to_string();
    assert!(source.contains(what), "{source}");
    for secret in ["alice", "hunter2", "swordfish"] {
        assert!(!format!("{error:?} {error} {source}").contains(secret));
    }
}

#[tokio::test]
async fn a_wrong_password_is_said() {
    let redis = Redis::start(&["--requirepass", "swordfish"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}/", redis.port());
    let error = RedisStore::connect(&url("hunter2")).await;
    assert_says(&error.expect_err("refused"), "authentication");
    let error = RedisStore::connect(&redis.url()).await;
    assert_says(&error.expect_err("refused"), "Authentication required");

    let client = redis::Client::open(url("hunter2")).expect("a valid URL");
    let store = RedisStore::from_client(client);
    for _ in 0..2 {
        let error = store.list("alice").await;
        assert_says(&error.expect_err("refused"), "authentication");
    }
    let mut change = cmd("CONFIG");
    change.arg("SET").arg("requirepass").arg("hunter2");
    servers::ask::<String>(&url("swordfish"), &change).await;
    assert!(store.list("alice").await.is_ok(), "no restart was needed");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said() {
    let url = format!("redis://127.0.0.1:{}/", free_port());
    let error = RedisStore::connect(&url)
        .await
        .expect_err("nobody is there");
    assert_says(&error, "refused");
    let error = RedisStore::connect("http://alice:hunter2@example.org").await;
    assert_says(&error.expect_err("no such URL"), "URL");
}

#[tokio::test]
async fn a_server_with_no_room_for_connections_is_asked_again() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let client = redis::Client::open(redis.url()).expect("a valid URL");
    let mut own = client.get_connection().expect("the server is there");
    let mut run = |command: &mut redis::Cmd| command.exec(&mut own).expect("an answer");
    run(cmd("CONFIG").arg("SET").arg("maxclients").arg(1));
    run(cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
    for _ in 0..2 {
        let error = store.list("alice").await;
        assert!(error.expect_err("no room").is_store());
    }
    run(cmd("CONFIG").arg("SET").arg("maxclients").arg(100));
    assert!(store.list("alice").await.is_ok(), "no restart was needed");
}

#[tokio::test]
async fn a_replica_reads_and_says_that_it_cannot_write() {
    let primary = Redis::start(&["--repl-diskless-sync-delay", "0"]);
    let name = format!("127.0.0.1 {}", primary.port());
    let replica = Redis::start(&["--replicaof", &name]);
    let (on_primary, on_replica) = (primary.store().await, replica.store().await);
    let [app, replicated] = [on_primary, on_replica.clone()].map(app);
    let mut client = Client::default();
    client.visit(&app, "/push/1").await;
    wait_for("the replica", || {
        replica.info("keyspace").contains("keys=1").then_some(())
    });

    // The key of the cookie is another's: what is asked here is the store.
    let answer = Client::default().peek(&replicated, "/push/2").await;
    assert_eq!((answer.status.as_u16(), answer.set_cookie.len()), (503, 0));
    assert_eq!(
        on_replica.count(std::time::SystemTime::now()).await.ok(),
        Some(1)
    );
    let handle = wiz_session::Handle::from_bytes([7; 16]);
    let error = on_replica.delete(handle).await;
    assert!(
        matches!(error, Ok(false)),
        "nothing there, nothing to write"
    );
    let names: Vec<String> = replica.ask(cmd("KEYS").arg("wiz:s:*")).await;
    let handle = names[0]["wiz:s:".len()..].parse().expect("a handle");
    let error = on_replica.delete(handle).await.expect_err("read-only");
    assert_says(&error, "read only replica");

    let _: String = replica.ask(cmd("REPLICAOF").arg("NO").arg("ONE")).await;
    let answer = Client::default().peek(&replicated, "/push/2").await;
    assert_eq!(answer.status, 200, "promoted");
    assert_eq!(numbers(&client, &app).await, [1]);
}

#[tokio::test]
async fn a_full_server_refuses_and_keeps_what_it_has() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let store = redis.store().await;
    let app = app(store.clone());
    let mut client = Client::default();
    client.visit(&app, "/push/1").await;
    client.visit(&app, "/log_in").await;
    let limit = async |bytes: &str| {
        let mut limit = cmd("CONFIG");
        limit.arg("SET").arg("maxmemory").arg(bytes);
        redis.ask::<String>(&limit).await;
    };
    limit("1").await;
    assert_eq!(client.peek(&app, "/push/2").await.status, 503);
    let answer = Client::default().peek(&app, "/log_in").await;
    assert_eq!((answer.status.as_u16(), answer.set_cookie.len()), (503, 0));
    assert_eq!(numbers(&client, &app).await, [1], "it still reads");
    let sessions = store.list("alice").await.expect("it still reads");
    let (handle, record) = &sessions[0];
    let error = store.replace(*handle, record.version(), record).await;
    assert_says(&error.expect_err("full"), "OOM");
    limit("0").await;
    assert_eq!(client.peek(&app, "/push/2").await.status, 200);
    assert_eq!(numbers(&client, &app).await, [1, 2]);
}

/// One after the other, for a cluster takes some seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_comes_back() {
    let cluster = Cluster::start();
    let store = RedisStore::connect_cluster(cluster.urls()).await;
    let app = app(store.expect("the cluster is there"));
    its_connections_break(&cluster, &app).await;
    it_freezes(&cluster, &app).await;
    it_fails_over(&cluster, &app).await;
}

async fn its_connections_break(cluster: &Cluster, app: &Router) {
    let mut client = Client::default();
    for n in 0..10 {
        client.visit(app, &format!("/push/{n}")).await;
        for node in cluster.nodes() {
            let mut kill = cmd("CLIENT");
            kill.arg("KILL").arg("TYPE").arg("normal");
            let _: usize = node.ask(&kill).await;
        }
    }
    let pushed: Vec<_> = (0..10).collect();
    assert_eq!(numbers(&client, app).await, pushed, "each was asked again");
}

async fn it_freezes(cluster: &Cluster, app: &Router) {
    let mut client = Client::default();
    client.visit(app, "/push/0").await;
    let signal = |name| cluster.nodes().iter().for_each(|node| node.signal(name));
    signal("STOP");
    let start = Instant::now();
    assert_eq!(client.peek(app, "/list").await.status, 503);
    assert!(start.elapsed() < TIMEOUT + SLOWNESS);
    signal("CONT");
    let back = until_it_answers(app).await;
    println!("a frozen cluster answers {back:?} after it was thawed");
    assert_eq!(numbers(&client, app).await, [0]);
}

async fn it_fails_over(cluster: &Cluster, app: &Router) {
    let mut load = Load::start(app).await;
    load.wait_for(200).await;
    let chosen = cluster.nodes().iter().find(is_replica);
    let chosen = chosen.expect("a replica");
    cluster.settle();
    fail_over_to(chosen).await;
    load.wait_for(200).await;
    println!("a planned failover: {} answers 503", load.answered(503));

    cluster.settle();
    chosen.signal("KILL");
    let start = Instant::now();
    let others = || {
        cluster
            .nodes()
            .iter()
            .filter(|node| node.port() != chosen.port())
    };
    wait_for("the election", || {
        let primaries = others().filter(|node| !is_replica(node)).count();
        (primaries == 3).then_some(())
    });
    println!("a primary died: another after {:?}", start.elapsed());
    println!(
        "and the application was back {:?} later",
        until_it_answers(app).await
    );
    load.wait_for(200).await;
    for (client, _) in load.stop().await {
        let mut stored = numbers(&client, app).await;
        let whole = stored.len();
        stored.dedup();
        // What the dead primary had not sent to its replica may be missing.
        assert_eq!(stored.len(), whole, "nothing is stored twice");
    }
}

/// A server gives a failover up that was not done within five seconds: then it is asked again.
async fn fail_over_to(replica: &Redis) {
    for _ in 0..5 {
        let _: String = replica.ask(cmd("CLUSTER").arg("FAILOVER")).await;
        let is_over = || (!is_replica(&replica)).then_some(());
        if poll_for(Duration::from_secs(6), is_over).is_some() {
            return;
        }
    }
    panic!("waited in vain for the failover");
}

fn is_replica(node: &&Redis) -> bool {
    node.info("replication").contains("role:slave")
}

/// Sessions on all nodes.
async fn until_it_answers(app: &Router) -> Duration {
    let start = Instant::now();
    let mut answered = 0;
    while answered < 20 {
        assert!(start.elapsed() < Duration::from_secs(20), "it stays away");
        let answer = Client::default().peek(app, "/push/0").await;
        answered = if answer.status == 200 {
            answered + 1
        } else {
            0
        };
    }
    start.elapsed()
}
