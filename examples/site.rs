//! A whole site in one file: login, roles, "remember me", "log out everywhere", a changed password
//! that ends the other sessions, tokens for a mobile client, a socket that ends with its session.
//!
//! Run with
//!
//! ```text
//! cargo run --example site
//! ```
//!
//! and visit it. Alice is an administrator, bob (`builder`) is not.
//!
//! ```text
//! curl -c jar -b jar -d 'name=alice&password=wonderland&remember=on' localhost:3000/login
//! curl -b jar localhost:3000/account
//! curl -b jar localhost:3000/admin
//! curl -c jar -b jar -d 'old=wonderland&new=looking-glass' localhost:3000/account/password
//! curl -c jar -b jar -X POST localhost:3000/logout/everywhere
//!
//! curl -H 'Content-Type: application/json' -d '{"name":"bob","password":"builder"}' localhost:3000/api/login
//! curl -H 'Authorization: Bearer TOKEN' localhost:3000/account
//! websocat -H 'Authorization: Bearer TOKEN' ws://localhost:3000/socket
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, State};
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse, Redirect, Response, Result};
use axum::routing::{any, get, post};
use axum::{Form, Json, Router};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use wiz_session::{CookieOptions, Error, Guard, Key, MemoryStore};
use wiz_session::{Sessions, WizSession, WizSessionLayer};

const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(crate) fn app() -> Router {
    // In production key and store outlive the process: see the guide on security and stores.
    let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
        // Plain HTTP on localhost; behind HTTPS the default is right.
        .cookie(CookieOptions::insecure("sid"))
        .bearer(true)
        .build()
        .expect("the cookie's name is valid");
    let accounts = [("alice", "wonderland", true), ("bob", "builder", false)];
    let accounts = accounts.map(|(name, password, is_admin)| {
        let password_hash = hash(password);
        (
            name.to_owned(),
            Account {
                password_hash,
                is_admin,
            },
        )
    });
    let site = Site {
        accounts: Arc::new(Mutex::new(accounts.into())),
        sessions: layer.sessions(),
    };
    let members = Router::new()
        .route("/account", get(hello))
        .route("/account/password", post(change_password))
        .route("/socket", any(socket))
        .route_layer(Guard::user());
    let is_admin = |session: &WizSession| session.get_or("is_admin", false);
    let admins = Router::new()
        .route("/admin", get(hello))
        .route_layer(Guard::user().when(is_admin).login_at("/login"));
    Router::new()
        .route("/login", get("post the form\n").post(log_in))
        .route("/api/login", post(log_in_for_a_token))
        .route("/logout", post(log_out))
        .route("/logout/everywhere", post(log_out_everywhere))
        .merge(members)
        .merge(admins)
        .with_state(site)
        .layer(layer)
}

#[derive(Clone)]
struct Site {
    /// By name, in place of a table.
    accounts: Arc<Mutex<HashMap<String, Account>>>,
    sessions: Sessions,
}

#[derive(Clone)]
struct Account {
    password_hash: String,
    is_admin: bool,
}

impl Site {
    fn account(&self, name: &str) -> Option<Account> {
        self.accounts.lock().get(name).cloned()
    }
}

fn hash(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("the system has random numbers").to_string()
}

async fn is_right(password: String, hash: String) -> bool {
    let check = move || {
        let hash = PasswordHash::new(&hash)?;
        Argon2::default().verify_password(password.as_bytes(), &hash)
    };
    matches!(spawn_blocking(check).await, Ok(Ok(())))
}

/// The user's name and account. A session from before a change of the password does not count.
struct Current(String, Account);

impl FromRequestParts<Site> for Current {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let session = WizSession::from_extensions(&parts.extensions).await;
        let session = session.map_err(Error::into_response)?;
        let unauthorized = || StatusCode::UNAUTHORIZED.into_response();
        let name = session.user().ok_or_else(unauthorized)?;
        let account = site.account(&name);
        let current = account.filter(|account| session.has_stamp(&account.password_hash));
        Ok(Self(name, current.ok_or_else(unauthorized)?))
    }
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
    /// What a checked box sends.
    remember: Option<String>,
}

async fn begin(site: &Site, session: &WizSession, login: Login) -> Result<()> {
    let account = site.account(&login.name);
    // Its time tells whether there is such an account; the guide on authentication has the cure.
    let account = account.ok_or(StatusCode::UNAUTHORIZED)?;
    if !is_right(login.password, account.password_hash.clone()).await {
        return Err(StatusCode::UNAUTHORIZED.into());
    }
    session.log_in_with(login.name, account.password_hash);
    session.set("is_admin", account.is_admin)?;
    match login.remember {
        Some(_) => session.remember(REMEMBERED),
        None => session.forget(),
    }
    Ok(())
}

async fn log_in(
    State(site): State<Site>,
    session: WizSession,
    Form(login): Form<Login>,
) -> Result<Redirect> {
    begin(&site, &session, login).await?;
    let path = session.take_redirect_after_login()?;
    Ok(Redirect::to(path.as_deref().unwrap_or("/account")))
}

async fn log_in_for_a_token(
    State(site): State<Site>,
    session: WizSession,
    Json(login): Json<Login>,
) -> Result<Json<Option<String>>> {
    begin(&site, &session, login).await?;
    Ok(Json(session.token().await?))
}

async fn log_out(session: WizSession) {
    session.log_out();
}

async fn log_out_everywhere(State(site): State<Site>, session: WizSession) -> Result<(), Error> {
    if let Some(user) = session.user() {
        site.sessions.revoke_user(&user).await?;
    }
    session.log_out(); // the cookie goes too
    Ok(())
}

async fn hello(Current(name, _): Current) -> String {
    format!("hello, {name}\n")
}

#[derive(Deserialize)]
struct Change {
    old: String,
    new: String,
}

async fn change_password(
    State(site): State<Site>,
    Current(name, account): Current,
    session: WizSession,
    Form(change): Form<Change>,
) -> Result<()> {
    if !is_right(change.old, account.password_hash).await {
        return Err(StatusCode::FORBIDDEN.into());
    }
    let hash = spawn_blocking(move || hash(&change.new)).await;
    let hash = hash.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    if let Some(account) = site.accounts.lock().get_mut(&name) {
        account.password_hash.clone_from(&hash);
    }
    session.log_in_with(&name, &hash);
    session.save().await?; // with the new stamp, before the sessions with the old one end
    site.sessions.revoke_stale(&name, &hash).await?;
    Ok(())
}

async fn socket(_: Current, session: WizSession, socket: WebSocketUpgrade) -> Response {
    socket.on_upgrade(|socket| echo(socket, session))
}

async fn echo(mut socket: WebSocket, session: WizSession) {
    loop {
        let message = tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(message)) => message,
                Some(Err(_)) | None => return,
            },
            why = session.ended() => {
                let reason = why.as_str().into();
                Message::Close(Some(CloseFrame { code: 4401, reason }))
            }
        };
        let is_over = matches!(message, Message::Close(_));
        if socket.send(message).await.is_err() || is_over {
            return;
        }
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}
