//! The near cache beside none, and beside tower-sessions' `CachingSessionStore` over moka.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use http::HeaderValue;
use tokio::{
    runtime::Runtime,
    task::{JoinSet, unconstrained},
};
use tower_sessions_14::{
    CachingSessionStore, Session as TowerSession, SessionManagerLayer, SessionStore as TowerStore,
    cookie::Key,
};
use tower_sessions_moka_store::MokaStore;
use tower_sessions_redis_store::{
    RedisStore as TowerRedisStore,
    fred::{
        interfaces::ClientLike,
        prelude::{Config, Pool},
    },
};
use tower_sessions_sqlx_store::{
    PostgresStore as TowerPostgresStore, sqlx::postgres::PgPoolOptions,
};
use wiz_session::{RedisStore, SessionStore, WizSession, WizSessionLayer, store::PostgresStore};

use super::databases::{
    away,
    proxy::{Protocol, Proxy},
    runtime, servers, session,
};
use crate::{
    contestants::{self, wiz_session as ours},
    routes::{self, router},
    stage::{call, request},
    stats::median,
    table::Table,
    targets::{self, Target},
};

const SESSIONS: usize = 16;
const READS: usize = 500;
const ROUNDS: usize = 31;
/// Of a server in another availability zone.
const AWAY: Duration = Duration::from_millis(1);
const CACHE_FOR: Duration = Duration::from_secs(60);
const CONCURRENT: usize = 32;
const END: &str = "/end";

pub fn measure() {
    let mut targets = Vec::new();
    let redis = servers::redis().map(|server| (Protocol::Redis, server));
    let postgres = servers::postgres().map(|server| (Protocol::Postgres, server));
    for (protocol, server) in redis.into_iter().chain(postgres) {
        let database = Database {
            protocol,
            port: server.port,
        };
        targets.extend(database.measure());
    }
    targets::print("Targets: the near cache", &targets);
    runtime().block_on(peers());
}

struct Database {
    protocol: Protocol,
    port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Noop,
    WizOnMemory,
    Wiz,
    WizCached,
    Tower,
    TowerCached,
}

const ALL: [(&str, Who); 6] = [
    ("noop", Who::Noop),
    ("wiz_session, memory store", Who::WizOnMemory),
    ("wiz_session", Who::Wiz),
    ("wiz_session, cache_for", Who::WizCached),
    ("tower_sessions_signed", Who::Tower),
    (
        "tower_sessions_signed, CachingSessionStore",
        Who::TowerCached,
    ),
];

/// What was measured of one of them.
struct Figures {
    trips: f64,
    /// Of a read, nanoseconds.
    near: f64,
    /// Reads a second, the server far away: one at a time, and many.
    far: [f64; 2],
}

impl Database {
    fn name(&self) -> &'static str {
        match self.protocol {
            Protocol::Redis => "Redis",
            Protocol::Postgres => "PostgreSQL",
        }
    }

    fn measure(&self) -> Vec<Target> {
        let runtime = runtime();
        let trips = ALL.map(|(name, who)| {
            eprintln!("cache: round trips of {name} on {}", self.name());
            runtime.block_on(self.trips(who))
        });
        let near = self.near();
        let far = runtime.block_on(away::port(self.port, AWAY));
        let far = ALL.map(|(name, who)| {
            eprintln!("cache: {name} on {}, far away", self.name());
            runtime.block_on(self.rates(who, far))
        });
        let figures: Vec<Figures> = (0..ALL.len())
            .map(|at| Figures {
                trips: trips[at],
                near: near[at],
                far: far[at],
            })
            .collect();
        self.print(&figures)
    }

    /// Round trips of a read of a session that was read before.
    async fn trips(&self, who: Who) -> f64 {
        let proxy = Proxy::start(self.protocol, self.port).await;
        let (mut app, lines) = self.filled(who, proxy.port).await;
        read_all(&mut app, &lines).await;
        // What comes after a response, such as a subscription.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = proxy.counts();
        for _ in 0..10 {
            read_all(&mut app, &lines).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        (proxy.counts() - before).trips as f64 / (10 * SESSIONS) as f64
    }

    /// Nanoseconds of a read with the server on this machine, in turn.
    fn near(&self) -> [f64; ALL.len()] {
        let runtime = crate::stage::runtime();
        let mut apps = ALL.map(|(_, who)| {
            let (mut app, lines) = runtime.block_on(self.filled(who, self.port));
            runtime.block_on(read_all(&mut app, &lines));
            (app, lines, Vec::new())
        });
        for round in 0..ROUNDS {
            eprintln!(
                "cache: reads on {}, round {} of {ROUNDS}",
                self.name(),
                round + 1
            );
            for (app, lines, times) in &mut apps {
                times.push(time(&runtime, app, lines));
            }
        }
        apps.map(|(_, _, mut times)| median(&mut times))
    }

    /// Reads a second, one at a time and many at once.
    async fn rates(&self, who: Who, port: u16) -> [f64; 2] {
        let (app, lines) = self.filled(who, port).await;
        read_all(&mut app.clone(), &lines).await;
        [
            rate(&app, &lines, 1).await,
            rate(&app, &lines, CONCURRENT).await,
        ]
    }

    async fn filled(&self, who: Who, port: u16) -> (Router, Arc<[HeaderValue]>) {
        let app = self.app(who, port).await;
        let mut lines = Vec::new();
        for _ in 0..SESSIONS {
            lines.push(session(&app).await);
        }
        (app, lines.into())
    }

    async fn app(&self, who: Who, port: u16) -> Router {
        match (who, self.protocol) {
            (Who::Noop, _) => (contestants::named(contestants::NOOP).app)().with_state(()),
            (Who::WizOnMemory, _) => wiz(ours::store(), false),
            (Who::Wiz | Who::WizCached, Protocol::Redis) => {
                let store = RedisStore::connect(&self.url(port)).await;
                wiz(store.expect("a server"), who == Who::WizCached)
            }
            (Who::Wiz | Who::WizCached, Protocol::Postgres) => {
                let store = PostgresStore::connect(&self.url(port)).await;
                let store = store.expect("a server");
                store.migrate().await.expect("a table");
                wiz(store, who == Who::WizCached)
            }
            (Who::Tower | Who::TowerCached, Protocol::Redis) => {
                tower(tower_redis(&self.url(port)).await, who == Who::TowerCached)
            }
            (Who::Tower | Who::TowerCached, Protocol::Postgres) => {
                let pool = PgPoolOptions::new().max_connections(10);
                let pool = pool.connect(&self.url(port)).await.expect("a server");
                let store = TowerPostgresStore::new(pool);
                store.migrate().await.expect("a table");
                tower(store, who == Who::TowerCached)
            }
        }
    }

    fn url(&self, port: u16) -> String {
        match self.protocol {
            Protocol::Redis => format!("redis://127.0.0.1:{port}/"),
            Protocol::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        }
    }

    fn print(&self, figures: &[Figures]) -> Vec<Target> {
        let of = |who: Who| {
            let at = ALL.iter().position(|(_, other)| *other == who);
            &figures[at.expect("it ran")]
        };
        let noop = of(Who::Noop).near;
        let mut table = Table::new([
            "contestant",
            "round trips",
            "a read over `noop`",
            "1 ms away, a second",
            "32 at once, a second",
        ]);
        for ((name, _), figures) in ALL.iter().zip(figures) {
            let [one, many] = figures.far;
            table.row([
                (*name).to_owned(),
                format!("{:.1}", figures.trips),
                format!("+{:.0} ns", figures.near - noop),
                format!("{one:.0}"),
                format!("{many:.0}"),
            ]);
        }
        table.print(&format!("A read with a cache on {}", self.name()));
        println!(
            "\n{SESSIONS} sessions of 3 small keys that were read before, in process. `noop` and the memory store have no \
             server. Nanoseconds: one after the other on one thread, medians of {ROUNDS} rounds in turn. A second: on two \
             threads, with the server {:.0} ms away there and back.",
            AWAY.as_secs_f64() * 1e3
        );
        let (cached, uncached) = (of(Who::WizCached), of(Who::Wiz));
        let overhead = (cached.near - noop) / (of(Who::WizOnMemory).near - noop);
        let target = |what: &str, target: &str, measured: String, holds| Target {
            what: format!("{what}, {}", self.name()),
            target: target.to_owned(),
            measured,
            holds,
        };
        let times = cached.far[0] / uncached.far[0];
        let times_at_once = cached.far[1] / uncached.far[1];
        vec![
            target(
                "round trips",
                "0",
                format!("{:.2}", cached.trips),
                cached.trips == 0.0,
            ),
            target(
                "overhead, of the memory store's",
                "≤ 2",
                format!("{overhead:.2}"),
                overhead <= 2.0,
            ),
            target(
                "1 ms away, of an uncached one's",
                "≥ 20",
                format!("{times:.0}"),
                times >= 20.0,
            ),
            target(
                "1 ms away, 32 at once, of an uncached one's",
                "",
                format!("{times_at_once:.0}"),
                true,
            ),
        ]
    }
}

async fn read_all(app: &mut Router, lines: &[HeaderValue]) {
    for line in lines {
        call(app, request(routes::READ, Some(line.clone()))).await;
    }
}

fn time(runtime: &Runtime, app: &mut Router, lines: &[HeaderValue]) -> f64 {
    let requests: Vec<_> = (0..READS)
        .map(|n| request(routes::READ, Some(lines[n % lines.len()].clone())))
        .collect();
    let start = Instant::now();
    runtime.block_on(unconstrained(async {
        for request in requests {
            black_box(call(app, request).await);
        }
    }));
    start.elapsed().as_nanos() as f64 / READS as f64
}

async fn rate(app: &Router, lines: &Arc<[HeaderValue]>, at_once: usize) -> f64 {
    const LASTS: Duration = Duration::from_secs(2);
    let (start, done) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for first in 0..at_once {
        let (mut app, lines, done) = (app.clone(), Arc::clone(lines), Arc::clone(&done));
        tasks.spawn(async move {
            let mut next = first;
            while start.elapsed() < LASTS {
                for _ in 0..16 {
                    next += 1;
                    let line = lines[next % lines.len()].clone();
                    call(&mut app, request(routes::READ, Some(line))).await;
                }
                done.fetch_add(16, Relaxed);
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    done.load(Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn wiz(store: impl SessionStore, caches: bool) -> Router {
    let builder = WizSessionLayer::builder(store, ours::key());
    let builder = match caches {
        true => builder.cache_for(CACHE_FOR),
        false => builder,
    };
    let ends = get(async |session: WizSession| session.clear());
    router::<WizSession>()
        .route(END, ends)
        .layer(builder.build().expect("the settings are valid"))
        .with_state(())
}

fn tower(store: impl TowerStore + Clone, caches: bool) -> Router {
    let ends = async |session: TowerSession| session.flush().await.expect("the store answers");
    let router = router::<TowerSession>().route(END, get(ends));
    let signed = Key::from(&[7; 64]);
    match caches {
        true => {
            let store = CachingSessionStore::new(MokaStore::new(Some(2_000)), store);
            router.layer(SessionManagerLayer::new(store).with_signed(signed))
        }
        false => router.layer(SessionManagerLayer::new(store).with_signed(signed)),
    }
    .with_state(())
}

async fn tower_redis(url: &str) -> TowerRedisStore<Pool> {
    let config = Config::from_url(url).expect("it is a URL");
    let pool = Pool::new(config, None, None, None, 6).expect("it has a size");
    pool.init().await.expect("the server is there");
    TowerRedisStore::new(pool)
}

/// What two processes with a cache make of what the other does.
async fn peers() {
    let Some(server) = servers::redis() else {
        return;
    };
    let database = Database {
        protocol: Protocol::Redis,
        port: server.port,
    };
    let mut table = Table::new([
        "two processes on Redis",
        "a change there is read here after",
        "a logout there is seen here after",
        "of 21 changes here and there, kept",
    ]);
    for (name, who) in ALL {
        if matches!(who, Who::WizCached | Who::TowerCached) {
            eprintln!("cache: {name}, two processes");
            let here = database.app(who, server.port).await;
            let there = database.app(who, server.port).await;
            let uncached = match who {
                Who::WizCached => Who::Wiz,
                _ => Who::Tower,
            };
            let uncached = database.app(uncached, server.port).await;
            table.row([
                name.to_owned(),
                changes(&here, &there).await,
                ends(&here, &there).await,
                kept(&here, &there, &uncached).await,
            ]);
        }
    }
    table.print("What is old, and what is lost");
    println!(
        "\nLooked at each millisecond, for {} seconds at the most.",
        PATIENCE.as_secs()
    );
}

const PATIENCE: Duration = Duration::from_secs(20);

async fn shown(app: &Router, line: &HeaderValue) -> String {
    let response = call(&mut app.clone(), request(routes::SHOW, Some(line.clone()))).await;
    let body = axum::body::to_bytes(response.into_body(), 100).await;
    String::from_utf8(body.expect("a body").to_vec()).expect("text")
}

/// A session that both have in their cache, and that shows 1.
async fn shared(here: &Router, there: &Router) -> HeaderValue {
    let line = session(there).await;
    call(&mut there.clone(), request(routes::ADD, Some(line.clone()))).await;
    for app in [here, there, here] {
        shown(app, &line).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    line
}

async fn until(here: &Router, line: &HeaderValue, expected: &str) -> String {
    let start = Instant::now();
    loop {
        if shown(here, line).await == expected {
            return format!("{:.0} ms", start.elapsed().as_secs_f64() * 1e3);
        }
        if start.elapsed() > PATIENCE {
            return "not seen".to_owned();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn changes(here: &Router, there: &Router) -> String {
    let line = shared(here, there).await;
    call(&mut there.clone(), request(routes::ADD, Some(line.clone()))).await;
    until(here, &line, "2").await
}

async fn ends(here: &Router, there: &Router) -> String {
    let line = shared(here, there).await;
    call(&mut there.clone(), request(END, Some(line.clone()))).await;
    until(here, &line, "0").await
}

/// Of the first one and 20 that each add one more, in turn.
async fn kept(here: &Router, there: &Router, uncached: &Router) -> String {
    let line = shared(here, there).await;
    for _ in 0..10 {
        for app in [here, there] {
            call(&mut app.clone(), request(routes::ADD, Some(line.clone()))).await;
        }
    }
    format!("{} of 21", shown(uncached, &line).await)
}
