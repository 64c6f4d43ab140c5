//! Futures that are driven by hand, so that two calls meet where they are meant to, not where luck lets them.

use std::{future::poll_fn, pin::Pin, task::Poll};

use super::subject::Subject;
use crate::store::SessionStore;

/// How often a call may wait before it is no longer paused.
pub(super) const MOST_WAITS: usize = 12;

/// Drives a call until it has waited so often. Gives its answer if it comes before.
pub(super) async fn until_it_waits<F: Future>(
    mut call: Pin<&mut F>,
    times: usize,
) -> Option<F::Output> {
    let mut waited = 0;
    poll_fn(|cx| {
        if waited == times {
            return Poll::Ready(None);
        }
        if let Poll::Ready(answer) = call.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        waited += 1;
        match waited == times {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    })
    .await
}

/// Drives the second call to its end while the first one is paused, and then that. If the first holds the second up, with
/// a lock for instance, they go on together.
pub(super) async fn one_within_the_other<S: SessionStore, A: Future, B: Future>(
    store: &Subject<S>,
    paused: Pin<&mut A>,
    mut within: Pin<&mut B>,
) -> (A::Output, B::Output) {
    match tokio::time::timeout(store.patience(), within.as_mut()).await {
        Ok(answer) => (paused.await, answer),
        Err(_) => {
            store.lost_patience();
            both(paused, within).await
        }
    }
}

async fn both<A: Future, B: Future>(
    mut a: Pin<&mut A>,
    mut b: Pin<&mut B>,
) -> (A::Output, B::Output) {
    let (mut of_a, mut of_b) = (None, None);
    poll_fn(|cx| {
        if of_a.is_none()
            && let Poll::Ready(answer) = a.as_mut().poll(cx)
        {
            of_a = Some(answer);
        }
        if of_b.is_none()
            && let Poll::Ready(answer) = b.as_mut().poll(cx)
        {
            of_b = Some(answer);
        }
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (of_a, of_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}
