//! One contestant in one scenario: its sessions, its requests, and the loop that is measured.

use std::hint::black_box;

use axum::{Router, body::Body, response::Response};
use http::{
    HeaderValue, Request,
    header::{COOKIE, SET_COOKIE},
};
use tokio::{runtime::Runtime, task::unconstrained};
use tower_service::Service;

use crate::{
    contestants::Contestant,
    routes,
    scenario::{Cookie, Scenario, Size},
};

pub struct Stage {
    app: Router,
    runtime: Runtime,
    scenario: &'static Scenario,
    /// `Cookie` headers of the sessions that requests share, in turn.
    lines: Vec<HeaderValue>,
    next: usize,
}

/// Few, so that they stay in the processor's caches for every contestant.
const SESSIONS: usize = 16;

impl Stage {
    pub fn new(contestant: &Contestant, scenario: &'static Scenario) -> Self {
        let runtime = runtime();
        let mut stage = Self {
            app: contestant.app_on(&runtime),
            runtime,
            scenario,
            lines: Vec::new(),
            next: 0,
        };
        if scenario.cookie != Cookie::OwnOnce {
            stage.lines = (0..SESSIONS).map(|_| stage.line()).collect();
        }
        stage
    }

    /// As many requests, with all the sessions they need. Not measured.
    pub fn requests(&mut self, count: usize) -> Vec<Request<Body>> {
        (0..count).map(|_| self.request()).collect()
    }

    /// What is measured: the calls, and dropping the responses.
    pub fn run(&mut self, requests: impl IntoIterator<Item = Request<Body>>) {
        let Self { app, runtime, .. } = self;
        runtime.block_on(unconstrained(async {
            for request in requests {
                black_box(call(app, request).await);
            }
        }));
    }

    fn request(&mut self) -> Request<Body> {
        let path = self.scenario.path;
        match self.scenario.cookie {
            Cookie::None => request(path, None),
            Cookie::OwnOnce => request(path, Some(self.line())),
            Cookie::Own | Cookie::Forged => {
                self.next = (self.next + 1) % self.lines.len();
                request(path, Some(self.lines[self.next].clone()))
            }
        }
    }

    /// The `Cookie` header of a new session.
    fn line(&mut self) -> HeaderValue {
        let Scenario {
            size,
            cookie,
            cookies,
            ..
        } = *self.scenario;
        let fill = match size {
            Size::One | Size::Small => routes::FILL_SMALL,
            Size::Large => routes::FILL_LARGE,
        };
        let response = self
            .runtime
            .block_on(call(&mut self.app, request(fill, None)));
        let own = match cookie {
            Cookie::Forged => forge(&cookies_of(&response)),
            _ => cookies_of(&response),
        };
        let mut line: String = (1..cookies).map(foreign).collect();
        line.push_str(&own);
        HeaderValue::from_str(&line).expect("cookies are ASCII")
    }
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts")
}

pub fn request(path: &'static str, cookies: Option<HeaderValue>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static(path);
    if let Some(cookies) = cookies {
        request.headers_mut().insert(COOKIE, cookies);
    }
    request
}

pub async fn call(app: &mut Router, request: Request<Body>) -> Response {
    let Ok(response) = app.call(request).await;
    assert!(response.status().is_success(), "{}", response.status());
    response
}

/// What a browser sends after this response; something else's cookie if there was none.
pub fn cookies_of(response: &Response) -> String {
    let pairs: Vec<&str> = response
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .map(|line| line.to_str().expect("cookies are ASCII"))
        .map(|line| line.split(';').next().expect("split gives a first part"))
        .collect();
    if pairs.is_empty() {
        return "consent=granted".to_owned();
    }
    pairs.join("; ")
}

/// Another first character: of a MAC, or of an id.
fn forge(cookies: &str) -> String {
    let (name, value) = cookies.split_once('=').expect("a cookie has a value");
    let other = if value.starts_with('a') { 'b' } else { 'a' };
    format!("{name}={other}{}", &value[1..])
}

/// A cookie as analytics scripts set them.
fn foreign(n: usize) -> String {
    format!("_ga_{n:06}=GS1.1.17000{n:05}.{n}.1.17000{n:05}.0.0.0; ")
}
