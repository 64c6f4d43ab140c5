use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode, header::SET_COOKIE};
use tower_layer::Layer;
use tower_service::Service;

use super::{settings::Settings, visit::Visit};
use crate::{error::Error, layer::keep_out_of_caches, observe};

/// One login with a Flask or wiz application beside this one, which keeps its sessions in Flask's signed cookie.
///
/// Mount it inside of the session layer, around all routes that use the session:
///
/// ```
/// use axum::{Router, routing::get};
/// use wiz_session::{Key, MemoryStore, WizSession, WizSessionLayer, flask::FlaskBridge};
///
/// async fn whoami(session: WizSession) -> String {
///     session.user().unwrap_or("nobody".to_owned()) // who logged in here, or at Flask
/// }
///
/// let flask = FlaskBridge::builder("the SECRET_KEY of the Flask application").build()?;
/// let app: Router = Router::new()
///     .route("/whoami", get(whoami))
///     .layer(flask)
///     .layer(WizSessionLayer::new(MemoryStore::new(), Key::generate()));
/// # Ok::<(), wiz_session::ConfigError>(())
/// ```
///
/// # Behaviour
///
/// Before the handler runs, what Flask has done is done to the session:
///
/// - A Flask cookie that verifies, and no living session: one begins with what the cookie holds, logged in if it names a
///   user.
/// - Flask has changed its cookie since the two last agreed: what it changed is changed in the session, key by key. A login or a logout there is
///   one here. A cookie that is gone is a logout: so the session's own cookie alone is worth nothing after it.
/// - A Flask cookie that was altered, is too old, from the future or signed by an unknown key is as good as none. It is
///   never an error.
///
/// After the handler, what the session then holds is written to Flask's cookie, if that holds something else, or if the
/// session is new. The session remembers under [`MIRROR_KEY`](super::MIRROR_KEY) what both last agreed on. A cookie that
/// another request or response has overtaken is recognised, and replaced: of requests that meet here none loses a change.
///
/// The user is written from [`user`](crate::WizSession::user) and by nothing else: a value that some handler sets under
/// Flask's key for the user, `user_id`, never reaches Flask, and is a login on neither side.
///
/// A session that does not fit into a cookie of 4 KB is not written to it: Flask keeps what it had, and an event tells. A
/// login and a logout reach Flask all the same.
///
/// # What it cannot do
///
/// - Flask's cookie is the session: a copy of it that was made before a logout is good at Flask for the
///   [lifetime](super::FlaskBridgeBuilder::lifetime). Here it opens nothing any more if the bridge wrote it, or if it came
///   with a logout here; one that Flask wrote and that was lost otherwise does.
/// - A session that was [revoked](crate::Sessions::revoke_user) lives on at Flask until its cookie comes here, and begins
///   again here if Flask wrote the cookie.
/// - What a socket saves after the response headers are sent is written to Flask's cookie by the next request.
/// - [`authenticated_at`](crate::WizSession::authenticated_at) of a login at Flask is when this side first saw it. For a
///   step-up ask for the password here.
///
/// # Store calls
///
/// A request with Flask's cookie or the session's loads the session, whether its handler asks for it or not. What is shared
/// is committed together with what the handler changed, in one [transaction](crate::WizSession::transaction). Beginning a
/// session from Flask's cookie costs two loads more, and a logout one or two writes, for the cookies whose login has ended.
#[derive(Clone)]
pub struct FlaskBridge {
    settings: Arc<Settings>,
}

impl FlaskBridge {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl<S> Layer<S> for FlaskBridge {
    type Service = FlaskBridgeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FlaskBridgeService {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

impl fmt::Debug for FlaskBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskBridge")
            .field("cookie", &self.settings.options)
            .finish_non_exhaustive()
    }
}

/// The service of a [`FlaskBridge`].
///
/// Where the session cannot be loaded it answers 503 itself, and 500 without a session layer around it, with an empty body.
#[derive(Clone)]
pub struct FlaskBridgeService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for FlaskBridgeService<S>
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
        let settings = Arc::clone(&self.settings);
        Box::pin(async move {
            let visit = match Visit::begin(&settings, request.extensions()).await {
                Ok(visit) => visit,
                Err(error) => return Ok(refusal(&error)),
            };
            let mut response = inner.call(request).await?;
            if let Some(line) = visit.end(&settings, response.status()).await {
                append(&mut response, line);
            }
            Ok(response)
        })
    }
}

pub(super) fn append<B>(response: &mut Response<B>, line: HeaderValue) {
    response.headers_mut().append(SET_COOKIE, line);
    keep_out_of_caches(response.headers_mut());
}

pub(super) fn refusal<B: Default>(error: &Error) -> Response<B> {
    observe::flask_failed(error);
    let mut response = Response::new(B::default());
    let status: StatusCode = error.status();
    *response.status_mut() = status;
    response
}

impl<S: fmt::Debug> fmt::Debug for FlaskBridgeService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlaskBridgeService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
