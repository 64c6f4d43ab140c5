use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use ::cookie::Cookie;
use http::{
    HeaderValue, Request, Response,
    header::{COOKIE, SET_COOKIE},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{error::Error, layer::WizSessionLayer, session::WizSession};

/// Logs a user in through the layer, and returns the `Cookie` header of that visitor.
///
/// ```
/// use http::{Request, header::COOKIE};
/// use wiz_session::{Key, MemoryStore, WizSessionLayer, test_util::logged_in};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
/// let cookie = logged_in(&layer, "alice").await;
/// let request = Request::get("/account").header(COOKIE, cookie).body(());
/// # }
/// ```
///
/// # Panics
/// If the store fails.
pub async fn logged_in(layer: &WizSessionLayer, user: impl ToString) -> HeaderValue {
    let log_in = |session: &WizSession| {
        session.log_in(user);
        Ok(())
    };
    session_cookie(layer, log_in).await
}

/// Begins a session through the layer, filled by the closure, and returns the `Cookie` header of its visitor.
///
/// ```
/// use wiz_session::{Key, MemoryStore, WizSessionLayer, test_util};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
/// let anonymous = test_util::session_cookie(&layer, |session| session.set("cart", [7, 8])).await;
/// let administrator = test_util::session_cookie(&layer, |session| {
///     session.log_in("alice");
///     session.set("is_admin", true)
/// })
/// .await;
/// # }
/// ```
///
/// # Panics
/// If the closure sets nothing or returns an error, or if the store fails.
pub async fn session_cookie(
    layer: &WizSessionLayer,
    fill: impl FnOnce(&WizSession) -> Result<(), Error>,
) -> HeaderValue {
    let (filled, response) = visit(layer, None, fill).await;
    filled.expect("the closure fills the session");
    cookie_header(&response).unwrap_or_else(|| match response.status() {
        status if status.is_success() => {
            panic!("no session began: put a value into it, or log somebody in")
        }
        status => panic!("the session could not be stored: {status}; see what the layer logs"),
    })
}

/// Runs a closure on the session of the visitor with this `Cookie` header, as the handler of a request would, and returns
/// what it returns. Use it to look at what a handler left. Changes are committed, and it counts as a use.
///
/// ```
/// use wiz_session::{Key, MemoryStore, WizSessionLayer, test_util::{logged_in, with_session}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
/// let cookie = logged_in(&layer, "alice").await;
/// assert_eq!(with_session(&layer, &cookie, |session| session.user()).await.as_deref(), Some("alice"));
/// # }
/// ```
///
/// # Panics
/// If the store fails.
pub async fn with_session<R>(
    layer: &WizSessionLayer,
    cookie: &HeaderValue,
    look: impl FnOnce(&WizSession) -> R,
) -> R {
    let (result, response) = visit(layer, Some(cookie), look).await;
    let status = response.status();
    assert!(
        status.is_success(),
        "the session could not be stored: {status}; see what the layer logs"
    );
    result
}

/// The `Cookie` header with which a browser would answer this response's `Set-Cookie`. `None` if it set no cookie, or only
/// removed some.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::post};
/// use tower::ServiceExt;
/// use wiz_session::{Key, MemoryStore, WizSession, WizSessionLayer, test_util::{cookie_header, with_session}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
/// let log_in = async |session: WizSession| session.log_in("alice");
/// let app = Router::new().route("/login", post(log_in)).layer(layer.clone());
///
/// let response = app.oneshot(Request::post("/login").body(Body::empty()).unwrap()).await.unwrap();
/// let cookie = cookie_header(&response).expect("a login sends a cookie");
/// assert!(with_session(&layer, &cookie, |session| session.user().is_some()).await);
/// # }
/// ```
#[must_use]
pub fn cookie_header<B>(response: &Response<B>) -> Option<HeaderValue> {
    let lines = response.headers().get_all(SET_COOKIE).iter();
    let pairs: Vec<String> = lines
        .filter_map(|line| Cookie::parse(line.to_str().ok()?).ok())
        .filter(|cookie| !cookie.max_age().is_some_and(|age| age.is_zero()))
        .map(|cookie| format!("{}={}", cookie.name(), cookie.value()))
        .collect();
    let line = (!pairs.is_empty()).then(|| pairs.join("; "))?;
    Some(line.parse().expect("parts of a header make a header"))
}

/// Sends a request through the layer, whose handler runs the closure on its session.
async fn visit<R>(
    layer: &WizSessionLayer,
    cookie: Option<&HeaderValue>,
    act: impl FnOnce(&WizSession) -> R,
) -> (R, Response<()>) {
    let mut request = Request::new(());
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie.clone());
    }
    let mut result = None;
    let place = &mut result;
    let handler = Handler(Some(|request: Request<()>| async move {
        let session = WizSession::from_extensions(request.extensions()).await;
        *place = Some(act(&session.expect("the store answers")));
        Ok::<_, Infallible>(Response::new(()))
    }));
    let Ok(response) = layer.layer(handler).call(request).await;
    (result.expect("the handler ran"), response.map(drop))
}

/// A service for one request.
struct Handler<F>(Option<F>);

impl<F, Answer> Service<Request<()>> for Handler<F>
where
    F: FnOnce(Request<()>) -> Answer,
    Answer: Future<Output = Result<Response<()>, Infallible>>,
{
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Answer {
        let Self(handler) = self;
        handler.take().expect("one request")(request)
    }
}
