use std::{
    fmt::{self, Write},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ::cookie::Cookie;
use http::{
    HeaderMap, HeaderValue, Response,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};
use pin_project_lite::pin_project;
use tower_cookies::Cookies;

use crate::session::{Commit, Finish, Slot};

pin_project! {
    /// The response of a [`WizSessionService`](super::WizSessionService): first the handler's, then, if the session
    /// was changed, the commit's.
    pub struct ResponseFuture<F, B, E> {
        // Unset where a layer outside commits.
        slot: Option<Arc<Slot>>,
        jar: Option<Cookies>,
        #[pin]
        phase: Phase<F, B, E>,
    }
}

pin_project! {
    #[project = PhaseProjection]
    enum Phase<F, B, E> {
        Handler { #[pin] handler: F },
        // The only box, and only for sessions that have something to store.
        Commit { commit: Commit, result: Option<Result<Response<B>, E>> },
    }
}

impl<F, B, E> ResponseFuture<F, B, E> {
    pub(super) fn new(handler: F, slot: Option<Arc<Slot>>, jar: Option<Cookies>) -> Self {
        Self {
            slot,
            jar,
            phase: Phase::Handler { handler },
        }
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
        loop {
            match this.phase.as_mut().project() {
                PhaseProjection::Handler { handler } => {
                    let mut result = ready!(handler.poll(cx));
                    let failed = result
                        .as_ref()
                        .map_or(true, |response| response.status().is_server_error());
                    match this
                        .slot
                        .as_ref()
                        .map_or(Finish::Untouched, |slot| slot.finish(failed))
                    {
                        Finish::Untouched => return Poll::Ready(result),
                        Finish::Done(cookie) => {
                            mark(&mut result, cookie, this.jar.as_ref());
                            return Poll::Ready(result);
                        }
                        Finish::Commit(commit) => this.phase.set(Phase::Commit {
                            commit,
                            result: Some(result),
                        }),
                    }
                }
                PhaseProjection::Commit { commit, result } => {
                    let committed = ready!(commit.as_mut().poll(cx));
                    let mut result = result.take().expect("not polled after completion");
                    if let Some(status) = committed.refused {
                        result = result.map(|_| {
                            let mut refusal = Response::new(B::default());
                            *refusal.status_mut() = status;
                            refusal
                        });
                    }
                    mark(&mut result, committed.cookie, this.jar.as_ref());
                    return Poll::Ready(result);
                }
            }
        }
    }
}

/// Tells clients and caches what became of the session.
fn mark<B, E>(
    result: &mut Result<Response<B>, E>,
    cookie: Option<Cookie<'static>>,
    jar: Option<&Cookies>,
) {
    let Ok(response) = result else { return };
    let headers = response.headers_mut();
    if !lists(headers, VARY, &["cookie", "*"]) {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
    let Some(cookie) = cookie else { return };
    if !lists(headers, CACHE_CONTROL, &["no-store", "private"]) {
        headers.append(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    match jar {
        // The jar's layer writes it out; both agree on what the client has.
        Some(jar) => jar.add(cookie),
        None => {
            // Long enough for most: `to_string` would grow it five times over.
            let mut line = String::with_capacity(192);
            write!(line, "{cookie}").expect("a string takes all that is written");
            let line = HeaderValue::try_from(line).expect("the cookie's parts were validated");
            headers.append(SET_COOKIE, line);
        }
    }
}

/// Whether a header that is a list of words has one of these.
fn lists(headers: &HeaderMap, name: http::HeaderName, words: &[&str]) -> bool {
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
