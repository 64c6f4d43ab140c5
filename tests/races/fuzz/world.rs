use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::response::IntoResponse;
use fastrand::Rng;
use futures_util::future::join_all;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use parking_lot::Mutex;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{Clock, CookieOptions, DeviceBinding, Handle, Key, WizSession, WizSessionLayer};

use super::{
    Token, Visit,
    log::{tokens, tokens_of},
    request::{Impatient, Step, Told},
    store::Faulty,
};
use crate::{
    device::{self, Jar},
    feeds::Delivery,
};

const BATCHES: usize = 6;
const CLIENTS: usize = 2;
const CACHE_FOR: Duration = Duration::from_secs(10);

/// Without its bound cookie a bound session is nearly always empty.
const GRACE: Duration = Duration::from_secs(1);

pub(super) struct World {
    rng: Rng,
    store: Faulty,
    /// The processes.
    layers: Vec<WizSessionLayer>,
    /// Sees what is stored, be it bound or not.
    uncached: WizSessionLayer,
    /// Whether the sessions of users are bound to their device, as soon as a response offers it.
    binds: bool,
    clock: Clock,
    /// What each client has.
    jars: [Option<Jar>; CLIENTS],
    /// Every cookie that a client was sent, with the bound one.
    sent: Vec<Jar>,
    visits: Visit,
    last_token: Token,
    refused: Vec<Token>,
    /// It is run alone.
    tells: bool,
}

struct Outcome {
    visit: Visit,
    client: usize,
    /// Unset if the client went away.
    status: Option<StatusCode>,
    set_cookie: Option<String>,
    offer: Option<HeaderValue>,
    presented: Option<Jar>,
    told: Told,
}

impl World {
    pub(super) fn new(seed: u64, tells: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let store = Faulty::new(rng.fork());
        store.log().tells = tells;
        let clock = Clock::manual();
        let binds = rng.u8(..3) == 0;
        let layer = |caches: bool, binds: bool| {
            let builder = WizSessionLayer::builder(store.clone(), Key::from(&[1; 64]))
                .cookie(CookieOptions::insecure("sid"))
                .clock(clock.clone());
            let builder = match caches {
                true => builder.cache_for(CACHE_FOR).cache_bytes(1024 * 1024),
                false => builder,
            };
            let builder = match binds {
                true => builder
                    .cookie(CookieOptions::new("sid"))
                    .device_bound(DeviceBinding::offer().grace(GRACE)),
                false => builder,
            };
            builder.build().expect("a valid configuration")
        };
        let layers = (0..rng.usize(1..=3)).map(|_| layer(rng.bool(), binds));
        Self {
            layers: layers.collect(),
            uncached: layer(false, false),
            binds,
            rng,
            store,
            clock,
            jars: [const { None }; CLIENTS],
            sent: Vec::new(),
            visits: 0,
            last_token: 0,
            refused: Vec::new(),
            tells,
        }
    }

    pub(super) async fn run(mut self) {
        for _ in 0..BATCHES {
            let mut batch = Vec::new();
            for _ in 0..self.rng.usize(1..5) {
                batch.push(self.visit());
            }
            let over = tokio::time::timeout(Duration::from_secs(600), join_all(batch));
            for outcome in over.await.expect("no request hangs") {
                self.check(outcome).await;
            }
            self.store.check_moves().await;
            self.store.feeds().deliver(&mut self.rng);
            self.clock.advance(Duration::from_secs(self.rng.u64(0..8)));
        }
        self.store.log().is_healed = true;
        if self.store.feeds().delivery != Delivery::AtOnce {
            self.clock.advance(CACHE_FOR);
        }
        // A process that began to listen just now has yet to hear that it may have missed something.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.check_reads().await;
        self.check_sessions().await;
    }

    fn visit(&mut self) -> impl Future<Output = Outcome> + use<> {
        let client = self.rng.usize(..CLIENTS);
        let mut steps = Vec::new();
        let user = if self.rng.bool() { "alice" } else { "bob" };
        for _ in 0..self.rng.usize(1..6) {
            self.last_token += 1;
            steps.push(Step::random(&mut self.rng, self.last_token, user));
        }
        let fails = self.rng.u8(..10) == 0;
        let is_dropped = self.rng.u8(..4) == 0;
        let polls_left = match is_dropped {
            true => self.rng.u32(..40),
            false => u32::MAX,
        };
        self.request(client, steps, fails, polls_left)
    }

    fn request(
        &mut self,
        client: usize,
        steps: Vec<Step>,
        fails: bool,
        polls_left: u32,
    ) -> impl Future<Output = Outcome> + use<> {
        self.visits += 1;
        let presented = self.jars[client].clone();
        let told = Arc::new(tokio::sync::Mutex::new(Told::default()));
        let script = Arc::new(Mutex::new(Some((steps, Arc::clone(&told)))));
        let store = self.store.clone();
        let handler = service_fn(move |request: Request<()>| {
            let (steps, told) = script.lock().take().expect("one request");
            let store = store.clone();
            async move {
                let session = match WizSession::from_extensions(request.extensions()).await {
                    Ok(session) => session,
                    Err(error) => return Ok(error.into_response().map(drop)),
                };
                let mut told = told.lock().await;
                let status = told.handle(&session, &steps, &store).await;
                let mut response = Response::new(());
                *response.status_mut() = match fails {
                    true => {
                        told.give_up();
                        StatusCode::INTERNAL_SERVER_ERROR
                    }
                    false => status,
                };
                Ok::<_, Infallible>(response)
            }
        });
        let mut request = Request::new(());
        if let Some(jar) = &presented {
            request.headers_mut().insert(COOKIE, jar.header());
        }
        let layer = self.rng.choice(&self.layers).expect("there is one");
        let visit = Impatient {
            request: Some(Box::pin(layer.layer(handler).oneshot(request))),
            polls_left,
            visit: self.visits,
            store: self.store.clone(),
        };
        let (store, number) = (self.store.clone(), self.visits);
        async move {
            let response = visit.await.map(|Ok(response)| response);
            if response.is_none() {
                store.log().excused.insert(number);
            }
            let headers = response.as_ref().map(Response::headers);
            let header =
                |name| headers.and_then(|headers| headers.get_all(name).iter().next_back());
            let told = std::mem::take(&mut *told.lock().await);
            Outcome {
                visit: number,
                client,
                status: response.as_ref().map(Response::status),
                // Before a removal stands that of the bound cookie.
                set_cookie: header(SET_COOKIE).map(|line| line.to_str().expect("ASCII").to_owned()),
                offer: header(HeaderName::from_static(device::OFFER)).cloned(),
                presented,
                told,
            }
        }
    }

    /// What one request was told is true.
    async fn check(&mut self, outcome: Outcome) {
        let Outcome {
            visit,
            client,
            status,
            set_cookie,
            offer,
            presented,
            told,
        } = outcome;
        let what = format!("{presented:?} {told:?} answered {status:?} {set_cookie:?}");
        if self.tells {
            println!("{visit}: {what}");
        }
        self.refused.extend(&told.refused);
        if told.has_cleared && status == Some(StatusCode::SERVICE_UNAVAILABLE) {
            // What it had begun itself, and could not end.
            self.store.log().excused.insert(visit);
        }
        let is_stored = |token: &Token| self.store.log().stored.contains(token);
        if status == Some(StatusCode::OK) && !told.pending.iter().all(is_stored) {
            // Dropped in silence, as the session ended meanwhile.
            let ended = match told.handle {
                Some(handle) => self.store.live(handle).await.is_none(),
                None => told.is_ended || told.has_cleared,
            };
            assert!(ended, "{what}");
        }
        let Some(line) = set_cookie else { return };
        let value = line
            .strip_prefix("sid=")
            .and_then(|line| line.split(';').next());
        let value = value.expect("a cookie").to_owned();
        let is_ok = status == Some(StatusCode::OK);
        if value.is_empty() {
            self.jars[client] = None;
            let ended = presented.expect("there is one to remove");
            assert!(!is_ok || self.find(&ended).await.is_none(), "{what}");
            return;
        }
        // It moved with its binding, unless there is another offer.
        let bound = presented.and_then(|presented| presented.bound);
        let mut jar = Jar { value, bound };
        assert!(!is_ok || self.find(&jar).await.is_some(), "{what}");
        if let Some(offer) = offer {
            self.bind(&mut jar, &offer).await;
        }
        self.jars[client] = Some(jar.clone());
        self.sent.push(jar);
    }

    /// The client of this jar accepts an offer to bind its session.
    async fn bind(&mut self, jar: &mut Jar, offer: &HeaderValue) {
        let layer = self.rng.choice(&self.layers).expect("there is one");
        let was_healed = std::mem::replace(&mut self.store.log().is_healed, true);
        let bound = device::bind(layer, &self.clock, &jar.value, offer).await;
        self.store.log().is_healed = was_healed;
        if bound.is_some() {
            jar.bound = bound;
        }
    }

    /// The live session of a cookie.
    async fn find(&self, cookie: &Jar) -> Option<Handle> {
        self.look(&self.uncached, cookie).await.map(|found| found.0)
    }

    /// The session that a process shows, and its tokens.
    async fn look(
        &self,
        layer: &WizSessionLayer,
        cookie: &Jar,
    ) -> Option<(Handle, BTreeSet<Token>)> {
        let was_healed = std::mem::replace(&mut self.store.log().is_healed, true);
        let found = Arc::new(Mutex::new(None));
        let place = Arc::clone(&found);
        let handler = service_fn(move |request: Request<()>| {
            let place = Arc::clone(&place);
            async move {
                let session = WizSession::from_extensions(request.extensions()).await;
                let session = session.expect("it is healed");
                session.skip_touch();
                let handle = session.handle();
                *place.lock() = handle.map(|handle| (handle, tokens_of(&session.to_map())));
                Ok::<_, Infallible>(Response::new(()))
            }
        });
        let mut request = Request::new(());
        request.headers_mut().insert(COOKIE, cookie.header());
        let Ok(_) = layer.layer(handler).oneshot(request).await;
        self.store.log().is_healed = was_healed;
        found.lock().take()
    }

    /// Each process shows what is stored.
    async fn check_reads(&self) {
        for cookie in &self.sent {
            let stored = self.look(&self.uncached, cookie).await;
            for layer in &self.layers {
                assert_eq!(self.look(layer, cookie).await, stored);
            }
        }
    }

    /// What is left in the store when all is over.
    async fn check_sessions(&mut self) {
        let mut reachable = Vec::new();
        for cookie in &self.sent {
            reachable.extend(self.find(cookie).await);
        }
        let (began, excused) = {
            let log = self.store.log();
            (log.began.clone(), log.excused.clone())
        };
        let mut places: HashMap<Token, Handle> = HashMap::new();
        for (handle, (visit, _)) in began {
            let Some(record) = self.store.live(handle).await else {
                continue;
            };
            if !reachable.contains(&handle) {
                assert!(
                    excused.contains(&visit),
                    "{handle} is an orphan of request {visit}"
                );
                continue;
            }
            let is_bound = self.binds && record.user().is_some();
            assert_eq!(record.is_device_bound(), is_bound, "{handle}");
            for token in tokens(&record) {
                let other = places.insert(token, handle);
                assert_eq!(other, None, "{token} is in two sessions");
            }
        }
        let at_once = self.store.moves_at_once();
        for token in &self.refused {
            let is_stored = match at_once {
                true => self.store.log().stored.contains(token),
                false => places.contains_key(token),
            };
            assert!(!is_stored, "{token} was refused, and is stored");
        }
        for client in 0..CLIENTS {
            self.last_token += 1;
            let token = self.last_token;
            let steps = vec![Step::Push(token), Step::Save];
            let outcome = self.request(client, steps, false, u32::MAX).await;
            let works = outcome.status == Some(StatusCode::OK);
            assert!(works, "{:?} answered {:?}", outcome.told, outcome.status);
        }
    }
}
