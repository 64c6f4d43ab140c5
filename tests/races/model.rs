//! Random schedules of many clients against a model that is nothing but maps.
//!
//! Requests are opened, do things one at a time in between each other, and are answered, in any order. What the
//! layer makes of it must be what the model says: which cookies live, what is in their sessions, which answers carry a
//! cookie. A failure prints the seed of its schedule; `WIZ_MODEL_SEED` runs that one alone.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use http::{
    Request, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use parking_lot::Mutex;
use tokio::{sync::oneshot, task::JoinHandle};
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{
    Clock, CookieOptions, Error, Handle, Key, MemoryStore, Record, SessionStore, Version,
    WizSession, WizSessionLayer, forward_session_store,
    store::{Created, Replaced},
};

const SCHEDULES: u64 = 3_000;
const STEPS: usize = 40;
const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(2 * 3600);
const TOMBSTONE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn random_schedules_agree_with_the_model() {
    let only = std::env::var("WIZ_MODEL_SEED").ok();
    let seeds = match &only {
        Some(seed) => vec![seed.parse().expect("a number")],
        None => (0..SCHEDULES).map(|_| fastrand::u64(..)).collect(),
    };
    for seed in seeds {
        let _print = OnPanic(seed);
        World::new(seed).run().await;
    }
}

struct OnPanic(u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "this schedule again: WIZ_MODEL_SEED={} cargo test --test races model",
                self.0
            );
        }
    }
}

type Data = BTreeMap<&'static str, i64>;

/// What the store should hold under one cookie.
#[derive(Debug, Clone)]
struct Stored {
    data: Data,
    user: Option<&'static str>,
    expires_at: Duration,
    deadline: Duration,
    tombstone: bool,
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Set(&'static str, i64),
    Delete(&'static str),
    Add(&'static str, i64),
    Regenerate,
    /// With the time, from which the absolute timeout runs.
    LogIn(&'static str, Duration),
    Clear,
}

/// A request under way: the real one, and what the model knows of it.
struct Open {
    session: WizSession,
    answer: oneshot::Sender<StatusCode>,
    response: JoinHandle<Response<wiz_session::SessionBody<String>>>,
    cookie: Option<String>,
    /// What was loaded, if it was a session; or whether a tombstone was.
    snapshot: Option<Stored>,
    gone: bool,
    ops: Vec<Op>,
}

struct World {
    rng: Rng,
    clock: Clock,
    now: Duration,
    layer: WizSessionLayer,
    /// Every cookie that was ever sent, and what became of it. Without an entry: deleted.
    stored: BTreeMap<String, Stored>,
    cookies: Vec<String>,
    open: Vec<Open>,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Clock::manual();
        let layer = WizSessionLayer::builder(Checked::default(), Key::from(&[1; 64]))
            .cookie(CookieOptions::insecure("sid"))
            .idle_timeout(IDLE)
            .absolute_timeout(ABSOLUTE)
            .clock(clock.clone())
            .build()
            .expect("a valid configuration");
        Self {
            rng: Rng::with_seed(seed),
            clock,
            now: Duration::ZERO,
            layer,
            stored: BTreeMap::new(),
            cookies: Vec::new(),
            open: Vec::new(),
        }
    }

    async fn run(mut self) {
        for _ in 0..STEPS {
            match self.rng.u8(..100) {
                0..25 => self.open().await,
                25..65 => self.act(),
                65..90 => self.close().await,
                90..94 => self.wait(1..60),
                94..99 => self.wait(60..1800),
                _ => self.wait(3600..3601),
            }
        }
        while !self.open.is_empty() {
            self.close().await;
        }
        for cookie in self.cookies.clone() {
            self.look(&cookie).await;
        }
    }

    fn wait(&mut self, seconds: Range<u64>) {
        let time = Duration::from_secs(self.rng.u64(seconds));
        self.clock.advance(time);
        self.now += time;
    }

    fn lives(&self, cookie: &str) -> Option<&Stored> {
        self.stored
            .get(cookie)
            .filter(|stored| self.now < stored.expires_at && self.now < stored.deadline)
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
        let handler = service_fn(move |request: Request<()>| {
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
        let mut request = Request::new(());
        if let Some(cookie) = &cookie {
            request
                .headers_mut()
                .insert(COOKIE, format!("sid={cookie}").parse().expect("a header"));
        }
        let service = self.layer.layer(handler);
        let response =
            tokio::spawn(async move { service.oneshot(request).await.expect("infallible") });
        let session = session.await.expect("the handler gives its session");
        let loaded = cookie
            .as_deref()
            .and_then(|cookie| self.lives(cookie))
            .cloned();
        let gone = loaded.as_ref().is_some_and(|stored| stored.tombstone);
        Open {
            session,
            answer,
            response,
            cookie,
            snapshot: loaded.filter(|_| !gone),
            gone,
            ops: Vec::new(),
        }
    }

    /// One request that is under way does one thing.
    fn act(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let key = ["a", "b", "n"][self.rng.usize(..3)];
        let op = match self.rng.u8(..20) {
            0..7 => Op::Set(key, self.rng.i64(0..4)),
            7..10 => Op::Delete(key),
            10..16 => Op::Add(key, self.rng.i64(-1..3)),
            16 => Op::Regenerate,
            17 | 18 => Op::LogIn(if self.rng.bool() { "alice" } else { "bob" }, self.now),
            _ => Op::Clear,
        };
        let index = self.rng.usize(..self.open.len());
        let open = &mut self.open[index];
        match op {
            Op::Set(key, value) => open.session.set(key, value).expect("a number fits"),
            Op::Delete(key) => drop(open.session.delete(key)),
            Op::Add(key, by) => drop(
                open.session
                    .update(key, move |n: &mut i64| *n += by)
                    .expect("a number"),
            ),
            Op::Regenerate => open.session.regenerate(),
            Op::LogIn(user, _) => open.session.log_in(user),
            Op::Clear => open.session.clear(),
        }
        open.ops.push(op);
        let seen: Data = open.view().data;
        assert_eq!(
            real_data(&open.session),
            to_real(&seen),
            "what the request sees after {op:?}"
        );
    }

    async fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let open = self.open.swap_remove(self.rng.usize(..self.open.len()));
        let status = if self.rng.u8(..10) == 0 {
            StatusCode::BAD_GATEWAY
        } else {
            StatusCode::OK
        };
        self.answer(open, status).await;
    }

    async fn answer(&mut self, open: Open, status: StatusCode) {
        let expected = self.commit(&open, status);
        let what = format!("{:?} on {:?} answered {status}", open.ops, open.cookie);
        open.answer.send(status).expect("the handler waits");
        let response = open.response.await.expect("no panic");
        let status = match expected {
            Sent::Refusal => StatusCode::CONFLICT,
            _ => status,
        };
        assert_eq!(response.status(), status, "{what}");
        let lines: Vec<_> = response
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap())
            .collect();
        match expected {
            Sent::Nothing | Sent::Refusal => assert!(lines.is_empty(), "{what} sent {lines:?}"),
            Sent::Removal => assert!(
                lines.len() == 1 && lines[0].contains("Max-Age=0"),
                "{what} sent {lines:?}"
            ),
            Sent::New(stored) => {
                assert!(
                    lines.len() == 1 && !lines[0].contains("Max-Age"),
                    "{what} sent {lines:?}"
                );
                let value = lines[0]
                    .strip_prefix("sid=")
                    .and_then(|line| line.split(';').next())
                    .unwrap();
                assert!(
                    !self.cookies.iter().any(|known| known == value),
                    "{what}: a new id"
                );
                self.cookies.push(value.to_owned());
                self.stored.insert(value.to_owned(), stored);
            }
        }
        if let Some(cookie) = &open.cookie {
            self.look(cookie).await;
        }
    }

    /// A request that only reads: what it sees must be what the model has.
    async fn look(&mut self, cookie: &str) {
        let open = Box::pin(self.request(Some(cookie.to_owned()))).await;
        let expected = open.snapshot.clone();
        assert_eq!(
            open.session.is_new(),
            expected.is_none(),
            "whether {cookie} lives"
        );
        let data = expected
            .as_ref()
            .map(|stored| stored.data.clone())
            .unwrap_or_default();
        assert_eq!(
            real_data(&open.session),
            to_real(&data),
            "the data of {cookie}"
        );
        assert_eq!(
            open.session.user().as_deref(),
            expected.and_then(|stored| stored.user),
            "the user of {cookie}"
        );
        let sent = self.commit(&open, StatusCode::OK);
        assert!(matches!(sent, Sent::Nothing));
        open.answer.send(StatusCode::OK).expect("the handler waits");
        let response = open.response.await.expect("no panic");
        assert!(
            !response.headers().contains_key(SET_COOKIE),
            "a read sends no cookie"
        );
    }
}

/// What a response does to the client's cookie.
#[derive(Debug)]
enum Sent {
    Nothing,
    /// Changes were lost with a session that may have been swept.
    Refusal,
    Removal,
    New(Stored),
}

/// A request as the model sees it after some operations.
#[derive(Debug, Clone, Default)]
struct View {
    /// The session that was loaded is still the one at hand.
    bound: bool,
    cleared: bool,
    /// Nothing of the stored data counts: it was another user's.
    fresh: bool,
    regenerates: bool,
    login: Option<Duration>,
    base: Data,
    data: Data,
    user: Option<&'static str>,
    /// Data operations that changed what this request saw, to be done again on what is there at the commit.
    log: Vec<Op>,
}

impl Open {
    fn view(&self) -> View {
        let snapshot = self.snapshot.clone();
        let mut view = View {
            bound: snapshot.is_some(),
            user: snapshot.as_ref().and_then(|stored| stored.user),
            base: snapshot.map(|stored| stored.data).unwrap_or_default(),
            ..View::default()
        };
        view.data = view.base.clone();
        for op in &self.ops {
            view.act(*op);
        }
        view
    }
}

impl View {
    fn act(&mut self, op: Op) {
        match op {
            Op::Regenerate => self.regenerates = true,
            Op::LogIn(user, at) => {
                if self.user.is_some_and(|former| former != user) {
                    *self = Self {
                        bound: self.bound,
                        cleared: self.cleared,
                        fresh: true,
                        ..Self::default()
                    };
                }
                (self.login, self.user) = (Some(at), Some(user));
            }
            Op::Clear => {
                *self = Self {
                    cleared: self.cleared || self.bound,
                    ..Self::default()
                }
            }
            Op::Set(..) | Op::Delete(_) | Op::Add(..) => {
                let before = self.data.clone();
                apply(&mut self.data, op);
                if self.data != before {
                    self.log.push(op);
                }
                let key = op.key();
                if self.data.get(key) == self.base.get(key) {
                    // What was changed and restored was not changed.
                    self.log.retain(|op| op.key() != key);
                }
            }
        }
    }
}

impl Op {
    fn key(self) -> &'static str {
        match self {
            Self::Set(key, _) | Self::Delete(key) | Self::Add(key, _) => key,
            Self::Regenerate | Self::LogIn(..) | Self::Clear => "",
        }
    }
}

fn apply(data: &mut Data, op: Op) {
    match op {
        Op::Set(key, value) => drop(data.insert(key, value)),
        Op::Delete(key) => drop(data.remove(key)),
        Op::Add(key, by) => *data.entry(key).or_default() += by,
        Op::Regenerate | Op::LogIn(..) | Op::Clear => unreachable!("no operation on data"),
    }
}

impl World {
    /// What DESIGN.md §3 says a response has to do.
    fn commit(&mut self, open: &Open, status: StatusCode) -> Sent {
        let mut view = open.view();
        let cookie = open.cookie.as_deref().unwrap_or_default();
        let mut gone = open.gone;
        let mut sent = Sent::Nothing;
        if status.is_server_error() {
            // Only a clear holds.
            let (cleared, bound) = (view.cleared, view.bound);
            view = View {
                cleared,
                bound: bound && !cleared,
                ..View::default()
            };
            if let Some(stored) = open.snapshot.as_ref().filter(|_| view.bound) {
                (view.base, view.user) = (stored.data.clone(), stored.user);
                view.data = view.base.clone();
            }
        }
        let asked_to_clear = open.ops.iter().any(|op| matches!(op, Op::Clear));
        if view.cleared {
            // An ended record that was not swept yet is there to delete, expired or not.
            let deleted = self
                .stored
                .get(cookie)
                .is_some_and(|stored| !stored.tombstone);
            if deleted {
                self.stored.remove(cookie);
                sent = Sent::Removal;
            } else {
                gone = true;
            }
        } else if asked_to_clear && open.cookie.is_some() && !gone {
            sent = Sent::Removal;
        }
        if view.bound {
            let writes = view.regenerates || view.login.is_some() || view.data != view.base;
            // What was alive when the request came is there for it, though it has expired since.
            let now_stored = self
                .stored
                .get(cookie)
                .filter(|stored| !stored.tombstone)
                .cloned();
            let Some(current) = now_stored else {
                let loaded = open.snapshot.as_ref().expect("it is bound");
                let is_old = self.now >= loaded.expires_at.min(loaded.deadline);
                return match view.login {
                    Some(_) => Sent::New(self.fresh(&view)),
                    // It may have been swept, and the client has no newer one.
                    None if writes && is_old && !self.stored.contains_key(cookie) => Sent::Refusal,
                    None => Sent::Nothing,
                };
            };
            if !writes {
                let loaded = open.snapshot.clone().expect("it is bound");
                self.touch(cookie, &loaded);
                return Sent::Nothing;
            }
            let mut next = if view.fresh {
                Stored {
                    data: Data::new(),
                    ..current
                }
            } else {
                current
            };
            view.log.iter().for_each(|op| apply(&mut next.data, *op));
            if let Some(at) = view.login {
                (next.user, next.deadline) = (view.user, at + ABSOLUTE);
            }
            if view.regenerates || view.login.is_some() {
                next.expires_at = next.deadline.min(self.now + IDLE);
                let stone = self.stored.get_mut(cookie).expect("it is there");
                *stone = Stored {
                    data: Data::new(),
                    user: None,
                    tombstone: true,
                    ..next
                };
                (stone.expires_at, stone.deadline) = (self.now + TOMBSTONE, self.now + TOMBSTONE);
                return Sent::New(next);
            }
            // After a conflict the changes may come to what is there already.
            if self.stored[cookie].data == next.data {
                let current = self.stored[cookie].clone();
                self.touch(cookie, &current);
            } else {
                next.expires_at = next.deadline.min(self.now + IDLE);
                self.stored.insert(cookie.to_owned(), next);
            }
            return Sent::Nothing;
        }
        match view.login {
            Some(_) => Sent::New(self.fresh(&view)),
            None if !gone && !view.data.is_empty() => Sent::New(self.fresh(&view)),
            None => sent,
        }
    }

    fn fresh(&self, view: &View) -> Stored {
        let mut data = Data::new();
        view.log.iter().for_each(|op| apply(&mut data, *op));
        let deadline = view.login.unwrap_or(self.now) + ABSOLUTE;
        let user = view.login.and(view.user);
        Stored {
            data,
            user,
            expires_at: deadline.min(self.now + IDLE),
            deadline,
            tombstone: false,
        }
    }

    /// A read keeps a session alive, if what the request loaded was a tenth of the idle timeout old.
    fn touch(&mut self, cookie: &str, loaded: &Stored) {
        if self.now >= loaded.expires_at.min(loaded.deadline) {
            return;
        }
        let touched = loaded.deadline.min(self.now + IDLE);
        if touched.saturating_sub(loaded.expires_at) >= IDLE / 10 {
            let stored = self.stored.get_mut(cookie).expect("it lives");
            stored.expires_at = stored.expires_at.max(touched);
        }
    }
}

fn real_data(session: &WizSession) -> serde_json::Value {
    session.to_map().into()
}

fn to_real(data: &Data) -> serde_json::Value {
    serde_json::to_value(data).expect("numbers")
}

/// A memory store that checks what must hold of every record, whoever commits it.
#[derive(Clone, Default)]
struct Checked(MemoryStore);

impl Checked {
    fn check(record: &Record) {
        let began = record
            .authenticated_at()
            .unwrap_or_else(|| record.created_at());
        assert!(
            record.expires_at() <= began + ABSOLUTE,
            "no session outlives its absolute timeout"
        );
    }
}

impl SessionStore for Checked {
    // A regenerate is done in steps, by the default method: they are checked.
    forward_session_store!(self => self.0, except [create, replace, touch, regenerate]);

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        Self::check(record);
        self.0.create(handle, record).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let before = self.0.load(handle).await?;
        let replaced = self.0.replace(handle, expected, record).await?;
        if let (Replaced::Stored(version), Some(before)) = (replaced, before) {
            assert!(
                version > expected && expected == before.version(),
                "the version strictly rises"
            );
            if !record.is_tombstone() {
                Self::check(record);
                assert_eq!(
                    record.created_at(),
                    before.created_at(),
                    "a session keeps its beginning"
                );
            }
        }
        Ok(replaced)
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let touched = self.0.touch(handle, expires_at).await?;
        self.0.load(handle).await?.iter().for_each(Self::check);
        Ok(touched)
    }
}
