use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use super::{body::SessionBody, response::ResponseContext};
use crate::{
    device::Answer,
    session::{CommitFuture, Finish},
};

pin_project! {
    /// The response future of a [`WizSessionService`](super::WizSessionService): runs the handler, then commits the session
    /// if it was changed.
    ///
    /// # Cancel safety
    /// Dropped while the handler runs, nothing is committed. Dropped during the commit, it has happened completely or not
    /// at all. Either way no cookie is sent, so a task that kept the session can no longer begin one or change its id.
    pub struct ResponseFuture<F, B, E> {
        // Dropped before the session, so that a handler that is cut off lets go of it first.
        #[pin]
        pub(super) phase: Phase<F, B, E>,
        // `None` if a layer further out commits.
        pub(super) context: Option<ResponseContext>,
    }
}

pin_project! {
    #[project = PhaseProjection]
    pub(super) enum Phase<F, B, E> {
        Handler { #[pin] handler: F },
        // The only box beside the next, made only if there is something to commit that cannot be done at once.
        Commit { commit: CommitFuture, result: Option<Result<Response<SessionBody<B>>, E>> },
        // The layer's own, to a browser that binds a session to its device.
        Device { answer: Answer },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<SessionBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let PhaseProjection::Device { answer } = this.phase.as_mut().project() {
            let answer = ready!(Pin::new(answer).poll(cx));
            return Poll::Ready(Ok(answer.map(SessionBody::of_text)));
        }
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
                Finish::Unchanged => {
                    context.is_finished = true;
                    if let Ok(response) = &mut result {
                        context.vary(response);
                    }
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

/// Whether the request failed, so that its changes are discarded.
fn has_failed<B, E>(result: &Result<Response<B>, E>) -> bool {
    result
        .as_ref()
        .map_or(true, |response| is_failure(response.status()))
}

/// 408 is what a timeout layer inside of this one answers for a handler that it cut off.
pub(crate) fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
