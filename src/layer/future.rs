use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use super::{body::SessionBody, response::ResponseContext};
use crate::session::{CommitFuture, Finish};

pin_project! {
    /// The response of a [`WizSessionService`](super::WizSessionService): first the handler's, then, if the session
    /// was changed, the commit's.
    pub struct ResponseFuture<F, B, E> {
        // Unset where a layer outside commits.
        pub(super) context: Option<ResponseContext>,
        #[pin]
        pub(super) phase: Phase<F, B, E>,
    }
}

pin_project! {
    #[project = PhaseProjection]
    pub(super) enum Phase<F, B, E> {
        Handler { #[pin] handler: F },
        // The only box, and only for sessions that have something to store.
        Commit { commit: CommitFuture, result: Option<Result<Response<SessionBody<B>>, E>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<SessionBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let PhaseProjection::Handler { handler } = this.phase.as_mut().project() {
            let Poll::Ready(result) = handler.poll(cx) else {
                if let Some(context) = this.context {
                    context.has_waited = true;
                }
                return Poll::Pending;
            };
            let mut result = result.map(|response| response.map(SessionBody::new));
            let Some(context) = this.context else {
                return Poll::Ready(result);
            };
            match context
                .session
                .finish(has_failed(&result), context.has_waited)
            {
                Finish::Untouched => {
                    context.is_finished = true;
                    return Poll::Ready(result);
                }
                Finish::Done(finished) => {
                    context.is_finished = true;
                    context.apply(&mut result, finished);
                    return Poll::Ready(result);
                }
                Finish::Commit(commit) => this.phase.set(Phase::Commit {
                    commit,
                    result: Some(result),
                }),
            }
        }
        let (PhaseProjection::Commit { commit, result }, Some(context)) =
            (this.phase.project(), this.context)
        else {
            unreachable!("a handler that answered is followed by the commit of what is mounted");
        };
        let finished = ready!(commit.as_mut().poll(cx));
        let mut result = result.take().expect("not polled after completion");
        context.is_finished = true;
        context.apply(&mut result, finished);
        Poll::Ready(result)
    }
}

/// Whether the changes of the request are dropped.
fn has_failed<B, E>(result: &Result<Response<B>, E>) -> bool {
    match result {
        // A limit of time inside of this layer answers so for a handler that it cut off.
        Ok(response) => {
            response.status().is_server_error() || response.status() == StatusCode::REQUEST_TIMEOUT
        }
        Err(_) => true,
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
