//! A yardstick: the least that a layer like the library's has to do, in plain code, and nothing of what makes it one to
//! be used.
//!
//! It has the same signed cookie, handle, sharded map, compare-and-swap and boxed load and commit, and looks at the
//! clock. It has no expiry policy, no tombstones, no limits, no events, no `Vary` and `Cache-Control`, no other keys, no
//! second cookie of its name, no nested layers and no jar. What the library takes beyond it is the price of those; what it
//! takes less, for large sessions and for hashes, is what was worth more than plain code.

// Over 250 lines: one contestant, whole, so that it can be read beside the library.

use std::{
    cell::RefCell,
    collections::HashMap,
    convert::Infallible,
    hash::{BuildHasherDefault, Hasher},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{extract::FromRequestParts, response::Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use hmac::{Hmac, Mac};
use http::{
    HeaderValue, Request,
    header::{COOKIE, SET_COOKIE},
    request::Parts,
};
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tower_layer::Layer;
use tower_service::Service;
use uuid::Uuid;

use super::Contestant;
use crate::routes::{self, router};

pub const CONTESTANT: Contestant = Contestant {
    name: "sketch",
    app: || router::<Session>().layer(Sketch(Arc::new(Shared::new()))),
};

const NAME: &[u8] = b"__Host-sid=";
const ATTRIBUTES: &[u8] = b"; HttpOnly; SameSite=Lax; Secure; Path=/";
const MAC: usize = 43;
const ID: usize = 32;
const SHARDS: usize = 512;
const IDLE_MILLIS: u64 = 30 * 60 * 1_000;

type Handle = u128;
type Shard = HashMap<Handle, Arc<Record>, BuildHasherDefault<HandleHasher>>;

/// Handles are digests already.
#[derive(Default)]
struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a handle is a number");
    }

    fn write_u128(&mut self, handle: u128) {
        self.0 = handle as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Record {
    version: u64,
    used_at: u64,
    values: Values,
}

/// Sorted by key.
type Values = Vec<(Box<str>, Box<[u8]>)>;

struct Shared {
    key: Hmac<Sha256>,
    shards: Box<[Mutex<Shard>]>,
}

impl Shared {
    fn new() -> Self {
        Self {
            key: Hmac::new_from_slice(&[7; 32]).expect("HMAC takes keys of any length"),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    fn shard(&self, handle: Handle) -> &Mutex<Shard> {
        &self.shards[(handle >> 64) as usize % SHARDS]
    }

    fn sign(&self, id: &[u8]) -> [u8; MAC] {
        let mac = self.key.clone().chain_update(id).finalize().into_bytes();
        let mut text = [0; MAC];
        BASE64URL
            .encode_slice(mac, &mut text)
            .expect("32 bytes make 43 characters");
        text
    }

    /// The session of a `Cookie` header.
    fn load(&self, line: &[u8]) -> Option<Found> {
        let at = line.windows(NAME.len()).position(|part| part == NAME)? + NAME.len();
        let (mac, id) = line.get(at..at + MAC + ID)?.split_at(MAC);
        let pairs = self.sign(id).into_iter().zip(mac);
        if pairs.fold(0, |all, (one, other)| all | (one ^ other)) != 0 {
            return None;
        }
        let handle = handle(Uuid::try_parse_ascii(id).ok()?);
        let record = self.shard(handle).lock().get(&handle)?.clone();
        (now() < record.used_at + IDLE_MILLIS).then_some(Found { handle, record })
    }

    /// Stores a record under a new id, and gives its cookie.
    fn create(&self, values: Values) -> HeaderValue {
        let id = Uuid::from_bytes(random());
        let handle = handle(id);
        let record = Record {
            version: 1,
            used_at: now(),
            values,
        };
        self.shard(handle).lock().insert(handle, Arc::new(record));
        let mut text = [0; ID];
        id.simple().encode_lower(&mut text);
        let parts = [NAME, &self.sign(&text), &text, ATTRIBUTES];
        HeaderValue::from_bytes(&parts.concat()).expect("it is ASCII")
    }
}

fn handle(id: Uuid) -> Handle {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    Handle::from_ne_bytes(*digest.first_chunk().expect("16 of 32 bytes"))
}

fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs() * 1_000 + u64::from(since.subsec_millis())
}

fn random() -> [u8; 16] {
    thread_local! {
        static POOL: RefCell<([u8; 1024], usize)> = const { RefCell::new(([0; 1024], 0)) };
    }
    POOL.with_borrow_mut(|(bytes, left)| {
        if *left == 0 {
            getrandom::getrandom(bytes).expect("the system has randomness");
            *left = bytes.len();
        }
        *left -= 16;
        *bytes[*left..].first_chunk().expect("16 are left")
    })
}

#[derive(Clone)]
struct Sketch(Arc<Shared>);

impl<S> Layer<S> for Sketch {
    type Service = SketchService<S>;

    fn layer(&self, inner: S) -> SketchService<S> {
        let shared = Arc::clone(&self.0);
        SketchService { inner, shared }
    }
}

#[derive(Clone)]
struct SketchService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B> Service<Request<B>> for SketchService<S>
where
    S: Service<Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = SketchFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let slot = Arc::new(Slot {
            shared: Arc::clone(&self.shared),
            cookies: request.headers().get(COOKIE).cloned(),
            state: OnceLock::new(),
        });
        request.extensions_mut().insert(Session(Arc::clone(&slot)));
        SketchFuture {
            slot,
            phase: Phase::Handler {
                handler: self.inner.call(request),
            },
        }
    }
}

struct Slot {
    shared: Arc<Shared>,
    cookies: Option<HeaderValue>,
    state: OnceLock<Box<Mutex<State>>>,
}

struct State {
    found: Option<Found>,
    ops: Vec<(Box<str>, Op)>,
    regenerates: bool,
}

struct Found {
    handle: Handle,
    record: Arc<Record>,
}

enum Op {
    Put(Box<[u8]>),
    AddOne,
}

impl Slot {
    fn is_changed(&self) -> bool {
        self.state.get().is_some_and(|state| {
            let state = state.lock();
            state.regenerates || !state.ops.is_empty()
        })
    }

    /// Gives the cookie to be set.
    async fn commit(&self) -> Option<HeaderValue> {
        let mut state = self.state.get()?.lock();
        let State {
            found,
            ops,
            regenerates,
        } = &mut *state;
        loop {
            let Some(Found { handle, record }) = found else {
                return Some(self.shared.create(values(&[], ops)));
            };
            let values = values(&record.values, ops);
            let mut shard = self.shared.shard(*handle).lock();
            let stored = shard.get_mut(handle)?;
            if stored.version != record.version {
                *record = Arc::clone(stored);
                continue;
            }
            if *regenerates {
                shard.remove(handle);
                drop(shard);
                return Some(self.shared.create(values));
            }
            *stored = Arc::new(Record {
                version: record.version + 1,
                used_at: now(),
                values,
            });
            return None;
        }
    }
}

/// Values with the operations done.
fn values(before: &[(Box<str>, Box<[u8]>)], ops: &[(Box<str>, Op)]) -> Values {
    let mut values = before.to_vec();
    for (key, op) in ops {
        let place = values.binary_search_by(|(other, _)| other.cmp(key));
        let value = match op {
            Op::Put(value) => value.clone(),
            Op::AddOne => {
                let before = place.ok().map(|place| &*values[place].1);
                let before = before.and_then(|raw| serde_json::from_slice::<u64>(raw).ok());
                encode(&(before.unwrap_or_default() + 1))
            }
        };
        match place {
            Ok(place) => values[place].1 = value,
            Err(place) => values.insert(place, (key.clone(), value)),
        }
    }
    values
}

fn encode(value: &impl Serialize) -> Box<[u8]> {
    let raw = serde_json::to_vec(value);
    raw.expect("it has a JSON form").into()
}

pin_project! {
    struct SketchFuture<F, E> {
        slot: Arc<Slot>,
        #[pin]
        phase: Phase<F, E>,
    }
}

pin_project! {
    #[project = PhaseProjection]
    enum Phase<F, E> {
        Handler { #[pin] handler: F },
        Commit { commit: Commit, result: Option<Result<Response, E>> },
    }
}

type Commit = Pin<Box<dyn Future<Output = Option<HeaderValue>> + Send>>;

impl<F: Future<Output = Result<Response, E>>, E> Future for SketchFuture<F, E> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        loop {
            match this.phase.as_mut().project() {
                PhaseProjection::Handler { handler } => {
                    let result = ready!(handler.poll(cx));
                    if !this.slot.is_changed() {
                        return Poll::Ready(result);
                    }
                    let slot = Arc::clone(this.slot);
                    let commit = Box::pin(async move { slot.commit().await });
                    let result = Some(result);
                    this.phase.set(Phase::Commit { commit, result });
                }
                PhaseProjection::Commit { commit, result } => {
                    let cookie = ready!(commit.as_mut().poll(cx));
                    let mut result = result.take().expect("not polled after completion");
                    if let (Some(cookie), Ok(response)) = (cookie, &mut result) {
                        response.headers_mut().append(SET_COOKIE, cookie);
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }
}

#[derive(Clone)]
struct Session(Arc<Slot>);

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let session: &Self = parts.extensions.get().expect("the layer is there");
        let Self(slot) = session.clone();
        if slot.state.get().is_none() {
            let load: Pin<Box<dyn Future<Output = _> + Send>> = {
                let slot = Arc::clone(&slot);
                Box::pin(async move { slot.shared.load(slot.cookies.as_ref()?.as_bytes()) })
            };
            let state = State {
                found: load.await,
                ops: Vec::new(),
                regenerates: false,
            };
            let _ = slot.state.set(Box::new(Mutex::new(state)));
        }
        Ok(Self(slot))
    }
}

impl Session {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let state = self.0.state.get().expect("the extractor has loaded it");
        change(&mut state.lock());
    }
}

impl routes::Session for Session {
    async fn read(&self, key: &str) -> Option<u64> {
        let state = self.0.state.get()?.lock();
        let values = &state.found.as_ref()?.record.values;
        let place = values.binary_search_by(|(other, _)| (**other).cmp(key));
        serde_json::from_slice(&values[place.ok()?].1).ok()
    }

    async fn write<T: Serialize + Send + Sync>(&self, key: &str, value: T) {
        self.change(|state| state.ops.push((key.into(), Op::Put(encode(&value)))));
    }

    async fn add_one(&self, key: &str) {
        self.change(|state| state.ops.push((key.into(), Op::AddOne)));
    }

    async fn regenerate(&self) {
        self.change(|state| state.regenerates = true);
    }
}
