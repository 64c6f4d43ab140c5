//! A layer that wraps the service and the future, and does nothing else: what axum charges for any layer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Contestant, bare};

pub const CONTESTANT: Contestant = Contestant {
    name: "noop",
    app: || bare::app().layer(NoopLayer),
};

#[derive(Clone)]
struct NoopLayer;

impl<S> Layer<S> for NoopLayer {
    type Service = Noop<S>;

    fn layer(&self, inner: S) -> Noop<S> {
        Noop { inner }
    }
}

#[derive(Clone)]
struct Noop<S> {
    inner: S,
}

impl<S: Service<R>, R> Service<R> for Noop<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = NoopFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        NoopFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    struct NoopFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for NoopFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}
