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

    /// The session that a layer outside of this one has mounted for the same cookie.
    fn mounted(&self, outer: Option<&Arc<Slot>>) -> Option<Arc<Slot>> {
        let mut slot = outer?;
        while slot.shared.cookie.cookie_name() != self.shared.cookie.cookie_name() {
            slot = slot.outer()?;
        }
        Some(Arc::clone(slot))
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
        let outer = request.extensions().get().map(|Mounted(slot)| slot);
        if let Some(slot) = self.mounted(outer) {
            // Another cookie's layer may stand between.
            request.extensions_mut().insert(Mounted(slot));
            return ResponseFuture::new(self.inner.call(request), None, None);
        }
        let presented = Presented::in_headers(request.headers());
        let slot = Slot::new(Arc::clone(&self.shared), presented, outer.cloned());
        let slot = Arc::new(slot);
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
