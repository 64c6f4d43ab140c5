use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{LOCATION, WWW_AUTHENTICATE},
};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    redirect,
    rules::{Rules, Verdict},
};
use crate::{error::Error, session::WizSession};

pin_project! {
    /// The response future of a [`GuardService`](super::GuardService): loads the session, then runs the handler or answers
    /// in its place.
    ///
    /// # Cancel safety
    /// Dropped before the handler runs, nothing has happened.
    pub struct GuardFuture<S, B, F> {
        #[pin]
        phase: Phase<S, B, F>,
    }
}

pin_project! {
    #[project = PhaseProjection]
    enum Phase<S, B, F> {
        Loading { session: Loading, held: Option<Held<S, B>> },
        Handler { #[pin] handler: F },
    }
}

type Loading = Pin<Box<dyn Future<Output = Result<WizSession, Error>> + Send>>;

/// What waits for the verdict.
struct Held<S, B> {
    inner: S,
    request: Request<B>,
    rules: Arc<Rules>,
}

impl<S, B, F> GuardFuture<S, B, F> {
    pub(super) fn new(
        session: impl Future<Output = Result<WizSession, Error>> + Send + 'static,
        inner: S,
        request: Request<B>,
        rules: Arc<Rules>,
    ) -> Self {
        let held = Held {
            inner,
            request,
            rules,
        };
        Self {
            phase: Phase::Loading {
                session: Box::pin(session),
                held: Some(held),
            },
        }
    }
}

impl<S, B, R> Future for GuardFuture<S, B, S::Future>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut phase = self.project().phase;
        if let PhaseProjection::Loading { session, held } = phase.as_mut().project() {
            let session = ready!(session.as_mut().poll(cx));
            let mut held = held.take().expect("not polled after completion");
            if let Some(refusal) = session.map_or_else(|e| Some(failed(&e)), |s| refusal(&s, &held))
            {
                return Poll::Ready(Ok(refusal));
            }
            let handler = held.inner.call(held.request);
            phase.set(Phase::Handler { handler });
        }
        match phase.project() {
            PhaseProjection::Handler { handler } => handler.poll(cx),
            PhaseProjection::Loading { .. } => unreachable!("it was loaded"),
        }
    }
}

/// The answer in place of the handler's, unless the request may pass.
fn refusal<S, B, R: From<String>>(session: &WizSession, held: &Held<S, B>) -> Option<Response<R>> {
    let Held { request, rules, .. } = held;
    let verdict = match rules.judge(session) {
        Ok(verdict) => verdict,
        Err(error) => return Some(failed(&error)),
    };
    let stale = match verdict {
        Verdict::Pass => return None,
        Verdict::Forbid => return Some(plain(StatusCode::FORBIDDEN)),
        Verdict::LogIn => None,
        Verdict::LogInAgain(within) => Some(within),
    };
    Some(match &rules.login_at {
        Some(page) => to_login(session, page, rules.next_in_query.as_deref(), request)
            .unwrap_or_else(|error| failed(&error)),
        None => unauthorized(session, stale),
    })
}

fn to_login<B, R: From<String>>(
    session: &WizSession,
    page: &str,
    next_in_query: Option<&str>,
    request: &Request<B>,
) -> Result<Response<R>, Error> {
    let path = redirect::path_of(request);
    let location = match (path, next_in_query) {
        (Some(path), Some(name)) => redirect::with_next(page, name, &path),
        (Some(path), None) => {
            session.remember_redirect(&path)?;
            page.to_owned()
        }
        (None, _) => page.to_owned(),
    };
    let mut response = plain(StatusCode::SEE_OTHER);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn unauthorized<R: From<String>>(session: &WizSession, stale: Option<Duration>) -> Response<R> {
    let mut response = plain(StatusCode::UNAUTHORIZED);
    if session.takes_tokens() {
        let challenge = match stale {
            None => "Bearer".to_owned(),
            Some(within) => format!(
                "Bearer error=\"insufficient_user_authentication\", max_age=\"{}\"",
                within.as_secs()
            ),
        };
        let challenge = HeaderValue::try_from(challenge).expect("of ASCII characters");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn failed<R: From<String>>(error: &Error) -> Response<R> {
    let mut response = plain(error.status());
    if error.is_about_layers() {
        // For the developer to read in the browser.
        *response.body_mut() = error.to_string().into();
    }
    response
}

fn plain<R: From<String>>(status: StatusCode) -> Response<R> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(reason.to_owned().into());
    *response.status_mut() = status;
    response
}

impl<S, B, F> fmt::Debug for GuardFuture<S, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
