//! A site over TLS in the test's own process, which remembers every request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{
        Form, Query, Request,
        ws::{WebSocket, WebSocketUpgrade},
    },
    middleware::{Next, from_fn},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use http::{
    HeaderMap,
    header::{COOKIE, SET_COOKIE},
};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use wiz_session::{Clock, DeviceBinding, Key, MemoryStore, WizSession, WizSessionLayer};

use super::tls::Identity;
use crate::{browser::Browser, certificate::Certificate, chromium::Context};

/// A request as it arrived, and its answer.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "shown where a test fails")]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) has_session: bool,
    pub(super) is_bound: bool,
    pub(super) site: String,
    pub(super) skipped: Option<String>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

pub(super) struct Shop {
    certificate: Certificate,
    app: Router,
    log: Log,
    port: u16,
}

pub(super) const REGISTER: &str = "/.well-known/wiz-session/device/register";
pub(super) const REFRESH: &str = "/.well-known/wiz-session/device/refresh";

const PAGE: &str = "<!doctype html><title>Shop</title><link rel=icon href=data:,><p>Shop</p>\
    <form method=post action=/login><input name=user value=alice><button>Log in</button></form>";

impl Shop {
    pub(super) async fn open(binding: DeviceBinding) -> Self {
        Self::open_at(binding, Clock::system()).await
    }

    /// A site that goes by another clock than the browser.
    pub(super) async fn open_at(binding: DeviceBinding, clock: Clock) -> Self {
        let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate()).clock(clock);
        let layer = layer.device_bound(binding).build().expect("it makes sense");
        let log = Log::default();
        let app = Router::new()
            .route("/", get(async |_session: WizSession| Html(PAGE)))
            .route("/login", post(log_in))
            .route("/logout", post(async |session: WizSession| session.clear()))
            .route("/regenerate", post(regenerate))
            .route("/set", post(set))
            .route("/see", get(async |session: WizSession| Json(see(&session))))
            .route("/drop", post(drop_bound_cookie))
            .route("/ws", any(socket))
            .layer(layer)
            .layer(from_fn(record))
            .layer(Extension(log.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let certificate = Certificate::new();
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| certificate.path(name));
        let identity = Identity::read(&cert.to_string_lossy(), &key.to_string_lossy());
        let listener = identity.expect("both are there").listen(listener);
        let serve = axum::serve(listener.expect("a runtime"), app.clone());
        tokio::spawn(async move { serve.await.expect("it serves") });
        Self {
            certificate,
            app,
            log,
            port,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// The same site under a name that browsers take for another's.
    pub(super) fn other_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    pub(super) async fn browser(&self) -> Browser {
        let root = self.url("/");
        Browser::in_context(context(&self.certificate, &root), &root).await
    }

    /// A browser in which Alice is logged in and bound.
    pub(super) async fn alice(&self) -> Browser {
        let browser = self.browser().await;
        post_to(&browser, "/login", "user=alice").await;
        self.until(|seen| seen.path == REGISTER && seen.status == 200)
            .await;
        self.until_bound(&browser).await;
        self.forget();
        browser
    }

    /// The bound cookie has arrived at the browser.
    pub(super) async fn until_bound(&self, browser: &Browser) {
        let start = Instant::now();
        while browser.cookie("__Host-sid-bound").await.is_none() {
            assert!(
                start.elapsed() < Duration::from_secs(15),
                "{:#?}",
                self.seen()
            );
        }
    }

    pub(super) fn forget(&self) {
        self.log.0.lock().clear();
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.log.0.lock().clone()
    }

    /// How many requests to this path were answered so.
    pub(super) fn count(&self, path: &str, status: u16) -> usize {
        let is_one = |seen: &&Seen| seen.path == path && seen.status == status;
        self.seen().iter().filter(is_one).count()
    }

    pub(super) async fn until(&self, is_it: impl Fn(&Seen) -> bool) {
        let start = Instant::now();
        while !self.seen().iter().any(&is_it) {
            assert!(
                start.elapsed() < Duration::from_secs(15),
                "{:#?}",
                self.seen()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What another client sees with these cookies.
    pub(super) async fn see_with(&self, cookies: &str) -> Value {
        let request = Request::get("/see").header(COOKIE, cookies);
        let request = request.body(Body::empty()).expect("a request");
        let response = self.app.clone().oneshot(request).await.expect("an answer");
        let body = response.into_body().collect().await.expect("a body");
        serde_json::from_slice(&body.to_bytes()).expect("JSON")
    }
}

/// A Chromium that binds sessions, by a key in software.
pub(super) fn context(certificate: &Certificate, page: &str) -> Context {
    let features = "DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting";
    let flags = [
        format!("--enable-features={features}"),
        format!(
            "--ignore-certificate-errors-spki-list={}",
            certificate.fingerprint
        ),
    ];
    Context::with_flags(page, &flags)
}

/// What the session looks like to a page.
pub(super) async fn see_in(browser: &Browser) -> Value {
    browser.resolve("fetch('/see').then((r) => r.json())").await
}

pub(super) async fn post_to(browser: &Browser, path: &str, form: &str) {
    let headers = json!({ "content-type": "application/x-www-form-urlencoded" });
    let options = json!({ "method": "POST", "body": form, "headers": headers });
    let status = browser
        .resolve(&format!("fetch('{path}', {options}).then((r) => r.status)"))
        .await;
    assert_eq!(status, 200, "{path}");
}

/// All cookies of a browser, as another client would send them.
pub(super) async fn cookies_of(browser: &Browser, names: &[&str]) -> String {
    let mut pairs = Vec::new();
    for name in names {
        let cookie = browser.cookie(name).await.expect("it is there");
        pairs.push(format!("{name}={}", cookie.value()));
    }
    pairs.join("; ")
}

fn see(session: &WizSession) -> Value {
    json!({
        "user": session.user(),
        "bound": session.is_device_bound(),
        "unbound": session.is_unbound(),
        "data": session.to_map(),
    })
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
}

/// As most sites do it.
async fn log_in(session: WizSession, Form(form): Form<Credentials>) -> Redirect {
    session.log_in(form.user);
    Redirect::to("/")
}

#[derive(Deserialize)]
struct Wait {
    ms: u64,
}

async fn regenerate(session: WizSession, Query(wait): Query<Wait>) {
    tokio::time::sleep(Duration::from_millis(wait.ms)).await;
    session.regenerate();
}

async fn set(session: WizSession, Query(wait): Query<Wait>) -> Result<(), wiz_session::Error> {
    tokio::time::sleep(Duration::from_millis(wait.ms)).await;
    session
        .update("writes", |writes: &mut u32| *writes += 1)
        .map(drop)
}

/// So that the next request waits for a refresh.
async fn drop_bound_cookie() -> impl IntoResponse {
    let line = "__Host-sid-bound=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    [(SET_COOKIE, line)]
}

async fn socket(session: WizSession, upgrade: WebSocketUpgrade) -> Response {
    let seen = see(&session).to_string();
    upgrade.on_upgrade(async move |mut socket: WebSocket| {
        // It may be gone already.
        let _ = socket.send(seen.into()).await;
    })
}

async fn record(Extension(Log(log)): Extension<Log>, request: Request, next: Next) -> Response {
    let text = |headers: &HeaderMap, name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let headers = request.headers();
    let cookies = text(headers, "cookie").unwrap_or_default();
    let mut seen = Seen {
        path: request.uri().path().to_owned(),
        status: 0,
        has_session: cookies.contains("__Host-sid="),
        is_bound: cookies.contains("__Host-sid-bound="),
        site: format!(
            "{:?} {:?}",
            text(headers, "sec-fetch-site"),
            text(headers, "origin")
        ),
        skipped: text(headers, "secure-session-skipped"),
    };
    let response = next.run(request).await;
    seen.status = response.status().as_u16();
    log.lock().push(seen);
    response
}
