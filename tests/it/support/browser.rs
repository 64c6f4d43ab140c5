use std::{collections::BTreeMap, convert::Infallible, time::SystemTime};

use axum::{
    RequestExt,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use cookie::Cookie;
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{COOKIE, HeaderName, SET_COOKIE},
};
use http_body_util::BodyExt;
use serde::{Serialize, de::DeserializeOwned};
use tower::{Layer, Service, ServiceExt, service_fn};
use wiz_session::{Handle, WizSession, WizSessionLayer};

use super::Site;

/// A client that keeps cookies. A clone is another tab: it has the cookies of the moment when it was opened.
#[derive(Clone)]
pub(crate) struct Browser {
    layer: WizSessionLayer,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(layer: WizSessionLayer) -> Self {
        Self {
            layer,
            cookies: BTreeMap::new(),
        }
    }

    /// Sends a request whose handler does this with its session.
    pub(crate) async fn visit<R: IntoResponse>(
        &mut self,
        handler: impl AsyncFnOnce(WizSession) -> R,
    ) -> Reply {
        let service = self.layer.layer(handle(handler));
        self.send(service, Request::default()).await
    }

    /// Sends a request, and hangs up where it waits for the first time.
    pub(crate) fn visit_and_leave(&mut self, handler: impl AsyncFnOnce(WizSession)) {
        let answer = self.visit(handler).now_or_never();
        assert!(answer.is_none(), "it did not wait");
    }

    /// Sends a request with this browser's cookies to a service, and keeps those that come back.
    pub(crate) async fn send<S>(&mut self, service: S, mut request: Request) -> Reply
    where
        S: Service<Request, Response: IntoResponse, Error = Infallible>,
    {
        if let Some(line) = self.line() {
            request.headers_mut().insert(COOKIE, line);
        }
        let reply = send(service, request).await;
        for cookie in reply.cookies() {
            if cookie.max_age().is_some_and(|age| age.is_zero()) {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies
                    .insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        reply
    }

    /// Visits and sets one value.
    pub(crate) async fn write(&mut self, key: &str, value: impl Serialize) -> Reply {
        self.visit(async |session| session.set(key, value)).await
    }

    /// Visits and reads one value.
    pub(crate) async fn read<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let mut value = None;
        let reply = self
            .visit(async |session| session.get(key).map(|read| value = read))
            .await;
        assert_eq!(reply.status, StatusCode::OK);
        value
    }

    /// Visits and asks for the public name of the session.
    pub(crate) async fn handle(&mut self) -> Option<Handle> {
        let mut handle = None;
        self.visit(async |session| handle = session.handle()).await;
        handle
    }

    /// Visits and asks who is logged in.
    pub(crate) async fn user(&mut self) -> Option<String> {
        let mut user = None;
        self.visit(async |session| user = session.user()).await;
        user
    }

    /// Visits and asks when the session ends.
    pub(crate) async fn expires_at(&mut self) -> Option<SystemTime> {
        let mut at = None;
        self.visit(async |session| at = session.expires_at()).await;
        at
    }

    pub(crate) fn layer(&self) -> WizSessionLayer {
        self.layer.clone()
    }

    /// The value of the one cookie it has.
    pub(crate) fn value(&self) -> &str {
        let mut values = self.cookies.values();
        let value = values.next().expect("it has a cookie");
        assert!(values.next().is_none(), "it has several cookies");
        value
    }

    pub(crate) fn has_cookies(&self) -> bool {
        !self.cookies.is_empty()
    }

    /// Puts a cookie there, whatever the site has set.
    pub(crate) fn keep(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// The value of the cookie of this name.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Loses a cookie.
    pub(crate) fn lose(&mut self, name: &str) {
        self.cookies.remove(name);
    }

    /// The same cookies, but visiting another site.
    pub(crate) fn at(&self, site: &Site) -> Self {
        self.through(site.layer.clone())
    }

    /// The same cookies, but through another layer.
    pub(crate) fn through(&self, layer: WizSessionLayer) -> Self {
        Self {
            layer,
            cookies: self.cookies.clone(),
        }
    }

    fn line(&self) -> Option<HeaderValue> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; ").parse().expect("cookies are header values"))
    }
}

impl Site {
    /// Sends these `Cookie` lines, byte by byte, to a handler that does this with its session.
    pub(crate) async fn visit_with<R: IntoResponse>(
        &self,
        lines: &[&[u8]],
        handler: impl AsyncFnOnce(WizSession) -> R,
    ) -> Reply {
        let mut request = Request::default();
        for line in lines {
            let line = HeaderValue::from_bytes(line).expect("a header value");
            request.headers_mut().append(COOKIE, line);
        }
        send(self.layer.layer(handle(handler)), request).await
    }
}

/// A service for one request, whose handler takes its session as an axum handler does.
pub(crate) fn handle<R: IntoResponse>(
    handler: impl AsyncFnOnce(WizSession) -> R,
) -> impl Service<Request, Response = Response, Error = Infallible> {
    let mut handler = Some(handler);
    service_fn(move |mut request: Request| {
        let handler = handler.take().expect("one request");
        async move {
            Ok(match request.extract_parts::<WizSession>().await {
                Ok(session) => handler(session).await.into_response(),
                Err(rejection) => rejection.into_response(),
            })
        }
    })
}

/// A service that answers without a look at the session.
pub(crate) fn ignore<R: IntoResponse>(
    answer: R,
) -> impl Service<Request, Response = Response, Error = Infallible> {
    let mut answer = Some(answer);
    service_fn(move |_: Request| {
        let answer = answer.take().expect("one request");
        async move { Ok(answer.into_response()) }
    })
}

async fn send<S>(service: S, request: Request) -> Reply
where
    S: Service<Request, Response: IntoResponse, Error = Infallible>,
{
    let Ok(response) = service.oneshot(request).await;
    let (head, body) = response.into_response().into_parts();
    Reply {
        status: head.status,
        headers: head.headers,
        body: text(body).await,
    }
}

async fn text(body: Body) -> String {
    let bytes = body.collect().await.expect("the body ends").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("the body is text")
}

/// A response as it arrived.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// All cookies it sets or removes.
    pub(crate) fn cookies(&self) -> Vec<Cookie<'static>> {
        self.lines(SET_COOKIE)
            .into_iter()
            .map(|line| Cookie::parse(line).expect("a valid cookie").into_owned())
            .collect()
    }

    /// The only cookie that it sets or removes.
    pub(crate) fn cookie(&self) -> Cookie<'static> {
        let mut cookies = self.cookies();
        assert_eq!(cookies.len(), 1, "one Set-Cookie: {:?}", self.headers);
        cookies.remove(0)
    }

    /// All lines of a header.
    pub(crate) fn lines(&self, name: HeaderName) -> Vec<String> {
        let lines = self.headers.get_all(name).iter();
        lines
            .map(|line| line.to_str().expect("text").to_owned())
            .collect()
    }

    #[track_caller]
    pub(crate) fn is_ok(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
    }

    /// It succeeded, and left the browser's cookies alone.
    #[track_caller]
    pub(crate) fn is_ok_without_cookie(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.lines(SET_COOKIE), [""; 0]);
    }
}
