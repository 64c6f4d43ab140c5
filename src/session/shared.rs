use std::{future::poll_fn, task::Poll, time::Duration};

use super::queue::Queue;
use crate::{
    cookie::SessionCookie,
    error::Error,
    expiry::Expiry,
    observe::Timer,
    store::{Answer, ErasedStore},
    time::Clock,
};

/// What all requests through one layer share.
pub(crate) struct Shared {
    pub(crate) store: Box<dyn ErasedStore>,
    pub(crate) cookie: SessionCookie,
    pub(crate) expiry: Expiry,
    pub(crate) clock: Clock,
    pub(crate) max_bytes: usize,
    pub(crate) store_timeout: Duration,
    pub(crate) queue: Queue,
}

impl Shared {
    /// Waits for a store's answer, for as long as it may take. The timer was started before the store was asked.
    pub(crate) async fn ask<T>(&self, timer: Timer, answer: Answer<'_, T>) -> Result<T, Error> {
        let mut answer = match answer {
            Answer::Now(answer) => return timer.stop(answer),
            Answer::Later(answer) => answer,
        };
        // What is ready at once needs no timeout.
        if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            return timer.stop(answer);
        }
        // Boxed, so that the futures around it are small; next to a store that has to be waited for it is nothing.
        match Box::pin(tokio::time::timeout(self.store_timeout, answer)).await {
            Ok(answer) => timer.stop(answer),
            Err(_) => timer.stop(Err(Error::timeout(self.store_timeout))),
        }
    }
}
