use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_cookies::Cookies;
use tower_service::Service;

use super::future::{Phase, ResponseContext, ResponseFuture};
use crate::{
    cookie::CookieHeader,
    session::{RequestSession, SessionExtension, Shared},
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

    fn slot(
        &self,
        presented: CookieHeader,
        outer: Option<Arc<RequestSession>>,
    ) -> Arc<RequestSession> {
        Arc::new(RequestSession::new(
            Arc::clone(&self.shared),
            presented,
            outer,
        ))
    }

    /// What to mount where layers outside have mounted sessions: the same if one is for the same cookie, and then there
    /// is nothing to do for this layer.
    fn nested(
        &self,
        innermost: Arc<RequestSession>,
        presented: CookieHeader,
    ) -> (Arc<RequestSession>, bool) {
        let mut next = Some(&innermost);
        while let Some(slot) = next {
            if slot.shared.cookie.name() == self.shared.cookie.name() {
                return (Arc::clone(slot), false);
            }
            next = slot.outer();
        }
        (self.slot(presented, Some(innermost)), true)
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
        let presented = CookieHeader::in_headers(request.headers());
        let mut slot = self.slot(presented, None);
        let mut is_ours = true;
        let extensions = request.extensions_mut();
        // First: a look right after an insert has to wait for the processor's writes.
        let jar = extensions.get::<Cookies>().cloned();
        // Inserted first and asked later: most applications have one layer.
        let mounted = |slot: &Arc<RequestSession>, innermost| SessionExtension {
            slot: Arc::clone(slot),
            innermost,
        };
        if let Some(outside) = extensions.insert(mounted(&slot, None)) {
            let innermost = outside.innermost.unwrap_or(outside.slot);
            (slot, is_ours) = self.nested(Arc::clone(&innermost), slot.presented().clone());
            extensions.insert(mounted(&slot, (!is_ours).then_some(innermost)));
        }
        ResponseFuture {
            mount: is_ours.then_some(ResponseContext {
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
