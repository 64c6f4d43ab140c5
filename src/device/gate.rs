use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::json;

use super::{
    binding::DeviceBinding,
    headers,
    mac::{Challenge, Macs, Purpose},
};
use crate::{
    cookie::{CookieFinder, CookieHeader, CookieOptions, Keys},
    expiry,
    id::Handle,
    observe,
    record::{DeviceId, Record},
    time::Timestamp,
};

/// Lets a request use its session, or not. Open to all where no binding is asked for.
pub(crate) struct DeviceGate(Option<Box<Gate>>);

/// A request that the layer answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Register,
    Refresh,
}

/// What the layer does where a binding is asked for. Pure, but for events.
pub(crate) struct Gate {
    macs: Macs,
    is_required: bool,
    cookie_lifetime: Duration,
    grace: Duration,
    path: Box<str>,
    excluded: Vec<String>,
    cookie: CookieOptions,
    /// The names under which a bound cookie is read, the current one first.
    finders: Box<[CookieFinder]>,
}

impl DeviceGate {
    pub(super) fn new(gate: Option<Gate>) -> Self {
        Self(gate.map(Box::new))
    }

    pub(super) fn get(&self) -> Option<&Gate> {
        self.0.as_deref()
    }

    /// Whether the request with these cookies may use the session.
    #[inline]
    pub(crate) fn admits(&self, record: &Record, cookies: &CookieHeader, now: Timestamp) -> bool {
        match &self.0 {
            None => true,
            Some(gate) => gate.admits(record, cookies, now),
        }
    }

    #[inline]
    pub(crate) fn route<B>(&self, request: &Request<B>) -> Option<Route> {
        let rest = request.uri().path().strip_prefix(&*self.get()?.path)?;
        match rest {
            "/register" => Some(Route::Register),
            "/refresh" => Some(Route::Refresh),
            _ => None,
        }
    }

    /// Tells why a browser has sent this request without a refresh, if it says so.
    #[inline]
    pub(crate) fn note_skipped(&self, headers: &HeaderMap) {
        if self.0.is_some() {
            headers::skipped(headers).for_each(observe::device_skipped);
        }
    }

    /// The header beside the cookie of a session. It offers to bind the session while its login is new: later, whoever has
    /// stolen the cookie of a browser that cannot do it would bind the session to a device of their own. Of one that is
    /// bound it has the next challenge, by which a refresh without cookies finds the session where it has moved to.
    pub(crate) fn header(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Option<(HeaderName, HeaderValue)> {
        let gate = self.get()?;
        if let Some(device) = record.device() {
            return Some((headers::CHALLENGE, gate.challenge(device.id, handle, now)));
        }
        let authenticated_at = record.body().authenticated_at?;
        if now.since(authenticated_at) > OFFER_AGE {
            return None;
        }
        observe::device_offered(handle);
        let challenge = gate.macs.challenge(Purpose::Register, handle, now);
        let path = &gate.path;
        let line = format!("(ES256 RS256);path=\"{path}/register\";challenge=\"{challenge}\"");
        let line = HeaderValue::try_from(line).expect("its path was validated");
        Some((headers::REGISTRATION, line))
    }

    /// The line that removes the bound cookie, if the client has sent one.
    pub(crate) fn removal(&self, cookies: &CookieHeader) -> Option<HeaderValue> {
        let gate = self.get()?;
        let is_sent = gate.values(cookies).next().is_some();
        is_sent.then(|| gate.line(String::new(), Duration::ZERO))
    }
}

impl Gate {
    pub(super) fn new<'a>(
        binding: &DeviceBinding,
        cookie: &CookieOptions,
        others: impl Iterator<Item = &'a str>,
        keys: &Keys,
    ) -> Self {
        let bound = |name: &str| format!("{name}-bound");
        let mut names = vec![bound(cookie.cookie_name())];
        for name in others.map(bound) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self {
            macs: Macs::new(keys),
            is_required: binding.is_required,
            cookie_lifetime: binding.cookie_lifetime,
            grace: binding.grace_or_default(),
            path: binding.path.as_ref().into(),
            excluded: binding.excluded.iter().map(ToString::to_string).collect(),
            cookie: cookie.clone().name(names[0].clone()),
            finders: names.iter().map(|name| CookieFinder::new(name)).collect(),
        }
    }

    fn admits(&self, record: &Record, cookies: &CookieHeader, now: Timestamp) -> bool {
        // From the future by no more than a clock may be ahead.
        let is_recent = |at: Timestamp| at.since(now) <= expiry::SKEW && now.since(at) < self.grace;
        match record.device() {
            Some(device) => {
                self.has_cookie(cookies, device.id, now) || is_recent(device.registered_at())
            }
            None => {
                let authenticated_at = record.body().authenticated_at;
                !self.is_required || authenticated_at.is_none_or(is_recent)
            }
        }
    }

    fn has_cookie(&self, cookies: &CookieHeader, id: DeviceId, now: Timestamp) -> bool {
        const MOST: usize = 4;
        let verified = |value| self.macs.verify_cookie(value, id);
        let mut ends = self.values(cookies).take(MOST).filter_map(verified);
        ends.any(|end| now < end)
    }

    fn values<'a>(&'a self, cookies: &'a CookieHeader) -> impl Iterator<Item = &'a [u8]> {
        self.finders.iter().flat_map(|name| cookies.values(name))
    }

    /// The session that a challenge to register was made for.
    pub(super) fn registration(&self, challenge: &str, now: Timestamp) -> Option<Handle> {
        // A device may take a while to make its key, and a login's page a while to load.
        const LEAST: Duration = Duration::from_secs(60);
        let challenge = self.macs.verify_challenge(challenge, Purpose::Register)?;
        let age = self.max_challenge_age().max(LEAST);
        is_fresh(&challenge, age, now).then_some(challenge.handle)
    }

    /// What a challenge to refresh was made for, and whether it is fresh.
    pub(super) fn refresh(
        &self,
        challenge: &str,
        id: &DeviceId,
        now: Timestamp,
    ) -> Option<(Handle, bool)> {
        let challenge = self
            .macs
            .verify_challenge(challenge, Purpose::Refresh(id))?;
        Some((
            challenge.handle,
            is_fresh(&challenge, self.max_challenge_age(), now),
        ))
    }

    /// How long a challenge is good: longer than the bound cookie it came with, whose end is when it is signed.
    fn max_challenge_age(&self) -> Duration {
        2 * self.cookie_lifetime
    }

    /// The header with the next challenge for this binding.
    pub(super) fn challenge(&self, id: DeviceId, handle: Handle, now: Timestamp) -> HeaderValue {
        let challenge = self.macs.challenge(Purpose::Refresh(&id), handle, now);
        headers::with_parameter(&challenge, "id", &id.to_string())
    }

    /// The line that sets a new bound cookie.
    pub(super) fn set_cookie(&self, id: DeviceId, now: Timestamp) -> HeaderValue {
        let end = now.saturating_add(self.cookie_lifetime);
        self.line(self.macs.cookie(id, end), self.cookie_max_age())
    }

    /// How long the browser keeps a bound cookie. Somewhat shorter than it is good for, so that a request that was sent
    /// before the browser dropped it arrives in time. In whole seconds, as browsers know no others.
    fn cookie_max_age(&self) -> Duration {
        const MOST: u64 = 5;
        let margin = (self.cookie_lifetime.as_secs() / 20).min(MOST);
        self.cookie_lifetime - Duration::from_secs(margin)
    }

    fn line(&self, value: String, max_age: Duration) -> HeaderValue {
        let line = self.cookie.cookie(value, Some(max_age)).to_string();
        HeaderValue::try_from(line).expect("the cookie's parts were validated")
    }

    /// What the browser has to know of a binding. Requests that other sites initiate, such as a followed link, wait for a
    /// refresh too: they would otherwise arrive without a good cookie after each pause.
    pub(super) fn instructions(&self, id: DeviceId) -> String {
        let path = &self.path;
        let register = format!("{path}/register");
        let excluded = self.excluded.iter().chain([&register]);
        let rules: Vec<_> = excluded
            .map(|path| json!({ "type": "exclude", "domain": "*", "path": path }))
            .collect();
        let name = self.cookie.cookie_name();
        let line = self.cookie.cookie(String::new(), None).to_string();
        let attributes = line
            .split_once("; ")
            .map_or("", |(_, attributes)| attributes);
        let instructions = json!({
            "session_identifier": id.to_string(),
            "refresh_url": format!("{path}/refresh"),
            "scope": { "include_site": false, "scope_specification": rules },
            "credentials": [{ "type": "cookie", "name": name, "attributes": attributes }],
            "allowed_refresh_initiators": ["*"],
        });
        instructions.to_string()
    }
}

/// How old a login is to which the offer is repeated, when its session moves again.
const OFFER_AGE: Duration = Duration::from_secs(60);

fn is_fresh(challenge: &Challenge, age: Duration, now: Timestamp) -> bool {
    let made_at = challenge.made_at;
    made_at.since(now) <= expiry::SKEW && now.since(made_at) < age
}
