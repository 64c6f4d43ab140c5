use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_cookies::Cookies;
use tower_service::Service;

use super::future::{Mount, Phase, ResponseFuture};
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

    fn slot(&self, presented: Presented, outer: Option<Arc<Slot>>) -> Arc<Slot> {
        Arc::new(Slot::new(Arc::clone(&self.shared), presented, outer))
    }

    /// What to mount where a layer outside has mounted a session: the same if it is for the same cookie, and then there
    /// is nothing to do for this layer.
    fn nested(&self, outer: Arc<Slot>, presented: Presented) -> (Arc<Slot>, bool) {
        let mut next = Some(&outer);
        while let Some(slot) = next {
            if slot.shared.cookie.cookie_name() == self.shared.cookie.cookie_name() {
                return (Arc::clone(slot), false);
            }
            next = slot.outer();
        }
        (self.slot(presented, Some(outer)), true)
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
        let presented = Presented::in_headers(request.headers());
        let mut slot = self.slot(presented, None);
        let mut is_ours = true;
        let extensions = request.extensions_mut();
        // First: a look right after an insert has to wait for the processor's writes.
        let jar = extensions.get::<Cookies>().cloned();
        // Inserted first and asked later: most applications have one layer.
        if let Some(Mounted(outer)) = extensions.insert(Mounted(Arc::clone(&slot))) {
            (slot, is_ours) = self.nested(outer, slot.presented().clone());
            extensions.insert(Mounted(Arc::clone(&slot)));
        }
        ResponseFuture {
            mount: is_ours.then_some(Mount {
                slot,
                jar,
                waited: false,
            }),
            phase: Phase::Handler {
                handler: self.inner.call(request),
            },
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for WizSessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WizSessionService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
