use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_cookies::Cookies;
use tower_service::Service;

use super::future::ResponseFuture;
use crate::{
    cookie::Presented,
    session::{Mounted, Shared, Slot},
};

/// The service of a [`WizSessionLayer`](super::WizSessionLayer).
#[derive(Clone)]
pub struct WizSessionService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> WizSessionService<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// Whether a layer outside of this one has mounted the session of the same cookie.
    fn is_mounted<B>(&self, request: &Request<B>) -> bool {
        let mounted = request.extensions().get::<Mounted>();
        mounted.is_some_and(|Mounted(slot)| {
            slot.shared.cookie.cookie_name() == self.shared.cookie.cookie_name()
        })
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for WizSessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if self.is_mounted(&request) {
            return ResponseFuture::new(self.inner.call(request), None, None);
        }
        let presented = Presented::in_headers(request.headers());
        let slot = Arc::new(Slot::new(Arc::clone(&self.shared), presented));
        let jar = request.extensions().get::<Cookies>().cloned();
        request.extensions_mut().insert(Mounted(Arc::clone(&slot)));
        ResponseFuture::new(self.inner.call(request), Some(slot), jar)
    }
}

impl<S: fmt::Debug> fmt::Debug for WizSessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WizSessionService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
