use std::{
    collections::BTreeMap,
    convert::Infallible,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use http::{
    HeaderValue, Request as HttpRequest, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{Clock, CookieOptions, DeviceBinding, Key, WizSession, WizSessionLayer};

use super::{
    ABSOLUTE, CACHE_FOR, IDLE, Io, Name, Op, Run,
    commit::{Knows, Moment, Sessions},
    open::{Failed, Open, Seen, outcome},
    request::{Cookie, Request},
    store::Checked,
};
use crate::{
    device::{self, Jar},
    feeds::{Delivery, Feeds},
};

const STEPS: usize = 40;

/// Without its bound cookie a bound session is nearly always empty.
const GRACE: Duration = Duration::from_secs(1);
/// So long that no schedule has to refresh it.
const BOUND_COOKIE: Duration = Duration::from_secs(24 * 3600);

pub(super) struct World {
    rng: Rng,
    clock: Clock,
    began: SystemTime,
    processes: Vec<Process>,
    feeds: Arc<Feeds>,
    /// How often the store was asked for a session.
    loads: Arc<AtomicUsize>,
    model: Sessions,
    /// Every cookie that was ever sent, in this order.
    cookies: Vec<String>,
    names: BTreeMap<String, Name>,
    /// Whether the sessions of users are bound to their device, whenever that is offered.
    binds: bool,
    /// The bound cookie that is sent beside a cookie.
    bound: BTreeMap<String, String>,
    open: Vec<Open>,
    /// Sessions of this schedule are never remembered.
    forgets: bool,
    /// It is run alone.
    tells: bool,
}

/// A process with the layer, and what it has written itself.
struct Process {
    layer: WizSessionLayer,
    caches: bool,
    wrote_at: BTreeMap<Name, Moment>,
}

impl World {
    pub(super) fn new(seed: u64, tells: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let forgets = rng.bool();
        let clock = Clock::manual();
        let feeds = Arc::new(Feeds::new(Delivery::random(&mut rng)));
        let binds = rng.u8(..3) == 0;
        let loads = Arc::default();
        let processes = match rng.bool() {
            true => {
                let store = Checked::<true>::new(rng.fork(), forgets, &feeds, &loads);
                processes(&mut rng, &store, &clock, binds)
            }
            false => {
                let store = Checked::<false>::new(rng.fork(), forgets, &feeds, &loads);
                processes(&mut rng, &store, &clock, binds)
            }
        };
        if tells {
            let caches: Vec<_> = processes.iter().map(|process| process.caches).collect();
            eprintln!("news: {:?}, caches: {caches:?}", feeds.delivery);
        }
        Self {
            rng,
            began: clock.now(),
            clock,
            processes,
            feeds,
            loads,
            model: Sessions::default(),
            cookies: Vec::new(),
            names: BTreeMap::new(),
            binds,
            bound: BTreeMap::new(),
            open: Vec::new(),
            forgets,
            tells,
        }
    }

    pub(super) async fn run(mut self) {
        for _ in 0..STEPS {
            match self.rng.u8(..100) {
                0..25 => self.open().await,
                25..58 => self.act(),
                58..70 => self.wait_for_store().await,
                70..90 => self.close().await,
                90..92 => self.wait(1..10),
                92..94 => self.wait(1..60),
                94..99 => self.wait(60..1800),
                _ => self.wait(3600..3601),
            }
            self.listen().await;
        }
        while !self.open.is_empty() {
            self.close().await;
            self.listen().await;
        }
        // Then each process knows all.
        self.advance(CACHE_FOR);
        for cookie in self.cookies.clone() {
            self.look(&cookie).await;
        }
    }

    /// Lets the processes begin to listen, and tell them some of what is delayed.
    async fn listen(&mut self) {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        if self.rng.bool() {
            self.feeds.deliver(&mut self.rng);
        }
    }

    fn wait(&mut self, seconds: Range<u64>) {
        let time = Duration::from_secs(self.rng.u64(seconds));
        self.advance(time);
    }

    fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        self.model.now += time;
    }

    async fn open(&mut self) {
        // Mostly a recent cookie, now and then an old one or none.
        let recent = self.cookies.len().saturating_sub(3);
        let cookie = match self.rng.u8(..10) {
            0 => None,
            1 | 2 => self.rng.choice(&self.cookies).cloned(),
            _ => self.rng.choice(&self.cookies[recent..]).cloned(),
        };
        let open = self.request(cookie).await;
        self.open.push(open);
    }

    async fn request(&mut self, cookie: Option<String>) -> Open {
        let (give, session) = oneshot::channel();
        let (answer, status) = oneshot::channel();
        let channels = Arc::new(Mutex::new(Some((give, status))));
        let handler = service_fn(move |request: HttpRequest<()>| {
            let (give, status) = channels.lock().take().expect("one request");
            async move {
                let session = WizSession::from_extensions(request.extensions())
                    .await
                    .expect("the store answers");
                give.send(session).expect("the test waits");
                let mut response = Response::new(String::new());
                *response.status_mut() = status.await.expect("the test answers");
                Ok::<_, Infallible>(response)
            }
        });
        let mut request = HttpRequest::new(());
        if let Some(cookie) = &cookie {
            let jar = self.jar(cookie);
            request.headers_mut().insert(COOKIE, jar.header());
        }
        let process = self.rng.usize(..self.processes.len());
        let service = self.processes[process].layer.layer(handler);
        let loads = self.loads.load(Relaxed);
        let response =
            tokio::spawn(async move { service.oneshot(request).await.expect("infallible") });
        let session = session.await.expect("the handler gives its session");
        let name = cookie.as_ref().map(|cookie| self.names[cookie]);
        let mut open = Open {
            process,
            session,
            answer,
            response,
            cookie,
            model: self.model.find(name),
            did: Vec::new(),
        };
        if self.processes[process].caches {
            let seen = open.sees(self.began);
            let mut found = self.model.find_cached(name, self.knows(process, name));
            let is_seen = |found: &Request| Seen::of(found) == seen;
            // One that was is likelier than the newest with another end.
            if !found.iter().any(is_seen) {
                for request in &mut found {
                    request.postpone_end(seen.end, self.model.last_end(name));
                }
            }
            if let Some(which) = found.iter().position(is_seen) {
                open.model = found.swap_remove(which);
            }
            if self.loads.load(Relaxed) == loads && open.model.live().is_some() {
                open.model.found_in_cache();
            }
        }
        open.check(self.began);
        open
    }

    fn jar(&self, cookie: &str) -> Jar {
        Jar {
            value: cookie.to_owned(),
            bound: self.bound.get(cookie).cloned(),
        }
    }

    fn knows(&self, process: usize, name: Option<Name>) -> Knows {
        match self.feeds.delivery {
            Delivery::AtOnce => Knows::EachChange,
            Delivery::Delayed | Delivery::Lost | Delivery::None => Knows::WhatIsOlder {
                than: self.model.now.checked_sub(CACHE_FOR),
                wrote_at: name
                    .and_then(|name| self.processes[process].wrote_at.get(&name).copied()),
            },
        }
    }

    /// What was written since then was written by this process, which knows it.
    fn note_writes(&mut self, process: usize, since: Moment) {
        let now = self.model.moment();
        for name in self.model.written_since(since) {
            self.processes[process].wrote_at.insert(name, now);
        }
    }

    fn any_open(&mut self) -> Option<Open> {
        match self.open.len() {
            0 => None,
            count => Some(self.open.swap_remove(self.rng.usize(..count))),
        }
    }

    /// One request that is under way does one thing.
    fn act(&mut self) {
        let key = ["a", "b", "n"][self.rng.usize(..3)];
        let op = match self.rng.u8(..24) {
            0..7 => Op::Set(key, self.rng.i64(0..4)),
            7..10 => Op::Delete(key),
            10..16 => Op::Add(key, self.rng.i64(-1..3)),
            16 => Op::Regenerate,
            17 | 18 => {
                let user = self.rng.choice(["alice", "bob"]).expect("one of two");
                Op::LogIn(user, self.model.now)
            }
            19 => Op::SkipTouch,
            20 | 21 if !self.forgets => Op::Remember(self.wish()),
            _ => Op::Clear,
        };
        let Some(mut open) = self.any_open() else {
            return;
        };
        open.act(op);
        open.check(self.began);
        self.open.push(open);
    }

    fn wish(&mut self) -> Option<Duration> {
        let minutes = [10, 60, 24 * 60, 7 * 24 * 60];
        let minutes = self.rng.choice(minutes).filter(|_| self.rng.u8(..4) > 0)?;
        Some(Duration::from_secs(60 * minutes))
    }

    /// One request that is under way saves, looks again or commits a transaction, and gets the answer that is true.
    async fn wait_for_store(&mut self) {
        let io = match self.rng.u8(..10) {
            0..4 => Io::Save,
            4 => Io::Reload,
            5 => Io::Transact(Run::Read),
            6 | 7 => Io::Transact(Run::Count(self.rng.i64(0..3))),
            8 => Io::Transact(
                *self
                    .rng
                    .choice(&[Run::Take, Run::Fail])
                    .expect("one of two"),
            ),
            _ => Io::IsAlive,
        };
        let Some(mut open) = self.any_open() else {
            return;
        };
        open.did.push(format!("{io:?}"));
        let before = self.model.moment();
        let Open { session, model, .. } = &mut open;
        let (real, expected) = match io {
            Io::Save => (outcome(session.save().await), self.model.save(model)),
            Io::Reload => (outcome(session.reload().await), self.model.reload(model)),
            Io::Transact(run) => {
                let real = session.transaction(|tx| run.on(tx)).await;
                let expected = self.model.transact(model, run);
                assert_eq!(real.as_ref().ok(), expected.as_ref().ok(), "{open:?}");
                (real.map(drop).map_err(Failed::refused), expected.map(drop))
            }
            Io::IsAlive => {
                let lives = session.is_alive().await.expect("the store answers");
                assert_eq!(lives, self.model.is_alive(model), "{open:?}");
                (Ok(()), Ok(()))
            }
        };
        assert_eq!(real, expected, "{open:?}");
        self.note_writes(open.process, before);
        open.check(self.began);
        self.open.push(open);
    }

    async fn close(&mut self) {
        let Some(open) = self.any_open() else { return };
        let status = match self.rng.u8(..10) {
            0 => StatusCode::BAD_GATEWAY,
            _ => StatusCode::OK,
        };
        self.answer(open, status).await;
    }

    async fn answer(&mut self, mut open: Open, status: StatusCode) {
        let before = self.model.moment();
        let expected = self.model.finish(&mut open.model, status.is_server_error());
        self.note_writes(open.process, before);
        open.did.push(format!("answered {status}"));
        let what = format!("{open:?}");
        if self.tells {
            eprintln!("{:?}: {what}", self.model.now);
        }
        let Open {
            session,
            answer,
            response,
            cookie,
            model,
            ..
        } = open;
        // Whether the layer is the last that has the session or not.
        let kept = Some(session).filter(|_| self.rng.bool());
        answer.send(status).expect("the handler waits");
        let response = response.await.expect("no panic");
        drop(kept);
        let status = match expected {
            Err(_) => StatusCode::CONFLICT,
            Ok(()) => status,
        };
        assert_eq!(response.status(), status, "{what}");
        let lines = response.headers().get_all(SET_COOKIE).iter();
        let lines = lines.map(|line| line.to_str().expect("ASCII"));
        let lines: Vec<_> = lines
            .filter(|line| !line.starts_with("sid-bound=;"))
            .collect();
        let offer = response.headers().get(device::OFFER);
        match (model.cookie, model.live()) {
            (Some(Cookie::Remove), _) => {
                let [line] = lines[..] else {
                    panic!("{what} sent {lines:?}")
                };
                assert!(
                    line.starts_with("sid=;") && line.contains("Max-Age=0"),
                    "{what} sent {line}"
                );
            }
            (Some(Cookie::Set), Some((name, stored))) => {
                let [line] = lines[..] else {
                    panic!("{what} sent {lines:?}")
                };
                let left = stored.expires_at.saturating_sub(self.model.now);
                let max_age = stored.remember.map(|_| left.as_secs().to_string());
                let sent = line.split("Max-Age=").nth(1);
                let sent = sent.and_then(|rest| rest.split(';').next());
                assert_eq!(sent, max_age.as_deref(), "{what} sent {line}");
                let set = self.learn(line, name, &what);
                let is_offered = self.binds && self.model.is_offered(stored);
                assert_eq!(offer.is_some(), is_offered, "{what}");
                // It moved with its binding, unless there is an offer.
                let before = cookie.as_ref().and_then(|cookie| self.bound.get(cookie));
                if let Some(bound) = before.cloned() {
                    self.bound.entry(set.clone()).or_insert(bound);
                }
                if let Some(offer) = offer {
                    self.bind(set, name, offer).await;
                }
            }
            _ => assert!(lines.is_empty(), "{what} sent {lines:?}"),
        }
        if let Some(cookie) = cookie {
            self.look(&cookie).await;
        }
    }

    /// A browser that was sent this cookie accepts the offer to bind its session.
    async fn bind(&mut self, cookie: String, name: Name, offer: &HeaderValue) {
        let before = self.model.moment();
        let is_bound = self.model.bind(name);
        let process = self.rng.usize(..self.processes.len());
        let layer = &self.processes[process].layer;
        let bound = device::bind(layer, &self.clock, &cookie, offer).await;
        assert_eq!(bound.is_some(), is_bound, "{name}");
        self.note_writes(process, before);
        if let Some(bound) = bound {
            self.bound.insert(cookie, bound);
        }
    }

    /// A cookie that was sent is that of its session, and of no other.
    fn learn(&mut self, line: &str, name: Name, what: &str) -> String {
        let value = line.strip_prefix("sid=");
        let value = value.and_then(|line| line.split(';').next());
        let value = value.expect("a cookie").to_owned();
        let known = self.names.iter().find(|(_, known)| **known == name);
        match known {
            Some((known, _)) => assert_eq!(*known, value, "{what}: its cookie again"),
            None => {
                let before = self.names.insert(value.clone(), name);
                assert_eq!(before, None, "{what}: a new id");
                self.cookies.push(value.clone());
            }
        }
        value
    }

    /// A request that only reads: what it sees must be what the model has.
    async fn look(&mut self, cookie: &str) {
        let mut open = Box::pin(self.request(Some(cookie.to_owned()))).await;
        open.act(Op::SkipTouch);
        self.model
            .finish(&mut open.model, false)
            .expect("nothing was changed");
        drop(open.session);
        open.answer.send(StatusCode::OK).expect("the handler waits");
        let response = open.response.await.expect("no panic");
        assert!(
            !response.headers().contains_key(SET_COOKIE),
            "a read sends no cookie"
        );
    }
}

fn processes<const IMMEDIATE: bool>(
    rng: &mut Rng,
    store: &Checked<IMMEDIATE>,
    clock: &Clock,
    binds: bool,
) -> Vec<Process> {
    let count = rng.usize(1..=3);
    let process = || {
        let caches = rng.bool();
        let builder = WizSessionLayer::builder(store.clone(), Key::from(&[1; 64]))
            .cookie(CookieOptions::insecure("sid"))
            .idle_timeout(IDLE)
            .absolute_timeout(ABSOLUTE)
            .clock(clock.clone());
        let builder = match caches {
            true => builder.cache_for(CACHE_FOR).cache_bytes(1024 * 1024),
            false => builder,
        };
        let builder = match binds {
            true => {
                let binding = DeviceBinding::offer().cookie_lifetime(BOUND_COOKIE);
                builder
                    .cookie(CookieOptions::new("sid"))
                    .device_bound(binding.grace(GRACE))
            }
            false => builder,
        };
        Process {
            layer: builder.build().expect("a valid configuration"),
            // A store that answers at once needs none, and gets none.
            caches: caches && !IMMEDIATE,
            wrote_at: BTreeMap::new(),
        }
    };
    std::iter::repeat_with(process).take(count).collect()
}
