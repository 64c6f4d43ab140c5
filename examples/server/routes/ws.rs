//! The document's `socket.py`: the session over a WebSocket.
//!
//! The answer to the handshake is long gone when a command arrives. So each command first loads
//! the session again, to see what happened since, and a write is a transaction: stored when it is
//! answered, or not done.

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::Value;
use serde_json::value::RawValue;
use wiz_session::{Ended, WizSession};

use crate::error::Error;
use crate::model::{Users, identity};
use crate::shutdown::Stopping;

/// A value of 256 KB, however it is escaped.
const MAX_MESSAGE_BYTES: usize = 2 << 20;

/// Closes a socket whose session has ended; the reason is its text.
const SESSION_ENDED: u16 = 4401;

const OK: &str = "ok";
const NO_SESSION: &str = "no session";

pub(super) fn routes() -> Router<Users> {
    Router::new().route("/ws", get(upgrade))
}

async fn upgrade(
    State(users): State<Users>,
    session: WizSession,
    Extension(stopping): Extension<Stopping>,
    socket: WebSocketUpgrade,
) -> Response {
    socket
        .max_message_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| serve(socket, session, users, stopping))
}

async fn serve(mut socket: WebSocket, session: WizSession, users: Users, stopping: Stopping) {
    let mut is_watching = false;
    loop {
        let message = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    is_watching |= text.trim() == WATCH;
                    let answer = answer(&text, &session, &users).await;
                    Message::text(answer.unwrap_or_else(|reason| format!("error: {reason}")))
                }
                Some(Ok(_)) => continue,
                // The client is gone, and there is nobody to tell.
                Some(Err(_)) | None => return,
            },
            why = session.ended(), if is_watching => ended(why),
            () = session.changed(), if is_watching => {
                // Seen, so that the next change is another one. That it is gone, `ended` tells.
                let _ = session.reload().await;
                Message::text("changed")
            }
            () = stopping.wait() => going_away(),
        };
        let is_last = matches!(message, Message::Close(_));
        if socket.send(message).await.is_err() || is_last {
            return;
        }
    }
}

fn ended(why: Ended) -> Message {
    Message::Close(Some(CloseFrame {
        code: SESSION_ENDED,
        reason: why.as_str().into(),
    }))
}

fn going_away() -> Message {
    Message::Close(Some(CloseFrame {
        code: close_code::AWAY,
        reason: "the server stops".into(),
    }))
}

/// What a client can say.
enum Command<'a> {
    Get(&'a str),
    Set(&'a str, Box<RawValue>),
    Delete(&'a str),
    WhoAmI,
    Watch,
    Alive,
}

const WATCH: &str = "watch";

impl<'a> Command<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let text = text.trim();
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match (verb, rest) {
            ("get", key) if !key.is_empty() => Ok(Self::Get(key)),
            ("delete", key) if !key.is_empty() => Ok(Self::Delete(key)),
            ("set", rest) => {
                let (key, json) = rest.split_once(' ').ok_or("set needs a key and JSON")?;
                // Kept to the last digit; but no deeper than everybody can read.
                let value =
                    serde_json::from_str::<Value>(json).and_then(|_| serde_json::from_str(json));
                let value = value.map_err(|error| error.to_string())?;
                Ok(Self::Set(key, value))
            }
            ("whoami", "") => Ok(Self::WhoAmI),
            (WATCH, "") => Ok(Self::Watch),
            ("alive", "") => Ok(Self::Alive),
            _ => Err(
                "commands are: get KEY, set KEY JSON, delete KEY, whoami, watch, alive".to_owned(),
            ),
        }
    }
}

async fn answer(text: &str, session: &WizSession, users: &Users) -> Result<String, String> {
    let command = Command::parse(text)?;
    // These are no use of the session.
    match command {
        Command::Watch => return Ok(OK.to_owned()),
        Command::Alive => {
            return session
                .is_alive()
                .await
                .map(|alive| alive.to_string())
                .map_err(said);
        }
        _ => {}
    }
    match session.reload().await {
        // A session that has ended reads as empty, and that is the answer.
        Err(error) if !error.is_gone() => return Err(said(error)),
        _ => {}
    }
    match command {
        Command::Get(key) => {
            let value: Option<Box<RawValue>> = session.get(key).map_err(said)?;
            Ok(value.map_or_else(|| "null".to_owned(), |value| value.to_string()))
        }
        Command::Set(key, value) => set(session, key, value).await,
        Command::Delete(key) => delete(session, key).await,
        Command::Watch | Command::Alive => unreachable!("answered above"),
        Command::WhoAmI => Ok(identity::current_user(session, users)
            .map_or_else(|| "anonymous".to_owned(), |user| user.name)),
    }
}

async fn set(session: &WizSession, key: &str, value: Box<RawValue>) -> Result<String, String> {
    // A new session would need a cookie, and none can be sent any more.
    if session.handle().is_none() {
        return Err(NO_SESSION.to_owned());
    }
    match session.transaction(|tx| tx.set(key, &value)).await {
        // It ended since it was loaded.
        Err(error) if error.is_gone() => Err(NO_SESSION.to_owned()),
        set => set.map(|()| OK.to_owned()).map_err(said),
    }
}

async fn delete(session: &WizSession, key: &str) -> Result<String, String> {
    match session
        .transaction(|tx| Ok::<_, wiz_session::Error>(tx.delete(key)))
        .await
    {
        // It ended since it was loaded, and the key with it.
        Err(error) if error.is_gone() => {}
        deleted => drop(deleted.map_err(said)?),
    }
    Ok(OK.to_owned())
}

/// What the client is told of an error of the session.
fn said(error: wiz_session::Error) -> String {
    Error::from(error).message().to_owned()
}
