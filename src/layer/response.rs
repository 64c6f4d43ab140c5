//! The response headers that concern the session, for clients and caches.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{self, CACHE_CONTROL, SET_COOKIE, VARY},
};
use tower_cookies::Cookies;

use super::body::SessionBody;
use crate::{
    cookie::SetCookie,
    observe,
    session::{Finished, RequestSession},
};

/// What the layer keeps of a request to finish its response. If it is dropped unfinished, the client has gone away.
pub(super) struct ResponseContext {
    pub(super) session: Arc<RequestSession>,
    jar: Option<Cookies>,
    /// The handler has been pending at least once.
    pub(super) has_waited: bool,
    pub(super) is_finished: bool,
}

impl ResponseContext {
    pub(super) fn new(session: Arc<RequestSession>, jar: Option<Cookies>) -> Self {
        Self {
            session,
            jar,
            has_waited: false,
            is_finished: false,
        }
    }

    pub(super) fn apply<B, E>(
        &self,
        result: &mut Result<Response<SessionBody<B>>, E>,
        finished: Finished,
    ) {
        let Ok(response) = result else { return };
        let Finished {
            refused,
            cookies,
            has_given_token,
            device,
        } = finished;
        if let Some(status) = refused {
            refuse(response, status);
        }
        self.vary(response);
        if has_given_token {
            keep_out_of_caches(response.headers_mut());
        }
        for cookie in cookies.into_iter().flatten() {
            if !cookie.is_removal() && self.session.is_of_insecure_origin() {
                observe::cookie_not_kept();
            }
            self.set_cookie(response, cookie);
        }
        if let Some(device) = device {
            let (name, value) = *device;
            response.headers_mut().append(name, value);
        }
    }

    /// The response depends on who asks.
    pub(super) fn vary<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        if !lists(headers, VARY, &["cookie", "*"]) {
            headers.append(VARY, VARY_COOKIE);
        }
        if self.session.config.cookie.is_bearer() && !lists(headers, VARY, &["authorization", "*"])
        {
            headers.append(VARY, VARY_AUTHORIZATION);
        }
    }

    fn set_cookie<B>(&self, response: &mut Response<B>, set_cookie: SetCookie) {
        keep_out_of_caches(response.headers_mut());
        let RequestSession { config, .. } = &*self.session;
        // Not by the jar, which holds one cookie of a name: the removed one may differ in its domain alone.
        for removal in config.cookie.other_removals(self.session.cookies()) {
            self.append(response, removal);
        }
        if set_cookie.is_removal()
            && let Some(removal) = config.device.removal(self.session.cookies())
        {
            self.append(response, removal);
        }
        match &self.jar {
            // The jar's layer writes the header, so both agree on what the client has.
            Some(jar) => jar.add(config.cookie.cookie(set_cookie)),
            None => self.append(response, config.cookie.line(&set_cookie)),
        }
    }

    fn append<B>(&self, response: &mut Response<B>, line: HeaderValue) {
        if self.session.outer().is_some() {
            let InnerSetCookies(lines) = response.extensions_mut().get_or_insert_default();
            lines.push(line.clone());
        }
        response.headers_mut().append(SET_COOKIE, line);
    }
}

impl Drop for ResponseContext {
    fn drop(&mut self) {
        if !self.is_finished {
            self.session.abandon();
        }
    }
}

/// A response that sets a session's cookie must not be cached (OWASP ASVS 5.0 §14.3.2).
pub(crate) fn keep_out_of_caches(headers: &mut HeaderMap) {
    if lists(headers, CACHE_CONTROL, &["no-store", "private"]) {
        return;
    }
    match lists(headers, CACHE_CONTROL, &["public"]) {
        true => drop(headers.insert(CACHE_CONTROL, NO_STORE)),
        false => drop(headers.append(CACHE_CONTROL, NO_STORE)),
    }
}

/// Replaces status and body, and removes the headers that described the body as well as the handler's own cookies. Others
/// stay, such as those of CORS or a request id.
fn refuse<B>(response: &mut Response<SessionBody<B>>, status: StatusCode) {
    const ABOUT_THE_BODY: [HeaderName; 16] = [
        header::ACCEPT_RANGES,
        header::AGE,
        header::CACHE_CONTROL,
        header::CONTENT_DISPOSITION,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_LENGTH,
        header::CONTENT_LOCATION,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::ETAG,
        header::EXPIRES,
        header::LAST_MODIFIED,
        header::LOCATION,
        header::SET_COOKIE,
        header::TRAILER,
    ];
    response.body_mut().clear();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for name in ABOUT_THE_BODY {
        headers.remove(name);
    }
    headers.remove(header::TRANSFER_ENCODING);
    if let Some(InnerSetCookies(lines)) = response.extensions().get().cloned() {
        for line in lines {
            response.headers_mut().append(SET_COOKIE, line);
        }
    }
}

/// Cookies of sessions that inner layers have committed. They stay valid if this layer's commit fails.
#[derive(Clone, Default)]
struct InnerSetCookies(Vec<HeaderValue>);

// Constants, because `from_static` looks at each byte.
const VARY_COOKIE: HeaderValue = HeaderValue::from_static("Cookie");
const VARY_AUTHORIZATION: HeaderValue = HeaderValue::from_static("Authorization");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Whether a header that is a list of words has one of these.
fn lists(headers: &HeaderMap, name: HeaderName, words: &[&str]) -> bool {
    // Responses have few headers: to look at their names takes less than to hash this one.
    headers.keys().any(|other| *other == name)
        && headers.get_all(name).iter().any(|line| {
            line.as_bytes().split(|byte| *byte == b',').any(|word| {
                words
                    .iter()
                    .any(|wanted| word.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
            })
        })
}
