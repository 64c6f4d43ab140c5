// Over 250 lines: one browser, with the steps of the protocol as it takes them.

use std::{collections::BTreeMap, fmt, future::poll_fn, pin::pin};

use ::cookie::Cookie;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{COOKIE, ORIGIN, SET_COOKIE},
};
use http_body::Body;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde::Deserialize;
use serde_json::json;
use tower_service::Service;

use crate::time::{Clock, Timestamp};

/// A browser that keeps cookies and binds sessions to its device, as Chrome does: it registers a key where a response
/// offers it, and before a request whose bound cookie has ended it signs for a new one. It goes by the layer's clock.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, body::Body, http::{Request, header::COOKIE}, routing::{get, post}};
/// use tower::ServiceExt;
/// use wiz_session::{Clock, DeviceBinding, Key, MemoryStore, WizSession, WizSessionLayer, test_util::DeviceBrowser};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Clock::manual();
/// let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate()).clock(clock.clone());
/// let app = Router::new()
///     .route("/login", post(async |session: WizSession| session.log_in("alice")))
///     .route("/", get(async |session: WizSession| session.user().unwrap_or_default()))
///     .layer(layer.device_bound(DeviceBinding::offer()).build()?);
///
/// let mut browser = DeviceBrowser::new(&clock);
/// browser.send(&app, Request::post("/login").body(Body::empty())?).await;
/// let stolen = browser.cookies().expect("a session");
/// clock.advance(Duration::from_secs(11 * 60));
///
/// let theirs = browser.send(&app, Request::get("/").body(Body::empty())?).await;
/// let thiefs = app.oneshot(Request::get("/").header(COOKIE, stolen).body(Body::empty())?).await?;
/// assert_eq!(axum::body::to_bytes(theirs.into_body(), 99).await?, "alice");
/// assert_eq!(axum::body::to_bytes(thiefs.into_body(), 99).await?, "");
/// # Ok(()) }
/// ```
pub struct DeviceBrowser {
    clock: Clock,
    cookies: BTreeMap<String, Kept>,
    bindings: BTreeMap<String, Binding>,
    is_able: bool,
}

struct Kept {
    value: String,
    end: Option<Timestamp>,
}

struct Binding {
    key: EcdsaKeyPair,
    instructions: Instructions,
    challenge: String,
}

/// The parts of a registration's answer that are heeded.
#[derive(Deserialize)]
struct Instructions {
    session_identifier: String,
    refresh_url: String,
    scope: Scope,
    credentials: Vec<Credential>,
}

#[derive(Deserialize)]
struct Scope {
    scope_specification: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    path: String,
}

#[derive(Deserialize)]
struct Credential {
    name: String,
}

/// Named by a body of the same crate.
type Bytes = <String as Body>::Data;

const CHALLENGE: &str = "secure-session-challenge";
const REGISTRATION: &str = "secure-session-registration";
const RESPONSE: &str = "secure-session-response";
const SESSION_ID: &str = "sec-secure-session-id";

impl DeviceBrowser {
    /// Without cookies, on a device that can bind sessions.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            cookies: BTreeMap::new(),
            bindings: BTreeMap::new(),
            is_able: true,
        }
    }

    /// A browser that heeds no offer, as many do not.
    #[must_use]
    pub fn unable(clock: &Clock) -> Self {
        Self {
            is_able: false,
            ..Self::new(clock)
        }
    }

    /// Sends a request: first for new bound cookies where they have ended, then this one, then, if its response offers
    /// that, for a registration.
    ///
    /// # Panics
    /// If the service fails, or answers the browser in a way that Chrome would not understand.
    pub async fn send<S, B, R>(&mut self, app: &S, request: Request<B>) -> Response<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: fmt::Debug,
        B: Default,
        R: Body<Data = Bytes>,
        R::Error: fmt::Debug,
    {
        for id in self.ended(request.uri().path()) {
            self.refresh_binding(app, &id).await;
        }
        let response = self.send_alone(app, request).await;
        let offers = response.headers().get_all(REGISTRATION);
        let offers: Vec<HeaderValue> = offers.iter().cloned().collect();
        for offer in offers {
            if self.is_able {
                self.register(app, &offer).await;
            }
        }
        response
    }

    /// As [`send`](Self::send), but without anything before or after it: what a browser sends in parallel.
    ///
    /// # Panics
    /// If the service fails.
    pub async fn send_alone<S, B, R>(&mut self, app: &S, mut request: Request<B>) -> Response<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: fmt::Debug,
    {
        if let Some(cookies) = self.cookies() {
            request.headers_mut().insert(COOKIE, cookies);
        }
        let mut app = app.clone();
        let ready = poll_fn(|cx| app.poll_ready(cx)).await;
        ready.expect("the service is ready");
        let response = app.call(request).await.expect("the service answers");
        self.keep(response.headers());
        response
    }

    /// Drops the bound cookies, as if they had ended: the next request waits for new ones.
    pub fn end_bound_cookies(&mut self) {
        for binding in self.bindings.values() {
            for credential in &binding.instructions.credentials {
                self.cookies.remove(&credential.name);
            }
        }
    }

    /// Whether a session is bound to this device.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        !self.bindings.is_empty()
    }

    /// The `Cookie` header with all cookies that have not ended: what a thief copies.
    #[must_use]
    pub fn cookies(&self) -> Option<HeaderValue> {
        let now = self.clock.timestamp();
        let lives = |kept: &Kept| kept.end.is_none_or(|end| now < end);
        let pairs = self.cookies.iter().filter(|(_, kept)| lives(kept));
        let pairs: Vec<String> = pairs
            .map(|(name, kept)| format!("{name}={}", kept.value))
            .collect();
        let line = (!pairs.is_empty()).then(|| pairs.join("; "))?;
        Some(line.parse().expect("parts of a header make a header"))
    }

    /// The bindings whose requests to this path have to wait for a refresh.
    fn ended(&self, path: &str) -> Vec<String> {
        let now = self.clock.timestamp();
        let lives = |name: &str| {
            let kept = self.cookies.get(name);
            kept.is_some_and(|kept| kept.end.is_none_or(|end| now < end))
        };
        let ended = self.bindings.iter().filter(|(_, binding)| {
            let Instructions { credentials, .. } = &binding.instructions;
            binding.covers(path) && credentials.iter().any(|one| !lives(&one.name))
        });
        ended.map(|(id, _)| id.clone()).collect()
    }

    fn keep(&mut self, headers: &HeaderMap) {
        let now = self.clock.timestamp();
        for line in headers.get_all(SET_COOKIE) {
            let Some(cookie) = line.to_str().ok().and_then(|line| Cookie::parse(line).ok()) else {
                continue;
            };
            let age = cookie.max_age().map(|age| age.unsigned_abs());
            if age.is_some_and(|age| age.is_zero()) {
                self.cookies.remove(cookie.name());
                continue;
            }
            let kept = Kept {
                value: cookie.value().to_owned(),
                end: age.map(|age| now.saturating_add(age)),
            };
            self.cookies.insert(cookie.name().to_owned(), kept);
        }
        for line in headers.get_all(CHALLENGE) {
            let (challenge, id) = challenge(line);
            if let Some(binding) = self.bindings.get_mut(&id) {
                binding.challenge = challenge;
            }
        }
    }

    async fn register<S, B, R>(&mut self, app: &S, offer: &HeaderValue)
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: fmt::Debug,
        B: Default,
        R: Body<Data = Bytes>,
        R::Error: fmt::Debug,
    {
        let offer = offer.to_str().expect("an offer is ASCII");
        let (path, challenge) = (parameter(offer, "path"), parameter(offer, "challenge"));
        let key = new_key();
        let jws = sign(&key, &challenge, true);
        let response = self.send_alone(app, post::<B>(&path, &jws)).await;
        if !response.status().is_success() {
            return;
        }
        let headers = response.headers().clone();
        let instructions: Instructions = serde_json::from_slice(&read(response).await)
            .expect("a registration is answered by JSON");
        let id = instructions.session_identifier.clone();
        let binding = Binding {
            key,
            instructions,
            challenge: String::new(),
        };
        self.bindings.insert(id, binding);
        self.keep(&headers);
    }

    /// Five times at most, as Chrome.
    async fn refresh_binding<S, B, R>(&mut self, app: &S, id: &str)
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: fmt::Debug,
        B: Default,
        R: Body<Data = Bytes>,
        R::Error: fmt::Debug,
    {
        for _ in 0..5 {
            let Some(Binding {
                key,
                challenge,
                instructions,
            }) = self.bindings.get(id)
            else {
                return;
            };
            let mut request = post::<B>(&instructions.refresh_url, &sign(key, challenge, false));
            let name = id.parse().expect("an id is ASCII");
            request.headers_mut().insert(SESSION_ID, name);
            let response = self.send_alone(app, request).await;
            match response.status() {
                StatusCode::FORBIDDEN if response.headers().contains_key(CHALLENGE) => {}
                StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::TOO_MANY_REQUESTS => return,
                status if status.is_client_error() => {
                    self.bindings.remove(id);
                    return;
                }
                status if status.is_success() => {
                    let body = read(response).await;
                    self.heed(id, &body);
                    return;
                }
                _ => return,
            }
        }
    }

    /// What a refresh was answered by.
    fn heed(&mut self, id: &str, body: &[u8]) {
        if body.is_empty() {
            return;
        }
        match serde_json::from_slice(body) {
            Ok(instructions) => {
                if let Some(binding) = self.bindings.get_mut(id) {
                    binding.instructions = instructions;
                }
            }
            // `{"continue":false}`, or what Chrome would not understand either.
            Err(_) => drop(self.bindings.remove(id)),
        }
    }
}

impl fmt::Debug for DeviceBrowser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBrowser")
            .field("bindings", &self.bindings.len())
            .finish_non_exhaustive()
    }
}

impl Binding {
    /// Whether requests to this path need the bound cookie. All rules exclude.
    fn covers(&self, path: &str) -> bool {
        let rules = &self.instructions.scope.scope_specification;
        let is_excluded = |rule: &Rule| {
            let rest = path.strip_prefix(rule.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        path != self.instructions.refresh_url && !rules.iter().any(is_excluded)
    }
}

fn new_key() -> EcdsaKeyPair {
    let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key")
}

/// Signs a challenge, and introduces the key where it is new.
fn sign(key: &EcdsaKeyPair, challenge: &str, is_new: bool) -> String {
    let mut header = json!({ "alg": "ES256", "typ": "dbsc+jwt" });
    if is_new {
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
        header["jwk"] = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    }
    let payload = json!({ "jti": challenge });
    let [header, payload] =
        [header, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{payload}");
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.expect("randomness"));
    format!("{signed}.{signature}")
}

/// A request of the browser's own.
fn post<B: Default>(path: &str, jws: &str) -> Request<B> {
    let request = Request::post(path)
        .header(ORIGIN, "https://localhost")
        .header("sec-fetch-site", "same-origin")
        .header(RESPONSE, jws);
    request.body(B::default()).expect("a valid request")
}

/// The challenge and the binding that it is for.
fn challenge(line: &HeaderValue) -> (String, String) {
    let line = line.to_str().expect("a challenge is ASCII");
    let mut parts = line.split('"');
    let challenge = parts.nth(1).expect("a string");
    (challenge.to_owned(), parameter(line, "id"))
}

fn parameter(line: &str, name: &str) -> String {
    let (_, rest) = line
        .split_once(&format!(";{name}=\""))
        .expect("a parameter");
    rest.split('"').next().unwrap_or_default().to_owned()
}

async fn read<R>(response: Response<R>) -> Vec<u8>
where
    R: Body<Data = Bytes>,
    R::Error: fmt::Debug,
{
    let mut body = pin!(response.into_body());
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame.expect("the body ends").into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes
}
