//! A WebSocket that writes the session: every message becomes the visitor's note.
//!
//! When a message arrives the answer to the handshake is long gone. So the socket loads the session
//! again before it reads, saves after it writes, and cannot begin a session: the page sets the
//! cookie first. It is closed when the session ends, wherever that happens.
//!
//! Run with
//!
//! ```text
//! cargo run --example websocket
//! ```
//!
//! and, with any WebSocket client:
//!
//! ```text
//! curl -c jar localhost:3000
//! websocat -H "Cookie: sid=$(awk '/sid/ { print $7 }' jar)" ws://localhost:3000/ws
//! curl -b jar localhost:3000
//! ```

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use wiz_session::{CookieOptions, Error, Key, MemoryStore, WizSession, WizSessionLayer};

fn app() -> Router {
    let sessions = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
        // Plain HTTP on localhost; behind HTTPS the default is right.
        .cookie(CookieOptions::insecure("sid"))
        .build()
        .expect("the cookie's name is valid");
    Router::new()
        .route("/", get(page))
        .route("/ws", get(upgrade))
        .layer(sessions)
}

/// Begins the session, and shows the note.
async fn page(session: WizSession) -> Result<String, Error> {
    let note = session.get_or("note", "nothing yet".to_owned())?;
    session.set("note", &note)?;
    Ok(format!("{note}\n"))
}

async fn upgrade(session: WizSession, socket: WebSocketUpgrade) -> Response {
    socket.on_upgrade(|socket| serve(socket, session))
}

async fn serve(mut socket: WebSocket, session: WizSession) {
    loop {
        let answer = tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => answer(&session, &text).await,
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
            // Logged out in another tab, revoked, expired or moved to a new id: so is this socket.
            why = session.ended() => {
                let reason = why.as_str().into();
                let close = CloseFrame { code: 4401, reason };
                // The client may be gone.
                let _ = socket.send(Message::Close(Some(close))).await;
                return;
            }
        };
        if socket.send(Message::text(answer)).await.is_err() {
            return;
        }
    }
}

async fn answer(session: &WizSession, text: &str) -> String {
    match replace_note(session, text).await {
        Ok(before) => format!("it was: {before}"),
        Err(error) if error.is_gone() => "there is no session".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn replace_note(session: &WizSession, note: &str) -> Result<String, Error> {
    session.reload().await?;
    let before = session.get_or_default("note")?;
    session.set("note", note)?;
    session.save().await?;
    Ok(before)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}
