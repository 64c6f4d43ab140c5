use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    super::bridge::{append, refusal},
    store::FlaskSessionStore,
    visit::Visit,
};

/// Keeps Flask's cookie in step with the session's, over a [`FlaskSessionStore`]: see [`FlaskSessionStore::bridge`].
///
/// # Behaviour
///
/// The record that Flask's cookie names is the session, also where the session's own cookie names another one: Flask sees no
/// other. One that began at Flask begins here when a request first brings its id, and gets a cookie of its own. Without a
/// cookie of Flask's, or if its record is gone, the session's own cookie counts, if the session began here.
///
/// A new session, or one that has a new id, commits before the response of the handler goes on, and its id is set as Flask's
/// cookie. A logout here deletes the record and removes both cookies. A cookie of Flask's that a late response has brought
/// back after a login is recognised for a minute, and replaced.
///
/// A session whose own cookie was lost gets another, which leads to it together with Flask's only.
///
/// It takes no call to the store, unless the two cookies name different sessions.
#[derive(Debug, Clone)]
pub struct FlaskSessionBridge {
    store: FlaskSessionStore,
}

impl FlaskSessionStore {
    /// The layer that keeps Flask's cookie in step with the session's. Mount it inside of the session layer, around all
    /// routes that use the session.
    #[must_use]
    pub fn bridge(&self) -> FlaskSessionBridge {
        FlaskSessionBridge::new(self.clone())
    }
}

impl FlaskSessionBridge {
    pub(super) fn new(store: FlaskSessionStore) -> Self {
        Self { store }
    }
}

impl<S> Layer<S> for FlaskSessionBridge {
    type Service = FlaskSessionBridgeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FlaskSessionBridgeService {
            inner,
            store: self.store.clone(),
        }
    }
}

/// The service of a [`FlaskSessionBridge`].
///
/// Where the session cannot be loaded it answers 503 itself, and 500 without a session layer around it, with an empty body.
#[derive(Clone)]
pub struct FlaskSessionBridgeService<S> {
    inner: S,
    store: FlaskSessionStore,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for FlaskSessionBridgeService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Default + Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let clone = self.inner.clone();
        // `inner` is ready to be called; its clone may not be.
        let mut inner = mem::replace(&mut self.inner, clone);
        let store = self.store.clone();
        Box::pin(async move {
            let visit = match Visit::begin(&store, request.extensions()).await {
                Ok(visit) => visit,
                Err(error) => return Ok(refusal(&error)),
            };
            let mut response = inner.call(request).await?;
            if let Some(line) = visit.end(&store, response.status()).await {
                append(&mut response, line);
            }
            Ok(response)
        })
    }
}

impl<S: fmt::Debug> fmt::Debug for FlaskSessionBridgeService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskSessionBridgeService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
