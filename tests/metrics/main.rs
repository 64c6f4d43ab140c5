//! Every metric moves when its cause happens, and only then; and none of them tells a secret.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    routing::{get, post},
};
use http::{HeaderValue, header::COOKIE};
use metrics::{LocalRecorderGuard, Unit, set_default_local_recorder};
use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{
    Clock, DeviceBinding, Error, Key, MemoryStore, SessionStore, Sweeper, Version, WizSession,
    WizSessionLayer, forward_session_store,
    store::{Feed, FeedRequest},
    test_util::{
        DeviceBrowser, Fault, StoreMethod, TestStore, logged_in, session_cookie, with_session,
    },
};

#[path = "../support/intruder.rs"]
mod intruder;
mod recorder;

const PAGE: &str = include_str!("../../docs/observability.md");

/// What was counted on this thread since the last look.
struct Meters {
    snapshotter: Snapshotter,
    _guard: LocalRecorderGuard<'static>,
}

/// What moved, by how much. Of a histogram: how many values.
type Moved = BTreeMap<String, u64>;

impl Meters {
    fn install() -> Self {
        // Leaked, so that the guard borrows nothing of the test.
        let recorder: &'static DebuggingRecorder = Box::leak(Box::default());
        Self {
            snapshotter: recorder.snapshotter(),
            _guard: set_default_local_recorder(recorder),
        }
    }

    fn moved(&self) -> Moved {
        let snapshot = self.snapshotter.snapshot().into_vec().into_iter();
        let moved = snapshot.map(|(key, _, _, value)| {
            let labels: Vec<&str> = key.key().labels().map(|label| label.value()).collect();
            let name = key.key().name().replace("wiz_session_", "");
            let value = match value {
                DebugValue::Counter(value) => value,
                DebugValue::Gauge(value) => value.0 as u64,
                DebugValue::Histogram(values) => {
                    assert!(
                        values
                            .iter()
                            .all(|seconds| (0.0..60.0).contains(&seconds.0))
                    );
                    values.len() as u64
                }
            };
            ([&[name.as_str()], &labels[..]].concat().join(" "), value)
        });
        moved.filter(|(_, value)| *value > 0).collect()
    }

    #[track_caller]
    fn have_moved<const N: usize>(&self, expected: [(&str, u64); N]) {
        let expected = expected.map(|(name, by)| (name.to_owned(), by));
        assert_eq!(self.moved(), BTreeMap::from(expected));
    }
}

struct Site {
    store: TestStore,
    clock: Clock,
    layer: WizSessionLayer,
    meters: Meters,
}

fn site() -> Site {
    let (store, clock) = (TestStore::new(), Clock::manual());
    let meters = Meters::install();
    let layer = WizSessionLayer::builder(store.clone(), Key::generate())
        .clock(clock.clone())
        .store_timeout(Duration::from_millis(50))
        .build()
        .expect("the settings are valid");
    Site {
        store,
        clock,
        layer,
        meters,
    }
}

impl Site {
    /// A visitor's cookie. What it took is not counted.
    async fn visitor(&self) -> HeaderValue {
        let cookie = session_cookie(&self.layer, |session| session.set("a", 1)).await;
        self.meters.moved();
        cookie
    }

    /// A request whose handler does this with its session. It and its commit succeed.
    async fn visit(
        &self,
        cookie: &HeaderValue,
        handler: impl AsyncFnOnce(WizSession) -> Result<(), Error>,
    ) {
        let mut handler = Some(handler);
        let service = service_fn(|request: Request| {
            let handler = handler.take().expect("one request");
            async move {
                let session = WizSession::from_extensions(request.extensions()).await?;
                handler(session).await?;
                Ok::<_, Error>(http::Response::new(()))
            }
        });
        let mut request = Request::default();
        request.headers_mut().insert(COOKIE, cookie.clone());
        let response = self.layer.layer(service).oneshot(request).await;
        assert_eq!(response.expect("the handler succeeds").status(), 200);
    }
}

#[tokio::test]
async fn a_life_of_a_session() {
    let site = site();
    let (layer, meters) = (&site.layer, &site.meters);
    let cookie = session_cookie(layer, |session| session.set("a", 1)).await;
    meters.have_moved([
        ("created_total", 1),
        ("commits_total", 1),
        ("store_duration_seconds create ok", 1),
    ]);

    with_session(layer, &cookie, |session| session.get::<u32>("a").unwrap()).await;
    meters.have_moved([("loaded_total", 1), ("store_duration_seconds load ok", 1)]);

    with_session(layer, &cookie, |session| session.set("a", 2).unwrap()).await;
    meters.have_moved([
        ("loaded_total", 1),
        ("commits_total", 1),
        ("store_duration_seconds load ok", 1),
        ("store_duration_seconds replace ok", 1),
    ]);

    site.clock.advance(Duration::from_secs(5 * 60));
    with_session(layer, &cookie, |_| ()).await;
    meters.have_moved([
        ("loaded_total", 1),
        ("store_duration_seconds load ok", 1),
        ("store_duration_seconds touch ok", 1),
    ]);

    with_session(layer, &cookie, |session| session.clear()).await;
    meters.have_moved([
        ("loaded_total", 1),
        ("ended_total", 1),
        ("commits_total", 1),
        ("store_duration_seconds load ok", 1),
        ("store_duration_seconds delete ok", 1),
    ]);

    with_session(layer, &cookie, |_| ()).await;
    meters.have_moved([("store_duration_seconds load ok", 1)]);
}

#[tokio::test]
async fn a_new_id_is_a_commit_and_no_new_session() {
    let site = site();
    let cookie = site.visitor().await;
    with_session(&site.layer, &cookie, |session| session.log_in("alice")).await;
    site.meters.have_moved([
        ("loaded_total", 1),
        ("commits_total", 1),
        ("store_duration_seconds load ok", 1),
        ("store_duration_seconds regenerate ok", 1),
    ]);
}

#[tokio::test]
async fn a_request_that_does_not_ask_counts_nothing() {
    let site = site();
    let service = service_fn(|_: Request| async { Ok::<_, Error>(http::Response::new(())) });
    let service = site.layer.layer(service);
    service
        .oneshot(Request::default())
        .await
        .expect("it answers");
    site.meters.have_moved([]);
}

#[tokio::test]
async fn a_store_that_answers_at_once_is_timed_as_well() {
    let meters = Meters::install();
    let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
    let cookie = session_cookie(&layer, |session| session.set("a", 1)).await;
    with_session(&layer, &cookie, |session| session.set("a", 2).unwrap()).await;
    meters.have_moved([
        ("created_total", 1),
        ("loaded_total", 1),
        ("commits_total", 2),
        ("store_duration_seconds create ok", 1),
        ("store_duration_seconds load ok", 1),
        ("store_duration_seconds replace ok", 1),
    ]);
}

/// Once, with a store that answers at once too, although a commit that cannot wait then begins anew.
#[tokio::test]
async fn a_commit_that_met_another_is_a_replay() {
    let meters = Meters::install();
    let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
    let at_once = Site {
        store: TestStore::new(),
        clock: Clock::system(),
        layer,
        meters,
    };
    replays_once(&at_once).await;
    drop(at_once);
    replays_once(&site()).await;
}

async fn replays_once(site: &Site) {
    let cookie = site.visitor().await;
    let update = async |session: WizSession| {
        with_session(&site.layer, &cookie, |session| session.set("b", 2)).await?;
        session.update("a", |a: &mut u32| *a += 1).map(drop)
    };
    site.visit(&cookie, update).await;
    let moved = site.meters.moved();
    assert_eq!(moved["replays_total"], 1, "{moved:?}");
    assert_eq!(moved["commits_total"], 2, "{moved:?}");
    assert_eq!(moved.get("discarded_writes_total"), None);
}

#[tokio::test]
async fn a_transaction_that_met_another_is_a_replay() {
    let site = site();
    let cookie = site.visitor().await;
    let transaction = async |session: WizSession| {
        with_session(&site.layer, &cookie, |session| session.set("b", 2)).await?;
        session.transaction(|tx| tx.set("a", 3)).await
    };
    site.visit(&cookie, transaction).await;
    let moved = site.meters.moved();
    assert_eq!(moved["replays_total"], 1, "{moved:?}");
    assert_eq!(moved["commits_total"], 2, "{moved:?}");
}

#[tokio::test]
async fn changes_of_a_session_that_ended_are_discarded_writes() {
    let site = site();
    let cookie = site.visitor().await;
    let late = async |session: WizSession| {
        with_session(&site.layer, &cookie, |session| session.clear()).await;
        session.set("a", 2)
    };
    site.visit(&cookie, late).await;
    let moved = site.meters.moved();
    assert_eq!(moved["discarded_writes_total"], 1, "{moved:?}");
    assert_eq!(moved["ended_total"], 1, "{moved:?}");
    assert_eq!(moved["commits_total"], 1, "{moved:?}");
    assert_eq!(moved.get("replays_total"), None);
}

#[tokio::test]
async fn a_request_with_bad_macs_counts_once() {
    let site = site();
    let forged = HeaderValue::from_static("__Host-sid=forged; __Host-sid=again");
    with_session(&site.layer, &forged, |_| ()).await;
    site.meters.have_moved([("bad_macs_total", 1)]);
}

#[tokio::test]
async fn sessions_seen_from_outside() {
    let site = site();
    let (sessions, meters) = (site.layer.sessions(), &site.meters);
    for _ in 0..3 {
        logged_in(&site.layer, "alice").await;
    }
    meters.moved();
    assert_eq!(sessions.count().await.unwrap(), 3);
    meters.have_moved([("live", 3), ("store_duration_seconds count ok", 1)]);
    let listed = sessions.list("alice").await.unwrap();
    meters.have_moved([("store_duration_seconds list ok", 1)]);
    sessions.revoke(listed[0].handle()).await.unwrap();
    meters.have_moved([("ended_total", 1), ("store_duration_seconds delete ok", 1)]);
    sessions.revoke_user("alice").await.unwrap();
    meters.have_moved([
        ("ended_total", 2),
        ("store_duration_seconds delete_user ok", 1),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_does_not_answer_is_an_error() {
    let site = site();
    let cookie = site.visitor().await;
    site.store.fail(StoreMethod::Count);
    site.layer.sessions().count().await.unwrap_err();
    site.meters
        .have_moved([("store_duration_seconds count error", 1)]);
    site.store.fault(StoreMethod::List, Fault::Hang);
    site.layer.sessions().list("alice").await.unwrap_err();
    site.meters
        .have_moved([("store_duration_seconds list error", 1)]);
    site.store.fail(StoreMethod::Touch);
    site.clock.advance(Duration::from_secs(5 * 60));
    with_session(&site.layer, &cookie, |_| ()).await;
    site.meters.have_moved([
        ("loaded_total", 1),
        ("store_duration_seconds load ok", 1),
        ("store_duration_seconds touch error", 1),
    ]);
}

#[tokio::test(start_paused = true)]
async fn sweeps_are_timed() {
    let meters = Meters::install();
    let store = TestStore::new();
    let minute = Duration::from_secs(60);
    let sweeper = Sweeper::builder(store.clone()).interval(minute).spawn();
    tokio::time::sleep(minute + Duration::from_secs(1)).await;
    drop(sweeper);
    let sweeps = store.calls_of(StoreMethod::DeleteExpired) as u64;
    meters.have_moved([("store_duration_seconds delete_expired ok", sweeps)]);
}

/// The table of the guide is what the recorder is told, name by name; and of labels there are no others.
#[tokio::test]
async fn the_guide_lists_every_metric_and_none_holds_a_secret() {
    let site = site();
    let cookie = everything(&site).await;
    let mut emitted = BTreeMap::new();
    for (key, unit, meaning, _) in site.meters.snapshotter.snapshot().into_vec() {
        assert!(meaning.is_some(), "{key:?} is described");
        let kind = match key.kind() {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let unit = unit.as_ref().map_or("", Unit::as_str);
        let labels: Vec<&str> = key.key().labels().map(|label| label.key()).collect();
        let printed = format!("{:?} {meaning:?}", key.key());
        let id = &cookie[cookie.len() - 32..];
        for secret in ["alice", "swordfish", "hunter2", &cookie, id] {
            assert!(!printed.contains(secret), "`{secret}` in {printed}");
        }
        for label in key.key().labels() {
            let known = PAGE.contains(&format!("`{}`", label.value()));
            assert!(known, "the page names the label's value {label:?}");
        }
        let row = [kind, unit, &labels.join(" ")].map(str::to_owned);
        emitted.insert(key.key().name().to_owned(), row);
    }
    assert_eq!(emitted, listed());
}

/// Makes every metric move.
async fn everything(site: &Site) -> String {
    let cookie = session_cookie(&site.layer, |session| {
        session.log_in("alice");
        session.set("swordfish", "hunter2")
    })
    .await;
    let met = async |session: WizSession| {
        with_session(&site.layer, &cookie, |session| session.set("swordfish", 1)).await?;
        session.set("b", "hunter2")
    };
    site.visit(&cookie, met).await;
    let late = async |session: WizSession| {
        site.layer.sessions().count().await?;
        site.layer.sessions().revoke_user("alice").await?;
        session.set("swordfish", 2)
    };
    site.visit(&cookie, late).await;
    read_from_a_cache().await;
    bind_to_a_device(&Clock::manual(), || ()).await;
    let forged = cookie.to_str().unwrap().replacen('=', "=x", 1);
    with_session(&site.layer, &forged.parse().unwrap(), |_| ()).await;
    cookie.to_str().unwrap().to_owned()
}

/// Binds a session, refreshes it, is challenged, refused, unbound, and told of a refresh that was skipped; after each of
/// them it looks.
async fn bind_to_a_device(clock: &Clock, mut look: impl FnMut()) {
    let builder = WizSessionLayer::builder(MemoryStore::new(), Key::generate());
    let builder = builder
        .clock(clock.clone())
        .device_bound(DeviceBinding::offer());
    let app = Router::new()
        .route(
            "/login",
            post(async |session: WizSession| session.log_in("alice")),
        )
        .route("/", get(async |_session: WizSession| ()))
        .layer(builder.build().unwrap());
    let ask = |request: http::request::Builder| request.body(Body::empty()).unwrap();
    let mut browser = DeviceBrowser::new(clock);
    browser.send(&app, ask(Request::post("/login"))).await;
    look();
    browser.end_bound_cookies();
    browser.send(&app, ask(Request::get("/"))).await;
    look();
    clock.advance(Duration::from_secs(21 * 60));
    browser.send(&app, ask(Request::get("/"))).await;
    look();
    let register = "/.well-known/wiz-session/device/register";
    browser.send(&app, ask(Request::post(register))).await;
    look();
    browser.end_bound_cookies();
    let mut skipped = ask(Request::get("/"));
    let reason = HeaderValue::from_static("unreachable;session_identifier=\"a\"");
    skipped
        .headers_mut()
        .insert("secure-session-skipped", reason);
    browser.send_alone(&app, skipped).await;
    look();
}

#[tokio::test]
async fn what_a_device_does_is_counted() {
    let meters = Meters::install();
    let mut steps = Vec::new();
    bind_to_a_device(&Clock::manual(), || steps.push(meters.moved())).await;
    let of_devices = steps.into_iter().map(|moved| {
        let mut moved: Vec<String> = moved
            .into_iter()
            .filter_map(|(name, by)| Some(format!("{} {by}", name.strip_prefix("device_")?)))
            .collect();
        moved.sort();
        moved
    });
    let expected: [&[&str]; 5] = [
        &["offers_total 1", "registrations_total 1"],
        &["refreshes_total 1"],
        &["challenges_total 1", "refreshes_total 1"],
        &["refusals_total malformed 1"],
        &["skips_total unreachable 1", "unbound_requests_total 1"],
    ];
    assert_eq!(of_devices.collect::<Vec<_>>(), expected);
}

/// Reports of every session that somebody else has changed it.
struct Changing(TestStore);

impl SessionStore for Changing {
    forward_session_store!(self => self.0, except [push]);

    async fn push(&self, mut feed: Feed) {
        loop {
            if let FeedRequest::Watch(handle) = feed.request().await {
                feed.changed(handle, Version::new(1000));
            }
        }
    }
}

async fn read_from_a_cache() {
    let builder = WizSessionLayer::builder(Changing(TestStore::new()), Key::generate());
    let layer = builder.cache_for(Duration::from_secs(10)).build().unwrap();
    let cookie = session_cookie(&layer, |session| session.set("a", 1)).await;
    with_session(&layer, &cookie, |_| ()).await;
    // The task that listens comes to it.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    with_session(&layer, &cookie, |_| ()).await;
}

/// The rows of the page's table of metrics: name, then kind, unit and labels.
fn listed() -> BTreeMap<String, [String; 3]> {
    let rows = PAGE
        .lines()
        .filter(|line| line.starts_with("| `wiz_session_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let plain = |cell: &str| cell.replace(['`', ','], "");
        (
            plain(cells[0]),
            [plain(cells[1]), plain(cells[2]), plain(cells[3])],
        )
    })
    .collect()
}
