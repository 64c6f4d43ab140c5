//! A login whose callback is a form of another site, as `docs/authentication.md` has it: which cookies it brings, and that
//! the visitor's own is not replaced.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Form, FromRequestParts, State},
    http::{HeaderMap, header::COOKIE, request::Parts},
    response::{Html, Redirect},
    routing::{get, post},
};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::net::TcpListener;
use wiz_session::{CookieOptions, Error, Key, MemoryStore, SameSite, WizSession, WizSessionLayer};

use crate::{browser::Browser, tls_proxy};

#[derive(Clone)]
struct Site {
    flows: WizSessionLayer,
    /// The `Cookie` line of each request since the form was sent.
    brought: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn note(&self, headers: &HeaderMap) {
        let line = headers.get(COOKIE).and_then(|line| line.to_str().ok());
        self.brought
            .lock()
            .push(line.unwrap_or_default().to_owned());
    }
}

struct Flow(WizSession);

impl FromRequestParts<Site> for Flow {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Error> {
        site.flows.session(&parts.extensions).await.map(Self)
    }
}

#[derive(Deserialize)]
struct Answer {
    user: String,
}

async fn begin(Flow(flow): Flow, session: WizSession) -> Result<(), Error> {
    flow.set("state", "begun")?;
    session.set("cart", 7)
}

async fn back(
    State(site): State<Site>,
    headers: HeaderMap,
    Flow(flow): Flow,
    Form(answer): Form<Answer>,
) -> Result<Redirect, Error> {
    site.note(&headers);
    let state: Option<String> = flow.take("state")?;
    flow.set("user", state.map(|_| answer.user))?;
    Ok(Redirect::to("/login/finish"))
}

async fn finish(
    State(site): State<Site>,
    headers: HeaderMap,
    Flow(flow): Flow,
    session: WizSession,
) -> Result<String, Error> {
    site.note(&headers);
    let user: Option<String> = flow.get_or_default("user")?;
    flow.clear();
    session.log_in(user.unwrap_or_default());
    Ok(format!(
        "{:?} {:?}",
        session.user(),
        session.get_value("cart")
    ))
}

/// The provider's page. It is of another site by its host.
async fn provider(headers: HeaderMap) -> Html<String> {
    let host = headers["host"].to_str().expect("ASCII");
    let port = host.rsplit(':').next().expect("a port");
    Html(format!(
        r#"<form method="post" action="https://shop.example:{port}/login/back">
        <input name="user" type="hidden" value="alice"><button id="send">Log in</button></form>"#
    ))
}

fn app(site: Site) -> Router {
    let (flows, sessions) = (
        site.flows.clone(),
        WizSessionLayer::new(MemoryStore::new(), Key::generate()),
    );
    Router::new()
        .route("/", get(begin))
        .route("/login/back", post(back))
        .route("/login/finish", get(finish))
        .route("/provider", get(provider))
        .with_state(site)
        .layer(sessions)
        .layer(flows)
}

#[tokio::test]
async fn a_form_of_the_provider_brings_the_flows_cookie_and_the_redirect_brings_both() {
    let cookie = CookieOptions::new("__Host-flow").same_site(SameSite::None);
    let flows = WizSessionLayer::builder(MemoryStore::new(), Key::generate());
    let site = Site {
        flows: flows.cookie(cookie).build().expect("it is valid"),
        brought: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = format!("http://{}/", listener.local_addr().expect("its address"));
    let (app, brought) = (app(site.clone()), site.brought);
    tokio::spawn(async { axum::serve(listener, app).await });
    let tls = tls_proxy::start(&server).await;

    let shop = tls.replace("127.0.0.1", "shop.example");
    let browser = Browser::open_at(&shop).await;
    let own = browser.cookie("__Host-sid").await.expect("a cart's cookie");
    let page = tls.replace("127.0.0.1", "192.0.2.7");
    browser.go(&format!("{page}provider")).await;
    browser.click("#send").await;
    browser.arrive("/login/finish").await;
    let text = browser.text("body").await;
    assert_eq!(text, r#"Some("alice") Some(Number(7))"#);

    let brought = brought.lock().clone();
    let [back, finish] = &brought[..] else {
        panic!("two requests: {brought:?}");
    };
    let sid = format!("__Host-sid={}", own.value());
    assert!(
        back.contains("__Host-flow=") && !back.contains("__Host-sid="),
        "{back}"
    );
    assert!(
        finish.contains("__Host-flow=") && finish.contains(&sid),
        "{finish}"
    );
}
