//! How many commands a request costs, counted at the server.

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, extract::Path, routing::post};
use wiz_session::{Clock, CookieOptions, Key, WizSession, WizSessionLayer};

use crate::{client::Client, servers::Redis};

const IDLE: Duration = Duration::from_secs(30 * 60);

struct Counted {
    redis: Redis,
    app: Router,
    clock: Clock,
}

impl Counted {
    async fn start() -> Self {
        let (redis, clock) = (Redis::start(&[]), Clock::manual());
        let layer = WizSessionLayer::builder(redis.store().await, Key::generate())
            .cookie(CookieOptions::insecure("sid"))
            .idle_timeout(IDLE)
            .clock(clock.clone())
            .build()
            .expect("a valid configuration");
        let counted = Self {
            redis,
            app: app(layer),
            clock,
        };
        counted.send_all_scripts().await;
        counted
    }

    /// A script that the server does not know yet costs a command more.
    async fn send_all_scripts(&self) {
        let mut client = Client::default();
        for path in ["/set/a", "/set/b", "/log_in/x", "/regenerate", "/clear"] {
            client.visit(&self.app, path).await;
        }
        client.visit(&self.app, "/set/a").await;
        self.clock.advance(IDLE / 5);
        client.visit(&self.app, "/read").await;
    }

    /// The commands that the store sent for a request. Those of its scripts are others, and do not count.
    async fn cost(&self, client: &mut Client, path: &str) -> usize {
        let before = self.commands();
        let answer = client.visit(&self.app, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let after = self.commands();
        let sent = ["evalsha", "eval", "getex", "scan", "script"];
        let count = |counts: &BTreeMap<_, _>| -> usize {
            sent.iter().filter_map(|name| counts.get(*name)).sum()
        };
        count(&after) - count(&before)
    }

    fn commands(&self) -> BTreeMap<String, usize> {
        let info = self.redis.info("commandstats");
        let line = |line: &str| {
            let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let (calls, _) = figures.split_once(',')?;
            Some((name.to_owned(), calls.parse().ok()?))
        };
        info.lines().filter_map(line).collect()
    }
}

fn app(layer: WizSessionLayer) -> Router {
    Router::new()
        .route("/untouched", post(async || "hello"))
        .route(
            "/read",
            post(async |session: WizSession| session.keys().join(",")),
        )
        .route(
            "/set/{key}",
            post(async |session: WizSession, Path(key): Path<String>| session.set(&key, true)),
        )
        .route(
            "/log_in/{user}",
            post(async |session: WizSession, Path(user): Path<String>| session.log_in(user)),
        )
        .route(
            "/regenerate",
            post(async |session: WizSession| session.regenerate()),
        )
        .route("/clear", post(async |session: WizSession| session.clear()))
        .layer(layer)
}

#[tokio::test]
async fn a_request_costs_what_it_touches() {
    let counted = Counted::start().await;
    let mut client = Client::default();
    assert_eq!(counted.cost(&mut client, "/read").await, 0, "no cookie");
    assert_eq!(
        counted.cost(&mut client, "/set/a").await,
        1,
        "a new session"
    );
    for _ in 0..3 {
        assert_eq!(counted.cost(&mut client, "/untouched").await, 0);
        assert_eq!(counted.cost(&mut client, "/read").await, 1);
    }
    assert_eq!(
        counted.cost(&mut client, "/set/a").await,
        1,
        "what is there already is no change"
    );
    assert_eq!(counted.cost(&mut client, "/set/b").await, 2, "a write");
    assert_eq!(counted.cost(&mut client, "/regenerate").await, 2);
    assert_eq!(counted.cost(&mut client, "/log_in/alice").await, 2);
    assert_eq!(
        counted.cost(&mut client, "/set/c").await,
        2,
        "a write of a user's session"
    );
    let mut forged = Client {
        cookie: Some(format!("sid={}", "A".repeat(75))),
    };
    assert_eq!(counted.cost(&mut forged, "/read").await, 0, "forged");
    let mut fresh = Client::default();
    assert_eq!(
        counted.cost(&mut fresh, "/log_in/alice").await,
        1,
        "a login without a session"
    );
}

#[tokio::test]
async fn a_touch_costs_one_more_at_most_once_per_tenth_of_the_idle_time() {
    let counted = Counted::start().await;
    let mut client = Client::default();
    client.visit(&counted.app, "/set/a").await;
    let mut costs = Vec::new();
    for _ in 0..20 {
        counted.clock.advance(IDLE / 30);
        costs.push(counted.cost(&mut client, "/read").await);
    }
    let touches = costs.iter().filter(|cost| **cost == 2).count();
    assert_eq!((touches, costs.iter().sum()), (6, 20 + 6), "{costs:?}");
}

#[tokio::test]
async fn a_read_after_a_write_of_the_same_tenth_does_not_touch() {
    let counted = Counted::start().await;
    let mut client = Client::default();
    client.visit(&counted.app, "/set/a").await;
    counted.clock.advance(IDLE / 9);
    assert_eq!(counted.cost(&mut client, "/set/b").await, 2);
    counted.clock.advance(IDLE / 11);
    assert_eq!(counted.cost(&mut client, "/read").await, 1);
}
