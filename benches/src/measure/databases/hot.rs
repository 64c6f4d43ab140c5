//! A hundred requests at once on one session.

use std::{
    hint::black_box,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use axum::{Router, body::to_bytes, routing::get};
use http::{HeaderValue, StatusCode};
use tokio::{sync::Barrier, task::JoinSet};
use tower_service::Service;
use tower_sessions_14::Session as TowerSession;
use wiz_session::WizSession;

use super::{CONNECTIONS, Database, session};
use crate::{
    routes::{self, KEY},
    stage::{call, request},
    stats::median,
    table::Table,
    targets::{self, Target},
};

const CROWD: usize = 100;
const ROUNDS: usize = 9;
const MOST_REPLAYS: f64 = 1.5;

pub const AT_ONCE: &str = "/hot/at-once";
pub const ALL_LOADED: &str = "/hot/all-loaded";

/// Counts how often it is added, replays included.
pub trait Session: routes::Session {
    fn add_counted(&self) -> impl Future<Output = ()> + Send;
}

static ADDED: AtomicUsize = AtomicUsize::new(0);

impl Session for WizSession {
    async fn add_counted(&self) {
        let added = self.update(KEY, |n: &mut u64| {
            ADDED.fetch_add(1, Relaxed);
            *n += 1;
        });
        added.expect("it fits");
    }
}

impl Session for TowerSession {
    async fn add_counted(&self) {
        ADDED.fetch_add(1, Relaxed);
        routes::Session::add_one(self, KEY).await;
    }
}

pub fn routes<S: Session>() -> Router {
    Router::new()
        .route(AT_ONCE, get(at_once::<S>))
        .route(ALL_LOADED, get(all_loaded::<S>))
}

async fn at_once<S: Session>(session: S) {
    session.add_counted().await;
}

/// Adds once all of the crowd have loaded the session: all but one have a conflict.
async fn all_loaded<S: Session>(session: S) {
    static MET: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(CROWD));
    black_box(session.read(KEY).await);
    MET.wait().await;
    session.add_counted().await;
}

pub async fn measure(database: &Database) {
    let mut table = Table::new([
        "contestant",
        "requests",
        "ms",
        "503",
        "additions kept",
        "replays per commit",
    ]);
    let mut targets = Vec::new();
    // What the pool does makes no difference here.
    let mut contestants = database.contestants.iter();
    let (peer, ours) = (contestants.next(), contestants.next_back());
    for one in [peer, ours].into_iter().flatten() {
        eprintln!(
            "databases: a hot session of {} on {}",
            one.name, database.name
        );
        let app = one
            .app(&database.url(database.server.port), CONNECTIONS)
            .await;
        for (how, path) in [
            ("at once", AT_ONCE),
            ("at once, all loaded first", ALL_LOADED),
        ] {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                rounds.push(round(&app, path).await);
            }
            let worst = Worst::of(&rounds);
            table.row([
                one.name.to_owned(),
                how.to_owned(),
                format!("{:.0}", worst.milliseconds),
                worst.refused.to_string(),
                format!("{} of {CROWD}", worst.kept),
                format!("{:.2}", worst.replays),
            ]);
            if one.is_ours() {
                targets.extend(worst.targets(how));
            }
        }
    }
    table.print(&format!("A hot session on {}", database.name));
    println!(
        "\n{CROWD} requests that add one to a number, on two threads. Of {ROUNDS} rounds the median time, all 503, the \
         fewest additions kept and the most replays."
    );
    targets::print(
        &format!("Targets: a hot session on {}", database.name),
        &targets,
    );
}

struct Round {
    milliseconds: f64,
    refused: usize,
    kept: usize,
    replays: f64,
}

type Worst = Round;

impl Worst {
    fn of(rounds: &[Round]) -> Self {
        let mut times: Vec<f64> = rounds.iter().map(|round| round.milliseconds).collect();
        Self {
            milliseconds: median(&mut times),
            refused: rounds.iter().map(|round| round.refused).sum(),
            kept: rounds
                .iter()
                .map(|round| round.kept)
                .min()
                .unwrap_or_default(),
            replays: rounds.iter().map(|round| round.replays).fold(0.0, f64::max),
        }
    }

    fn targets(&self, how: &str) -> [Target; 3] {
        let target = |what: &str, target: String, measured: String, holds| Target {
            what: format!("{how}: {what}"),
            target,
            measured,
            holds,
        };
        [
            target(
                "503",
                "0".to_owned(),
                self.refused.to_string(),
                self.refused == 0,
            ),
            target(
                "additions kept",
                CROWD.to_string(),
                self.kept.to_string(),
                self.kept == CROWD,
            ),
            target(
                "replays per commit",
                format!("≤ {MOST_REPLAYS}"),
                format!("{:.2}", self.replays),
                self.replays <= MOST_REPLAYS,
            ),
        ]
    }
}

async fn round(app: &Router, path: &'static str) -> Round {
    let line = session(app).await;
    ADDED.store(0, Relaxed);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..CROWD {
        let (mut app, line) = (app.clone(), line.clone());
        tasks.spawn(async move {
            let Ok(response) = app.call(request(path, Some(line))).await;
            response.status()
        });
    }
    let statuses = tasks.join_all().await;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let count = |wanted: StatusCode| statuses.iter().filter(|status| **status == wanted).count();
    let (done, refused) = (
        count(StatusCode::OK),
        count(StatusCode::SERVICE_UNAVAILABLE),
    );
    assert_eq!(done + refused, CROWD, "{statuses:?}");
    Round {
        milliseconds,
        refused,
        kept: shown(app, line).await,
        // Each request adds once in the handler, for its own answer.
        replays: (ADDED.load(Relaxed) - CROWD) as f64 / done.max(1) as f64,
    }
}

async fn shown(app: &Router, line: HeaderValue) -> usize {
    let response = call(&mut app.clone(), request(routes::SHOW, Some(line))).await;
    let body = to_bytes(response.into_body(), 100)
        .await
        .expect("it is in memory");
    let number = str::from_utf8(&body)
        .ok()
        .and_then(|number| number.parse().ok());
    number.expect("it is a number")
}
