use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_cookies::Cookies;
use tower_service::Service;

use super::{
    body::SessionBody,
    future::{Phase, ResponseFuture},
    response::ResponseContext,
};
use crate::{
    cookie::CookieHeader,
    device,
    session::{LayerConfig, RequestSession, SessionExtension},
};

/// The service of a [`WizSessionLayer`](super::WizSessionLayer).
#[derive(Clone)]
pub struct WizSessionService<S> {
    inner: S,
    config: Arc<LayerConfig>,
}

impl<S> WizSessionService<S> {
    pub(super) fn new(inner: S, config: Arc<LayerConfig>) -> Self {
        Self { inner, config }
    }

    fn session(
        &self,
        cookies: CookieHeader,
        outer: Option<Arc<RequestSession>>,
    ) -> Arc<RequestSession> {
        Arc::new(RequestSession::new(
            Arc::clone(&self.config),
            cookies,
            outer,
        ))
    }

    /// What to mount if outer layers have mounted sessions. A clone of this layer further out owns the session, so this one
    /// has nothing to do. A different layer with the same cookie name is a mistake, which the first use reports.
    fn nested(
        &self,
        outside: SessionExtension,
        cookies: CookieHeader,
    ) -> (Option<Arc<RequestSession>>, SessionExtension) {
        let is_own = |session: &&Arc<RequestSession>| Arc::ptr_eq(&session.config, &self.config);
        let name = self.config.cookie.name();
        let has_name = |session: &&Arc<RequestSession>| session.config.cookie.name() == name;
        let same = outside.all().find(is_own).cloned();
        let duplicate = || outside.all().find(has_name).cloned();
        let is_duplicate = same.is_none();
        let shared = same.or_else(duplicate);
        let innermost = outside.innermost.unwrap_or(outside.session);
        match shared {
            Some(session) => (
                None,
                SessionExtension {
                    session,
                    innermost: Some(innermost),
                    is_duplicate,
                },
            ),
            None => {
                let session = self.session(cookies, Some(innermost));
                (Some(Arc::clone(&session)), SessionExtension::new(session))
            }
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for WizSessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<SessionBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if let Some(route) = self.config.device.route(&request) {
            let (parts, _empty) = request.into_parts();
            let answer = device::answer(route, Arc::clone(&self.config), parts);
            return ResponseFuture {
                context: None,
                phase: Phase::Device { answer },
            };
        }
        let cookies = self.config.cookie.credentials(request.headers());
        let mut session = Some(self.session(cookies, None));
        let extensions = request.extensions_mut();
        // First: a look right after an insert has to wait for the processor's writes.
        let jar = extensions.get::<Cookies>().cloned();
        // Inserted first and asked later: most applications have one layer.
        if let Some(mounted) = &session
            && let Some(outside) = extensions.insert(SessionExtension::new(Arc::clone(mounted)))
        {
            let cookies = mounted.cookies().clone();
            let (own, extension) = self.nested(outside, cookies);
            session = own;
            extensions.insert(extension);
        }
        if session.is_some() {
            self.config.device.note_skipped(request.headers());
        }
        ResponseFuture {
            context: session.map(|session| ResponseContext::new(session, jar)),
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
