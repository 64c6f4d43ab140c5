//! Device-bound sessions.

mod lifecycle;
mod refusals;
mod requests;
mod signer;
mod thieves;

use std::time::Duration;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request},
    routing::{get, post},
};
use http::{HeaderValue, Response, StatusCode, header::COOKIE};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use wiz_session::{DeviceBinding, WizSession, test_util::DeviceBrowser};

use crate::support::Site;

const REGISTER: &str = "/.well-known/wiz-session/device/register";
const REFRESH: &str = "/.well-known/wiz-session/device/refresh";

/// A site that binds sessions, with an application on it.
struct Shop {
    site: Site,
    app: Router,
}

impl Shop {
    fn new(binding: DeviceBinding) -> Self {
        Self::on(Site::with(|builder| builder.device_bound(binding)))
    }

    fn on(site: Site) -> Self {
        let app = Router::new()
            .route("/", get(see))
            .route("/login/{user}", post(log_in))
            .route("/logout", post(async |session: WizSession| session.clear()))
            .route(
                "/regenerate",
                post(async |session: WizSession| session.regenerate()),
            )
            .route("/set/{key}", post(set))
            .route("/healthz", get(async || "well"))
            .layer(site.layer.clone());
        Self { site, app }
    }

    fn browser(&self) -> DeviceBrowser {
        DeviceBrowser::new(&self.site.clock)
    }

    /// A browser in which Alice is logged in and bound. The calls that it took are not counted.
    async fn alice(&self) -> DeviceBrowser {
        let mut browser = self.browser();
        self.post(&mut browser, "/login/alice").await;
        assert!(browser.is_bound());
        self.site.store.take_calls();
        browser
    }

    async fn post(&self, browser: &mut DeviceBrowser, path: &str) -> Response<Body> {
        let response = browser.send(&self.app, request(path)).await;
        assert_eq!(response.status(), StatusCode::OK);
        response
    }

    /// What the session of this browser looks like.
    async fn see(&self, browser: &mut DeviceBrowser) -> Value {
        let response = browser.send(&self.app, blank("/")).await;
        json_of(response).await
    }

    async fn user(&self, browser: &mut DeviceBrowser) -> Value {
        self.see(browser).await["user"].take()
    }

    /// The bound cookie is renewed before a request that does not touch the session.
    async fn refresh(&self, browser: &mut DeviceBrowser) {
        browser.end_bound_cookies();
        let response = browser.send(&self.app, blank("/healthz")).await;
        assert_eq!(response.status(), StatusCode::OK);
    }

    /// What it looks like to a client that has these cookies and no key.
    async fn see_with(&self, cookies: &HeaderValue) -> Value {
        let request = Request::get("/").header(COOKIE, cookies);
        json_of(self.ask(request.body(Body::empty()).unwrap()).await).await
    }

    async fn ask(&self, request: Request) -> Response<Body> {
        let Ok(response) = self.app.clone().oneshot(request).await;
        response
    }

    fn pass_seconds(&self, seconds: u64) {
        self.site.clock.advance(Duration::from_secs(seconds));
    }
}

async fn see(session: WizSession) -> Json<Value> {
    Json(json!({
        "user": session.user(),
        "data": session.to_map(),
        "bound": session.is_device_bound(),
        "unbound": session.is_unbound(),
        "ended": session.is_ended(),
    }))
}

async fn log_in(session: WizSession, Path(user): Path<String>) {
    session.log_in(user);
}

async fn set(session: WizSession, Path(key): Path<String>) -> Result<(), wiz_session::Error> {
    session.set(&key, true)
}

fn request(path: &str) -> Request {
    Request::post(path).body(Body::empty()).unwrap()
}

fn blank(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The one cookie with this name of a `Cookie` header, as such a header.
fn only(cookies: &HeaderValue, name: &str) -> HeaderValue {
    let line = cookies.to_str().unwrap();
    let mut pairs = line.split("; ");
    let pair = pairs.find(|pair| pair.split('=').next() == Some(name));
    pair.expect("it is there").parse().unwrap()
}
