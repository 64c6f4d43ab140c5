//! A browser of sorts: sends requests to a router and keeps the session's cookies.

use axum::{Router, body::Body, response::Response};
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// What a handler answered, and what it did to the cookie.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The values of `Set-Cookie`, whole.
    pub(crate) set_cookie: Vec<String>,
    pub(crate) body: String,
}

/// A client that keeps cookies. Clones know the same, and forget or learn each for themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// As the header has them.
    pub(crate) cookie: Option<String>,
}

impl Client {
    /// Sends a request and takes the cookies that come back, as a browser does.
    pub(crate) async fn visit(&mut self, app: &Router, path: &str) -> Answer {
        let answer = self.peek(app, path).await;
        answer.set_cookie.iter().for_each(|line| self.keep(line));
        answer
    }

    /// Does what a line of `Set-Cookie` says.
    pub(crate) fn keep(&mut self, line: &str) {
        let name = |pair: &str| pair.split('=').next().map(str::to_owned);
        let pair = line.split(';').next().unwrap_or_default();
        let kept = self.cookie.take().unwrap_or_default();
        let kept = kept.split("; ").filter(|kept| !kept.is_empty());
        let kept = kept.filter(|kept| name(kept) != name(pair));
        let new = (!line.contains("Max-Age=0")).then_some(pair);
        let pairs: Vec<_> = new.into_iter().chain(kept).collect();
        self.cookie = (!pairs.is_empty()).then(|| pairs.join("; "));
    }

    /// Sends a request and looks at the answer only.
    pub(crate) async fn peek(&self, app: &Router, path: &str) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::empty()).expect("a valid request");
        Answer::of(
            app.clone()
                .oneshot(request)
                .await
                .expect("a router never fails"),
        )
        .await
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let set_cookie = response.headers().get_all(SET_COOKIE).iter();
        let set_cookie = set_cookie
            .map(HeaderValue::to_str)
            .map(|line| line.expect("ASCII").to_owned())
            .collect();
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        Self {
            status,
            set_cookie,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}
