//! Requests that meet, through the layer: no lost update, no resurrection, no late cookie. Each store runs them all.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    routing::post,
};
use http::header::COOKIE;
use http_body_util::BodyExt;
use tokio::{sync::Barrier, task::JoinSet};
use tower::{ServiceExt, service_fn};
use wiz_session::{
    Clock, CookieOptions, DeviceBinding, Error, FlashLevel, Key, SessionStore, Sessions,
    WizSession, WizSessionLayer, WizSessionLayerBuilder, test_util::DeviceBrowser,
};

use super::client::{Answer, Client};

/// Runs every race so many times, on routers of two layers that share the store as two processes would. In every second
/// round each has a cache. Then a third as often with sessions that are bound to their device.
pub(crate) async fn run<S: SessionStore + Clone>(store: S, rounds: usize) {
    let worlds = |binds: bool| [binds, !binds].map(|caches| Races::new(&store, caches, binds));
    let (plain, bound) = (worlds(false), worlds(true));
    let plain = (0..rounds).map(|round| &plain[round % 2]);
    let bound = (0..rounds.div_ceil(3)).map(|round| &bound[round % 2]);
    for races in plain.chain(bound) {
        races.each_sets_its_own_key().await;
        races.pushes_to_one_list().await;
        races.a_slow_writer_after_clear().await;
        races.a_slow_writer_after_a_new_id().await;
        races.late_cookies().await;
        races.a_flash_added_during_a_read().await;
        races.a_flash_is_shown_once().await;
        races.parallel_regenerates().await;
        races.revoke_during_logins().await;
        races.the_old_id_after_a_login().await;
        races.ten_logins_at_once().await;
        races.logins_at_once_keep_to_the_limit().await;
        races.an_alias_leads_to_who_had_it_last().await;
        races.transactions_return_true_counts().await;
        races.a_transaction_that_only_reads_sees_the_newest().await;
        if races.binds {
            races.a_session_is_bound_while_pages_write_it().await;
        }
    }
}

struct Races {
    apps: [Router; 2],
    /// The same, with a limit of sessions for each user.
    limited: [Router; 2],
    sessions: Sessions,
    gate: Gate,
    clock: Clock,
    /// Whether sessions are bound to their device, and then those of users are.
    binds: bool,
}

/// Held by handlers that have loaded their session, until the test has done what is to come between.
#[derive(Clone)]
struct Gate(Arc<Barrier>);

const AT_ONCE: usize = 100;

/// For each user, where it is limited.
const MAX_SESSIONS: usize = 3;

const CACHE_FOR: Duration = Duration::from_secs(1);

/// For how long a session that is bound can do without its bound cookie.
const GRACE: Duration = CACHE_FOR;

fn layer(
    store: impl SessionStore,
    clock: &Clock,
    caches: bool,
    binds: bool,
) -> WizSessionLayerBuilder {
    // One commit of a hundred at once waits for ninety-nine others.
    let builder = WizSessionLayer::builder(store, Key::from(&[7; 64]))
        .cookie(CookieOptions::insecure("sid"))
        .store_timeout(Duration::from_secs(30))
        .clock(clock.clone());
    let builder = match caches {
        true => builder.cache_for(CACHE_FOR),
        false => builder,
    };
    match binds {
        true => builder
            .cookie(CookieOptions::new("sid"))
            .device_bound(DeviceBinding::offer().grace(GRACE)),
        false => builder,
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

fn app(layer: WizSessionLayer, gate: Gate) -> Router {
    Router::new()
        .route(
            "/slow_set/{key}",
            post(async |session: WizSession, Path(key): Path<String>| {
                pause().await;
                session.set(&key, true)
            }),
        )
        .route(
            "/push/{n}",
            post(async |session: WizSession, Path(n): Path<usize>| {
                pause().await;
                session
                    .update("list", move |list: &mut Vec<usize>| list.push(n))
                    .map(drop)
            }),
        )
        .route(
            "/count",
            post(async |session: WizSession| {
                let count = session
                    .transaction(|tx| tx.update("count", |n: &mut u64| *n += 1))
                    .await?;
                Ok::<_, Error>(count.to_string())
            }),
        )
        .route(
            "/gated_set",
            post(
                async |session: WizSession, State(Gate(gate)): State<Gate>| {
                    gate.wait().await;
                    gate.wait().await;
                    session.set("late", true)
                },
            ),
        )
        .route(
            "/gated_clear",
            post(
                async |session: WizSession, State(Gate(gate)): State<Gate>| {
                    gate.wait().await;
                    gate.wait().await;
                    session.clear();
                },
            ),
        )
        .route(
            "/gated_keys",
            post(
                async |session: WizSession, State(Gate(gate)): State<Gate>| {
                    gate.wait().await;
                    gate.wait().await;
                    session
                        .transaction(|tx| Ok::<_, Error>(tx.keys().join(",")))
                        .await
                },
            ),
        )
        .route(
            "/gated_take",
            post(
                async |session: WizSession, State(Gate(gate)): State<Gate>| {
                    gate.wait().await;
                    gate.wait().await;
                    session.take_flashes().map(drop)
                },
            ),
        )
        .route(
            "/set/{key}",
            post(async |session: WizSession, Path(key): Path<String>| session.set(&key, true)),
        )
        .route(
            "/keys",
            post(async |session: WizSession| session.keys().join(",")),
        )
        .route(
            "/list",
            post(async |session: WizSession| {
                session.get_value("list").unwrap_or_default().to_string()
            }),
        )
        .route("/clear", post(async |session: WizSession| session.clear()))
        .route(
            "/regenerate",
            post(async |session: WizSession| {
                pause().await;
                session.regenerate();
            }),
        )
        .route(
            "/log_in/{user}",
            post(async |session: WizSession, Path(user): Path<String>| session.log_in(user)),
        )
        .route(
            "/alias/{sid}",
            post(async |session: WizSession, Path(sid): Path<String>| {
                session.alias("sid", &sid).await
            }),
        )
        .route(
            "/is_bound",
            post(async |session: WizSession| session.is_device_bound().to_string()),
        )
        .route(
            "/user",
            post(async |session: WizSession| session.user().unwrap_or_default()),
        )
        .route(
            "/flash/{text}",
            post(async |session: WizSession, Path(text): Path<String>| {
                session.flash(FlashLevel::Info, text)
            }),
        )
        .route(
            "/flashes",
            post(async |session: WizSession| {
                let taken = session.transaction(|tx| tx.take_flashes()).await?;
                Ok::<_, Error>(
                    taken
                        .iter()
                        .map(wiz_session::Flash::message)
                        .collect::<Vec<_>>()
                        .join(","),
                )
            }),
        )
        .with_state(gate)
        .layer(layer)
}

impl Races {
    fn new<S: SessionStore + Clone>(store: &S, caches: bool, binds: bool) -> Self {
        let clock = Clock::manual();
        let gate = Gate(Arc::new(Barrier::new(2)));
        let layer = || layer(store.clone(), &clock, caches, binds);
        let build = |builder: WizSessionLayerBuilder| builder.build().expect("it is valid");
        let layers = [(); 2].map(|()| build(layer()));
        let sessions = layers[0].sessions();
        let limited = || build(layer().max_sessions_per_user(MAX_SESSIONS));
        let limited = [(); 2].map(|()| app(limited(), gate.clone()));
        let apps = layers.map(|layer| app(layer, gate.clone()));
        Self {
            apps,
            limited,
            sessions,
            gate,
            clock,
            binds,
        }
    }

    /// From now on each process knows what the other has done, be it cached or not.
    fn outdate_caches(&self) {
        self.clock.advance(CACHE_FOR);
    }

    /// A client with a session, and the first of the apps. It is a visitor's, or that of a user whose device is bound.
    async fn visitor(&self) -> (Client, &Router) {
        let app = &self.apps[0];
        let mut client = match self.binds {
            true => self.log_in(app, "alice").await,
            false => Client::default(),
        };
        let answer = client.visit(app, "/set/first").await;
        assert_eq!(
            answer.set_cookie.len(),
            usize::from(!self.binds),
            "the first write sends a cookie: {answer:?}"
        );
        (client, app)
    }

    /// A client that has just logged in, and is bound where sessions are.
    async fn log_in(&self, app: &Router, user: &str) -> Client {
        let path = format!("/log_in/{user}");
        let mut client = Client::default();
        if !self.binds {
            client.visit(app, &path).await;
            return client;
        }
        let mut browser = DeviceBrowser::new(&self.clock);
        browser.send(app, ask(&path)).await;
        assert!(browser.is_bound());
        self.clock.advance(GRACE);
        let cookies = browser.cookies().expect("both cookies");
        client.cookie = Some(cookies.to_str().expect("ASCII").to_owned());
        client
    }

    /// After all that was done to it the session of this client is bound, if sessions are.
    async fn is_still_bound(&self, client: &Client) {
        let is_bound = client.peek(&self.apps[0], "/is_bound").await.body;
        assert_eq!(is_bound, self.binds.to_string(), "its device");
    }

    /// The same client asks for all these paths at once, in turn of one process and the other.
    async fn at_once(
        &self,
        client: &Client,
        paths: impl IntoIterator<Item = String>,
    ) -> Vec<Answer> {
        let mut requests = JoinSet::new();
        for (n, path) in paths.into_iter().enumerate() {
            let (client, app) = (client.clone(), self.apps[n % 2].clone());
            requests.spawn(async move { client.peek(&app, &path).await });
        }
        let answers = requests.join_all().await;
        for answer in &answers {
            assert!(answer.status.is_success(), "{answer:?}");
        }
        self.outdate_caches();
        answers
    }

    /// Asks for a path that waits at the gate after loading; meanwhile something else is done.
    async fn during(
        &self,
        client: &Client,
        path: &'static str,
        other: impl AsyncFnOnce(),
    ) -> Answer {
        let (client, app) = (client.clone(), self.apps[1].clone());
        let slow = tokio::spawn(async move { client.peek(&app, path).await });
        self.gate.0.wait().await;
        other().await;
        self.gate.0.wait().await;
        let answer = slow.await.expect("the slow request does not panic");
        self.outdate_caches();
        answer
    }
}

impl Races {
    /// The page after a login, with all that it loads, and the registration of the device reach the session together.
    async fn a_session_is_bound_while_pages_write_it(&self) {
        const PAGES: usize = 20;
        let user = format!("bound {}", fastrand::u64(..));
        let apps = self.apps.clone();
        let app = service_fn(move |request: Request| {
            let apps = apps.clone();
            async move {
                let is_registration = request.uri().path().ends_with("/register");
                let mut client = Client::default();
                if let Some(cookie) = request.headers().get(COOKIE) {
                    client.cookie = Some(cookie.to_str().expect("ASCII").to_owned());
                }
                let mut pages = JoinSet::new();
                for n in (0..PAGES).filter(|_| is_registration) {
                    let (client, app) = (client.clone(), apps[n % 2].clone());
                    pages.spawn(async move { client.peek(&app, &format!("/slow_set/k{n}")).await });
                }
                let response = apps[0].clone().oneshot(request).await;
                for answer in pages.join_all().await {
                    assert!(answer.status.is_success(), "{answer:?}");
                }
                response
            }
        });
        let mut browser = DeviceBrowser::new(&self.clock);
        browser
            .send(&app, ask(&format!("/log_in/{user}").replace(' ', "%20")))
            .await;
        assert!(browser.is_bound());
        self.outdate_caches();
        let listed = self.sessions.list(&user).await.expect("the store answers");
        assert!(listed.len() == 1 && listed[0].is_device_bound());
        let keys = browser.send(&app, ask("/keys")).await.into_body();
        let keys = keys.collect().await.expect("a body").to_bytes();
        assert_eq!(keys.split(|byte| *byte == b',').count(), PAGES, "{keys:?}");
    }

    async fn each_sets_its_own_key(&self) {
        let (client, app) = self.visitor().await;
        self.at_once(&client, (0..AT_ONCE).map(|n| format!("/slow_set/k{n}")))
            .await;
        let keys = client.peek(app, "/keys").await.body;
        assert_eq!(
            keys.split(',').count(),
            AT_ONCE + 1,
            "every key is kept, {keys}"
        );
        self.is_still_bound(&client).await;
    }

    async fn pushes_to_one_list(&self) {
        let (client, app) = self.visitor().await;
        self.at_once(&client, (0..AT_ONCE).map(|n| format!("/push/{n}")))
            .await;
        let list = client.peek(app, "/list").await.body;
        let items: BTreeSet<usize> = serde_json::from_str(&list).expect("a list of numbers");
        assert_eq!(items.len(), AT_ONCE, "every item is kept, {list}");
        self.is_still_bound(&client).await;
    }

    async fn a_slow_writer_after_clear(&self) {
        let (client, app) = self.visitor().await;
        let late = self.during(&client, "/gated_set", async || {
            let cleared = client.peek(app, "/clear").await;
            assert!(cleared.set_cookie[0].contains("Max-Age=0"), "{cleared:?}");
        });
        let late = late.await;
        assert_eq!(
            (late.status.as_u16(), late.set_cookie.len()),
            (200, 0),
            "discarded in silence"
        );
        assert_eq!(
            client.peek(app, "/keys").await.body,
            "",
            "a session that was ended stays ended"
        );
    }

    async fn a_slow_writer_after_a_new_id(&self) {
        for change in ["/regenerate", "/log_in/alice"] {
            let (old, app) = self.visitor().await;
            let mut new = old.clone();
            let late = self
                .during(&old, "/gated_set", async || {
                    drop(new.visit(app, change).await);
                })
                .await;
            assert_eq!(
                (late.status.as_u16(), late.set_cookie.len()),
                (200, 0),
                "{change}: no cookie"
            );
            assert_ne!(new.cookie, old.cookie, "{change}: a new id");
            assert_eq!(
                old.peek(app, "/keys").await.body,
                "",
                "{change}: the old id is dead"
            );
            assert_eq!(
                new.peek(app, "/keys").await.body,
                "first",
                "{change}: the new one has the data"
            );
            self.is_still_bound(&new).await;
        }
    }

    async fn late_cookies(&self) {
        // What the browser holds is newer than what the slow request was sent with.
        let (old, app) = self.visitor().await;
        let mut new = old.clone();
        let late = self.during(&old, "/gated_clear", async || {
            new.visit(app, "/clear").await;
            new.visit(app, "/log_in/alice").await;
        });
        let late = late.await;
        assert!(
            late.set_cookie.is_empty(),
            "a late removal would delete the newer cookie: {late:?}"
        );
        assert_eq!(
            new.peek(app, "/user").await.body,
            "alice",
            "the re-login lives"
        );

        let (old, app) = self.visitor().await;
        let mut new = old.clone();
        let late = self
            .during(&old, "/gated_clear", async || {
                drop(new.visit(app, "/log_in/bob").await);
            })
            .await;
        assert!(
            late.set_cookie.is_empty(),
            "a late refresh would overwrite the newer cookie: {late:?}"
        );
        assert_eq!(
            new.peek(app, "/user").await.body,
            "bob",
            "the newer cookie is good"
        );
    }

    async fn a_flash_added_during_a_read(&self) {
        let (client, app) = self.visitor().await;
        client.peek(app, "/flash/first").await;
        self.during(&client, "/gated_take", async || {
            drop(client.peek(app, "/flash/second").await);
        })
        .await;
        assert_eq!(
            client.peek(app, "/flashes").await.body,
            "second",
            "the flash that came meanwhile survives"
        );
        self.is_still_bound(&client).await;
    }

    async fn a_flash_is_shown_once(&self) {
        let (client, app) = self.visitor().await;
        client.peek(app, "/flash/hello").await;
        let shown = self
            .at_once(&client, (0..10).map(|_| "/flashes".to_owned()))
            .await;
        assert_eq!(
            shown.iter().filter(|answer| answer.body == "hello").count(),
            1,
            "shown to one of ten"
        );
        self.is_still_bound(&client).await;
    }

    async fn parallel_regenerates(&self) {
        let (client, app) = self.visitor().await;
        let answers = self
            .at_once(&client, (0..20).map(|_| "/regenerate".to_owned()))
            .await;
        let mut live = 0;
        for line in answers.iter().flat_map(|answer| &answer.set_cookie) {
            let mut client = client.clone();
            client.keep(line);
            if client.peek(app, "/keys").await.body == "first" {
                live += 1;
                self.is_still_bound(&client).await;
            }
        }
        assert_eq!(live, 1, "one live id, with the data");
        assert_eq!(
            client.peek(app, "/keys").await.body,
            "",
            "the old id is dead"
        );
    }

    async fn revoke_during_logins(&self) {
        let user = format!("user-{}", unique());
        let mut early = Vec::new();
        for _ in 0..20 {
            early.push(self.log_in(&self.apps[0], &user).await);
        }
        let mut requests = JoinSet::new();
        for (n, client) in early.iter().enumerate() {
            let (client, app, user) = (client.clone(), self.apps[n % 2].clone(), user.clone());
            requests.spawn(async move {
                let path = if n % 2 == 0 {
                    format!("/log_in/{user}")
                } else {
                    "/set/touched".to_owned()
                };
                let mut client = client;
                client.visit(&app, &path).await;
                client
            });
        }
        self.sessions
            .revoke_user(&user)
            .await
            .expect("the store answers");
        requests.join_all().await;
        self.outdate_caches();
        for client in &early {
            assert_eq!(
                client.peek(&self.apps[0], "/user").await.body,
                "",
                "an earlier session is dead"
            );
        }
        self.sessions
            .revoke_user(&user)
            .await
            .expect("the store answers");
        assert!(
            self.sessions
                .list(&user)
                .await
                .expect("the store answers")
                .is_empty(),
            "all are dead"
        );
    }

    async fn the_old_id_after_a_login(&self) {
        let (old, app) = self.visitor().await;
        let mut new = old.clone();
        new.visit(app, "/log_in/alice").await;
        let late = old.peek(app, "/set/late").await;
        assert_eq!(
            (late.status.as_u16(), late.set_cookie.len()),
            (200, 0),
            "it would replace the login's cookie"
        );
        assert_eq!(
            new.peek(app, "/keys").await.body,
            "first",
            "nor does it write into the new session"
        );
        self.is_still_bound(&new).await;

        new.peek(app, "/clear").await;
        let after = new.peek(app, "/set/fresh").await;
        assert_eq!(after.set_cookie.len(), 1, "after a logout a new session");
        let mut fresh = new.clone();
        fresh.visit(app, "/set/fresh").await;
        assert_eq!(
            fresh.peek(app, "/keys").await.body,
            "fresh",
            "which is empty"
        );
        assert_ne!(fresh.cookie, new.cookie);
    }

    async fn ten_logins_at_once(&self) {
        let (client, app) = self.visitor().await;
        let answers = self
            .at_once(&client, (0..10).map(|n| format!("/log_in/user{n}")))
            .await;
        for (n, answer) in answers.iter().enumerate() {
            let mut client = client.clone();
            client.keep(&answer.set_cookie[0]);
            let users = client.peek(app, "/user").await.body;
            assert!(
                users.starts_with("user"),
                "login {n} of ten at once has its own cookie: {answer:?}"
            );
        }
        assert_eq!(
            client.peek(app, "/keys").await.body,
            "",
            "the old id is dead"
        );
    }

    async fn logins_at_once_keep_to_the_limit(&self) {
        let user = unique();
        let path = format!("/log_in/{user}");
        let mut early = self.log_in(&self.limited[0], &user).await;
        self.clock.advance(Duration::from_secs(1));
        let mut logins = JoinSet::new();
        for n in 0..8 {
            let (app, path) = (self.limited[n % 2].clone(), path.clone());
            logins.spawn(async move {
                let mut client = Client::default();
                client.visit(&app, &path).await;
                client
            });
        }
        // The oldest moves while it is counted.
        let moved = early.visit(&self.limited[1], "/regenerate").await;
        assert!(moved.status.is_success(), "{moved:?}");
        let clients = logins.join_all().await;
        let listed = self.sessions.list(&user).await.expect("the store answers");
        assert_eq!(listed.len(), MAX_SESSIONS, "none more, and none less");
        let mut live = 0;
        for client in &clients {
            let name = client.peek(&self.apps[0], "/user").await.body;
            live += usize::from(name == user);
        }
        assert_eq!(live, MAX_SESSIONS, "the newest are kept");
        let early = early.peek(&self.apps[0], "/user").await;
        assert_eq!(early.body, "", "the oldest is over");
    }

    async fn an_alias_leads_to_who_had_it_last(&self) {
        let (sid, app) = (unique(), &self.apps[0]);
        let mut clients = Vec::new();
        for n in 0..3 {
            let mut client = self.log_in(app, &format!("{}-{sid}", n % 2)).await;
            let answer = client.visit(app, &format!("/alias/{sid}")).await;
            assert!(answer.status.is_success(), "{answer:?}");
            client.visit(app, "/regenerate").await;
            self.is_still_bound(&client).await;
            clients.push(client);
        }
        let ended = self.sessions.revoke_alias("sid", &sid).await;
        assert_eq!(
            ended.expect("the store answers"),
            2,
            "both logins of the first user"
        );
        let mut live = 0;
        for client in &clients {
            live += usize::from(!client.peek(app, "/user").await.body.is_empty());
        }
        assert_eq!(live, 1, "the other user's");
    }

    async fn transactions_return_true_counts(&self) {
        let (client, _) = self.visitor().await;
        let answers = self
            .at_once(&client, (0..50).map(|_| "/count".to_owned()))
            .await;
        let counts: BTreeSet<u32> = answers
            .iter()
            .map(|answer| answer.body.parse().expect("a number"))
            .collect();
        assert_eq!(counts, (1..=50).collect(), "each count is given once");
        self.is_still_bound(&client).await;
    }

    async fn a_transaction_that_only_reads_sees_the_newest(&self) {
        let (client, app) = self.visitor().await;
        let read = self.during(&client, "/gated_keys", async || {
            client.peek(app, "/set/second").await;
        });
        assert_eq!(
            read.await.body,
            "first,second",
            "what was committed after it loaded"
        );
        let read = self.during(&client, "/gated_keys", async || {
            client.peek(app, "/clear").await;
        });
        assert_eq!(read.await.status.as_u16(), 409, "the session has ended");
    }
}

fn ask(path: &str) -> Request {
    Request::post(path).body(Body::empty()).expect("a request")
}

/// A name that no other round uses.
fn unique() -> String {
    Key::generate()
        .signing()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
