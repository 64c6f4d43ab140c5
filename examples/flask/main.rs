//! A Flask application of which the first route has moved to axum: one host, one login.
//!
//! Run with
//!
//! ```text
//! pip install flask
//! cargo run --example flask --features flask
//! ```
//!
//! which starts Flask too, and open <http://127.0.0.1:3000>; or from a shell:
//!
//! ```text
//! alias call="curl -s -b jar -c jar"
//! call localhost:3000/login -d user_id=7     # Flask's
//! call localhost:3000/cart -d item=1         # axum's: user 7 has [1] in the cart
//! call localhost:3000/                       # Flask's: 1 in the cart
//! call localhost:3000/account/logout -X POST # axum's: nobody on both sides
//! ```
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PORT` | port on 127.0.0.1; `0` takes a free one | `3000` |
//! | `PYTHON` | a Python that has Flask | `python3` |
//! | `FLASK_SECRET_KEY` | what both sign with | a generated one |

use std::{env, net, process::Stdio};

use axum::{
    Form, Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};
use wiz_session::{
    CookieOptions, Error, Key, MemoryStore, WizSession, WizSessionLayer, flask::FlaskBridge,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = env::var("FLASK_SECRET_KEY").unwrap_or_else(|_| random_key());
    // Anybody's for a moment, then Flask's.
    let flask_port = net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let _flask = flask(&key, flask_port)?;

    let bridge = FlaskBridge::builder(key).share(["cart"]).build()?;
    let sessions = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
        .cookie(CookieOptions::insecure("sid")) // plain HTTP on localhost
        .build()?;
    let app = Router::new()
        .route("/cart", get(cart).post(add_to_cart))
        .route("/account/logout", post(log_out))
        .layer(bridge)
        .layer(sessions)
        // What has not moved yet. It passes neither layer.
        .fallback(proxy)
        .with_state(flask_port);

    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(())
}

async fn cart(session: WizSession) -> Result<Html<String>, Error> {
    let who = session
        .user()
        .map_or("nobody".to_owned(), |user| format!("user {user}"));
    let cart: Vec<u32> = session.get_or_default("cart")?;
    Ok(Html(format!(
        r#"<!doctype html><title>Cart</title>
<p>This page is axum's. You are {who}, with {cart:?} in the cart.</p>
<form method="post"><input name="item" value="1"> <button>Add</button></form>
<form method="post" action="/account/logout"><button>Log out</button></form>
<p><a href="/">The rest</a> is still Flask's.</p>"#
    )))
}

#[derive(Deserialize)]
struct Add {
    item: u32,
}

async fn add_to_cart(session: WizSession, Form(add): Form<Add>) -> Result<Html<String>, Error> {
    session.update("cart", move |cart: &mut Vec<u32>| cart.push(add.item))?;
    cart(session).await
}

async fn log_out(session: WizSession) -> Redirect {
    session.log_out();
    Redirect::to("/")
}

/// Any reverse proxy will do, as long as both are one host to the browser.
async fn proxy(State(flask_port): State<u16>, mut request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let Ok(uri) = Uri::try_from(format!("http://127.0.0.1:{flask_port}{path}")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    match client.request(request).await {
        Ok(response) => response.map(Body::new).into_response(),
        Err(_) => (StatusCode::BAD_GATEWAY, "Flask does not answer, or not yet").into_response(),
    }
}

/// It stops with this program.
fn flask(key: &str, port: u16) -> std::io::Result<Child> {
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    Command::new(python)
        .args([
            "-m",
            "flask",
            "--app",
            "app",
            "run",
            "--port",
            &port.to_string(),
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flask"))
        .env("FLASK_SECRET_KEY", key)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

fn random_key() -> String {
    Key::generate()
        .master()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
