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
    Request, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use parking_lot::Mutex;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{Clock, CookieOptions, Handle, Key, WizSession, WizSessionLayer};

use super::{
    Token, Visit,
    log::{tokens, tokens_of},
    request::{Impatient, Step, Told},
    store::Faulty,
};
use crate::feeds::Delivery;

const BATCHES: usize = 6;
const CLIENTS: usize = 2;
const CACHE_FOR: Duration = Duration::from_secs(10);

pub(super) struct World {
    rng: Rng,
    store: Faulty,
    /// The processes.
    layers: Vec<WizSessionLayer>,
    /// Sees what is stored.
    uncached: WizSessionLayer,
    clock: Clock,
    /// What each client has.
    jars: [Option<String>; CLIENTS],
    /// Every cookie that a client was sent.
    sent: Vec<String>,
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
    presented: Option<String>,
    told: Told,
}

impl World {
    pub(super) fn new(seed: u64, tells: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let store = Faulty::new(rng.fork());
        store.log().tells = tells;
        let clock = Clock::manual();
        let layer = |caches: bool| {
            let builder = WizSessionLayer::builder(store.clone(), Key::from(&[1; 64]))
                .cookie(CookieOptions::insecure("sid"))
                .clock(clock.clone());
            let builder = match caches {
                true => builder.cache_for(CACHE_FOR).cache_bytes(1024 * 1024),
                false => builder,
            };
            builder.build().expect("a valid configuration")
        };
        let layers = (0..rng.usize(1..=3)).map(|_| layer(rng.bool()));
        Self {
            layers: layers.collect(),
            uncached: layer(false),
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
        if let Some(cookie) = &presented {
            let cookie = format!("sid={cookie}").parse().expect("a header");
            request.headers_mut().insert(COOKIE, cookie);
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
            let header = response
                .as_ref()
                .and_then(|it| it.headers().get(SET_COOKIE));
            let told = std::mem::take(&mut *told.lock().await);
            Outcome {
                visit: number,
                client,
                status: response.as_ref().map(Response::status),
                set_cookie: header.map(|line| line.to_str().expect("ASCII").to_owned()),
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
        } else {
            assert!(!is_ok || self.find(&value).await.is_some(), "{what}");
            self.jars[client] = Some(value.clone());
            self.sent.push(value);
        }
    }

    /// The live session of a cookie.
    async fn find(&self, cookie: &str) -> Option<Handle> {
        self.look(&self.uncached, cookie).await.map(|found| found.0)
    }

    /// The session that a process shows, and its tokens.
    async fn look(
        &self,
        layer: &WizSessionLayer,
        cookie: &str,
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
        let cookie = format!("sid={cookie}").parse().expect("a header");
        request.headers_mut().insert(COOKIE, cookie);
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
