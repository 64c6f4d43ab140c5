//! The two requests of a browser that the layer answers itself. All that can be checked without the store is checked
//! before it is asked.

use std::{pin::Pin, sync::Arc};

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, SET_COOKIE},
    request::Parts,
};

use super::{
    gate::{Gate, Route},
    headers,
    jws::Jws,
};
use crate::{
    cookie::CookieHeader,
    error::Error,
    id::{self, Handle},
    observe,
    record::{Device, DeviceId, Jwk},
    session::{LayerConfig, RequestSession},
    time::Timestamp,
};

/// The response, whose body is a text or empty.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;

type Reply = Response<Option<Box<str>>>;

pub(crate) fn answer(route: Route, config: Arc<LayerConfig>, request: Parts) -> Answer {
    Box::pin(async move {
        let Some(gate) = config.device.get() else {
            unreachable!("the gate has found the route");
        };
        let asked = Asked {
            config: &config,
            gate,
            cookies: config.cookie.credentials(&request.headers),
            now: config.clock.timestamp(),
            request: &request,
        };
        let reply = match (&request.method, route) {
            (&Method::POST, Route::Register) => asked.register().await,
            (&Method::POST, Route::Refresh) => asked.refresh().await,
            _ => Ok(not_allowed()),
        };
        reply.unwrap_or_else(Refusal::reply)
    })
}

/// Why a request is refused.
enum Refusal {
    /// It is not one that a browser with this session sends.
    Refused(StatusCode, &'static str),
    /// The store failed: the browser comes again.
    Failed(Error),
}

const WRONG_ORIGIN: Refusal = Refusal::Refused(StatusCode::FORBIDDEN, "origin");
const MALFORMED: Refusal = Refusal::Refused(StatusCode::BAD_REQUEST, "malformed");
const WRONG_CHALLENGE: Refusal = Refusal::Refused(StatusCode::FORBIDDEN, "challenge");
const WRONG_SESSION: Refusal = Refusal::Refused(StatusCode::FORBIDDEN, "session");
const WRONG_SIGNATURE: Refusal = Refusal::Refused(StatusCode::BAD_REQUEST, "signature");

impl Refusal {
    fn reply(self) -> Reply {
        let status = match self {
            Self::Refused(status, reason) => {
                observe::device_refused(reason);
                status
            }
            Self::Failed(error) => {
                observe::commit_failed(&error);
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        reply(status, None)
    }
}

/// A request for one of the routes.
struct Asked<'a> {
    config: &'a Arc<LayerConfig>,
    gate: &'a Gate,
    cookies: CookieHeader,
    now: Timestamp,
    request: &'a Parts,
}

impl Asked<'_> {
    /// A browser has made a key, and signed the challenge of an offer with it.
    async fn register(&self) -> Result<Reply, Refusal> {
        let Self {
            config, gate, now, ..
        } = *self;
        if !is_same_origin(self.request) {
            return Err(WRONG_ORIGIN);
        }
        let jws = Jws::in_headers(&self.request.headers).ok_or(MALFORMED)?;
        let jwk: &Jwk = jws.jwk.as_ref().ok_or(MALFORMED)?;
        let handle = gate
            .registration(&jws.challenge, now)
            .ok_or(WRONG_CHALLENGE)?;
        if !self.presented().any(|presented| presented == handle) {
            return Err(WRONG_SESSION);
        }
        if !jws.is_signed_by(jwk) {
            return Err(WRONG_SIGNATURE);
        }
        let device = Arc::new(Device {
            id: DeviceId(id::random()),
            registered_at: now.as_millis(),
            jwk: jwk.clone(),
        });
        let session = RequestSession::new(Arc::clone(config), self.cookies.clone(), None);
        let bound = session.bind(handle, device).await;
        // Over or moved: a login that moved it makes an offer of its own.
        let bound = match bound {
            Err(error) if error.is_gone() => None,
            bound => bound.map_err(Refusal::Failed)?,
        };
        // By another key before this one, it stays bound to that.
        let bound = bound
            .filter(|bound| bound.jwk == *jwk)
            .ok_or(WRONG_SESSION)?;
        observe::device_registered(handle);
        Ok(self.admitted(bound.id, handle))
    }

    /// A browser wants a new bound cookie.
    async fn refresh(&self) -> Result<Reply, Refusal> {
        let Self { gate, now, .. } = *self;
        if !is_same_origin(self.request) {
            return Err(WRONG_ORIGIN);
        }
        let headers = &self.request.headers;
        // No script can send this header.
        let id = headers::string(headers, headers::SESSION_ID).and_then(DeviceId::parse);
        let id = id.ok_or(MALFORMED)?;
        if !headers.contains_key(headers::RESPONSE) {
            return Ok(self.challenged(id, None));
        }
        let jws = Jws::in_headers(headers).ok_or(MALFORMED)?;
        let hint = match gate.refresh(&jws.challenge, &id, now) {
            Some((handle, true)) => handle,
            Some((handle, false)) => return Ok(self.challenged(id, Some(handle))),
            None => return Ok(self.challenged(id, None)),
        };
        match self.find(id, hint).await.map_err(Refusal::Failed)? {
            Found::Bound(handle, device) if jws.is_signed_by(&device.jwk) => {
                observe::device_refreshed(handle);
                Ok(self.admitted(id, handle))
            }
            Found::Bound(..) => Err(WRONG_SIGNATURE),
            Found::Moved => Ok(self.challenged(id, Some(hint))),
            Found::Over => Ok(reply(StatusCode::OK, Some(r#"{"continue":false}"#.into()))),
        }
    }

    /// The session of this binding: that of a cookie, and without one that which the challenge was made for. A browser sends
    /// no `SameSite` cookies with a refresh for a link that was followed from another site.
    async fn find(&self, id: DeviceId, hint: Handle) -> Result<Found, Error> {
        const MOST: usize = 3;
        let config = self.config;
        let mut handles: Vec<Handle> = Vec::new();
        for handle in self.presented() {
            if !handles.contains(&handle) && handles.len() < MOST {
                handles.push(handle);
            }
        }
        if handles.is_empty() && hint != NO_HINT {
            handles.push(hint);
        }
        let mut found = Found::Over;
        for handle in handles {
            let record = config.store.load(handle).answer().await?;
            match record.filter(|record| config.policy.expiry.is_live(record, self.now)) {
                Some(record) if record.is_tombstone() => found = Found::Moved,
                Some(record) => {
                    if let Some(device) = record.device().filter(|device| device.id == id) {
                        return Ok(Found::Bound(handle, Arc::clone(device)));
                    }
                }
                None => {}
            }
        }
        Ok(found)
    }

    /// The sessions of the cookies that are signed.
    fn presented(&self) -> impl Iterator<Item = Handle> {
        let presented = self.config.cookie.presented(&self.cookies).flatten();
        presented.map(|verified| verified.handle)
    }

    /// With a new bound cookie, the next challenge and how the binding works, which may have changed.
    fn admitted(&self, id: DeviceId, handle: Handle) -> Reply {
        // Not from when the request came: the browser counts from now on, and the store may have taken its time.
        let (gate, now) = (self.gate, self.config.clock.timestamp());
        let mut reply = reply(StatusCode::OK, Some(gate.instructions(id).into()));
        let headers = reply.headers_mut();
        headers.insert(SET_COOKIE, gate.set_cookie(id, now));
        headers.insert(headers::CHALLENGE, gate.challenge(id, handle, now));
        reply
    }

    /// With another challenge to sign, which every other status of a client's error would not be taken for: the browser
    /// would give the binding up.
    fn challenged(&self, id: DeviceId, hint: Option<Handle>) -> Reply {
        observe::device_challenged();
        let Self { gate, now, .. } = *self;
        let handle = self.presented().next().or(hint).unwrap_or(NO_HINT);
        let mut reply = reply(StatusCode::FORBIDDEN, None);
        let challenge = gate.challenge(id, handle, now);
        reply.headers_mut().insert(headers::CHALLENGE, challenge);
        reply
    }
}

enum Found {
    Bound(Handle, Arc<Device>),
    /// It has a new id, which the browser is about to learn.
    Moved,
    Over,
}

/// Of a challenge for a browser that has sent no session.
const NO_HINT: Handle = Handle::from_bytes([0; 16]);

fn reply(status: StatusCode, body: Option<Box<str>>) -> Reply {
    let has_body = body.is_some();
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    reply
}

fn not_allowed() -> Reply {
    let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, None);
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("POST"));
    reply
}

/// Whether no page of another site has sent it, by what the browser says first: a proxy may have changed the host. Every
/// browser says where a `POST` comes from, so one that does not say is no page's.
fn is_same_origin(request: &Parts) -> bool {
    const SITE: &str = "sec-fetch-site";
    let headers = &request.headers;
    if let Some(site) = headers.get(SITE) {
        return site == "same-origin";
    }
    if !headers.contains_key(ORIGIN) {
        return true;
    }
    let host = request.uri.authority().map(|authority| authority.as_str());
    let host = host.or_else(|| text(headers, HOST));
    let origin = text(headers, ORIGIN).and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
