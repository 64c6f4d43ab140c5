use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};
use pin_project_lite::pin_project;
use tower_cookies::Cookies;

use crate::session::{Commit, Finish, Finished, RequestSession};

pin_project! {
    /// The response of a [`WizSessionService`](super::WizSessionService): first the handler's, then, if the session
    /// was changed, the commit's.
    pub struct ResponseFuture<F, B, E> {
        // Unset where a layer outside commits.
        pub(super) mount: Option<ResponseContext>,
        #[pin]
        pub(super) phase: Phase<F, B, E>,
    }
}

/// What the layer keeps of a request to finish its response.
pub(super) struct ResponseContext {
    pub(super) slot: Arc<RequestSession>,
    pub(super) jar: Option<Cookies>,
    /// The handler was polled, and did not answer yet.
    pub(super) waited: bool,
}

pin_project! {
    #[project = PhaseProjection]
    pub(super) enum Phase<F, B, E> {
        Handler { #[pin] handler: F },
        // The only box, and only for sessions that have something to store.
        Commit { commit: Commit, result: Option<Result<Response<B>, E>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let PhaseProjection::Handler { handler } = this.phase.as_mut().project() {
            let mut polled = handler.poll(cx);
            let Some(mount) = this.mount else {
                return polled;
            };
            let Poll::Ready(result) = &mut polled else {
                mount.waited = true;
                return polled;
            };
            let failed = match result {
                // A limit of time inside of this layer answers so for a handler that it cut off.
                Ok(response) => {
                    response.status().is_server_error()
                        || response.status() == StatusCode::REQUEST_TIMEOUT
                }
                Err(_) => true,
            };
            match mount.slot.finish(failed, mount.waited) {
                Finish::Untouched => return polled,
                Finish::Done(outcome) => {
                    mount.mark(result, outcome);
                    return polled;
                }
                Finish::Commit(commit) => this.phase.set(Phase::Commit {
                    commit,
                    result: Some(ready!(polled)),
                }),
            }
        }
        let (PhaseProjection::Commit { commit, result }, Some(mount)) =
            (this.phase.project(), &this.mount)
        else {
            unreachable!("a handler that answered is followed by the commit of what is mounted");
        };
        let outcome = ready!(commit.as_mut().poll(cx));
        let mut result = result.take().expect("not polled after completion");
        mount.mark(&mut result, outcome);
        Poll::Ready(result)
    }
}

impl ResponseContext {
    /// Tells clients and caches what became of the session.
    fn mark<B: Default, E>(&self, result: &mut Result<Response<B>, E>, outcome: Finished) {
        let Ok(response) = result else { return };
        let Finished { refused, cookie } = outcome;
        if let Some(status) = refused {
            refuse(response, status);
        }
        let headers = response.headers_mut();
        add_unless(headers, VARY, VARY_COOKIE, &["cookie", "*"]);
        let Some(cookie) = cookie else { return };
        add_unless(headers, CACHE_CONTROL, NO_STORE, &["no-store", "private"]);
        let shared = &self.slot.shared;
        match &self.jar {
            // The jar's layer writes it out; both agree on what the client has.
            Some(jar) => jar.add(shared.cookie.cookie(cookie)),
            None => {
                let line = shared.cookie.line(&cookie);
                if self.slot.outer().is_some() {
                    let InnerSetCookies(lines) = response.extensions_mut().get_or_insert_default();
                    lines.push(line.clone());
                }
                response.headers_mut().append(SET_COOKIE, line);
            }
        }
    }
}

/// Puts an empty response in place of this one.
fn refuse<B: Default>(response: &mut Response<B>, status: StatusCode) {
    let inside = response.extensions_mut().remove::<InnerSetCookies>();
    *response = Response::new(B::default());
    *response.status_mut() = status;
    if let Some(InnerSetCookies(lines)) = inside {
        for line in &lines {
            response.headers_mut().append(SET_COOKIE, line.clone());
        }
        response.extensions_mut().insert(InnerSetCookies(lines));
    }
}

/// Cookies of the sessions that were committed inside of another's layer: they hold even where that one fails.
#[derive(Clone, Default)]
struct InnerSetCookies(Vec<HeaderValue>);

// Constants, because `from_static` looks at each byte.
const VARY_COOKIE: HeaderValue = HeaderValue::from_static("Cookie");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Adds a word to a header that is a list of words, unless it has one of these.
fn add_unless(headers: &mut HeaderMap, name: HeaderName, word: HeaderValue, these: &[&str]) {
    // Responses have few headers: to look at their names takes less than to hash this one.
    let is_there = headers.keys().any(|other| *other == name);
    if !is_there || !lists(headers, &name, these) {
        headers.append(name, word);
    }
}

fn lists(headers: &HeaderMap, name: &HeaderName, words: &[&str]) -> bool {
    headers.get_all(name).iter().any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|word| {
            words
                .iter()
                .any(|wanted| word.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
        })
    })
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
