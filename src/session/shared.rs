use std::{future::poll_fn, task::Poll, time::Duration};

use super::queue::Queue;
use crate::{
    cookie::{Codec, CookieOptions, Name, Template},
    error::Error,
    expiry::Expiry,
    observe::Timer,
    store::{Answer, ErasedStore, Later},
    time::Clock,
};

/// What all requests through one layer share.
pub(crate) struct Shared {
    pub(crate) store: Box<dyn ErasedStore>,
    pub(crate) codec: Codec,
    pub(crate) cookie: CookieOptions,
    pub(crate) cookie_name: Name,
    pub(crate) set_cookie: Template,
    pub(crate) expiry: Expiry,
    pub(crate) clock: Clock,
    pub(crate) max_bytes: usize,
    pub(crate) store_timeout: Duration,
    pub(crate) queue: Queue,
}

impl Shared {
    /// Asks the store, and waits for its answer for as long as that may take.
    pub(crate) fn ask<'a, T: 'a>(
        &'a self,
        verb: &'static str,
        call: impl FnOnce(&'a dyn ErasedStore) -> Answer<'a, T>,
    ) -> impl Future<Output = Result<T, Error>> {
        let timer = Timer::start(verb);
        self.timed(timer, call(&*self.store))
    }

    async fn timed<T>(&self, timer: Timer, answer: Answer<'_, T>) -> Result<T, Error> {
        let answer = match answer {
            Answer::Now(answer) => answer,
            Answer::Later(answer) => self.wait(answer).await,
        };
        timer.stop(&answer);
        answer
    }

    async fn wait<T>(&self, mut answer: Later<'_, T>) -> Result<T, Error> {
        // What is ready at once needs no timeout.
        if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            return answer;
        }
        // Boxed, so that the futures around it are small; next to a store that has to be waited for it is nothing.
        match Box::pin(tokio::time::timeout(self.store_timeout, answer)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::timeout(self.store_timeout)),
        }
    }
}
