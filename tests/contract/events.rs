//! The session live: server-sent events, and the WebSocket that watches.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::browser::Browser;
use crate::server::{Server, command};
use crate::websocket::Socket;

/// What is told at once takes no longer.
const SOON: Duration = Duration::from_secs(5);

/// The stream of `/api/events`, as it arrives.
struct Events {
    response: Response,
    unread: String,
}

impl Events {
    async fn open(browser: &Browser) -> Self {
        let request = browser.request(Method::GET, "/api/events");
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.status(), 200);
        let kind = &response.headers()["content-type"];
        assert!(kind.to_str().unwrap().starts_with("text/event-stream"));
        assert!(!response.headers().contains_key("set-cookie"));
        Self {
            response,
            unread: String::new(),
        }
    }

    /// The next event and its data; `None` when the stream is over.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = event.lines();
                    let found = lines.filter_map(|line| line.strip_prefix(name)).next();
                    found.map(|value| value.trim().to_owned())
                };
                let told = field("event:").zip(field("data:"));
                self.unread = rest.to_owned();
                if let Some((name, data)) = told {
                    return Some((name, serde_json::from_str(&data).expect("JSON")));
                }
                continue;
            }
            let more = timeout(SOON, self.response.chunk()).await.expect("soon");
            let more = more.expect("the stream does not break")?;
            self.unread += std::str::from_utf8(&more).expect("UTF-8");
        }
    }

    async fn is(&mut self, name: &str, data: Value) {
        assert_eq!(self.next().await, Some((name.to_owned(), data)));
    }

    /// Nothing has been told.
    async fn are_silent(&mut self) {
        let told = timeout(Duration::from_millis(300), self.next()).await;
        assert!(told.is_err(), "{told:?}");
    }
}

#[tokio::test]
async fn a_stream_shows_the_session_at_once_and_after_each_change() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut events = Events::open(&browser).await;
    events.is("session", json!({ "cart": [7] })).await;
    events.are_silent().await;
    browser.add_to_cart(8).await;
    events.is("session", json!({ "cart": [7, 8] })).await;
    browser.add_to_cart(8).await;
    events.are_silent().await;
    browser.post("/api/logout", json!({})).await.expect(200);
    events.is("ended", json!({ "reason": "logged_out" })).await;
    assert_eq!(events.next().await, None, "the stream closes");
}

#[tokio::test]
async fn a_stream_ends_with_its_reason() {
    let mut short_lived = command();
    let server = Server::spawn(short_lived.env("IDLE_TIMEOUT", "2"));
    let (visitor, here, there) = (
        Browser::new(&server),
        Browser::new(&server),
        Browser::new(&server),
    );
    visitor.add_to_cart(1).await;
    let mut moved = Events::open(&visitor).await;
    moved.next().await.expect("the session");
    visitor.log_in_as_alice().await;
    moved.is("ended", json!({ "reason": "moved" })).await;

    here.log_in_as_alice().await;
    there.log_in_as_alice().await;
    let (mut stays, mut revoked) = (Events::open(&here).await, Events::open(&there).await);
    let own = stays.next().await.expect("the session");
    revoked.next().await.expect("the session");
    here.post("/api/sessions/revoke_others", json!({}))
        .await
        .expect(200);
    revoked.is("ended", json!({ "reason": "revoked" })).await;

    // Being open is no use of the session.
    assert_eq!(own.0, "session");
    stays.is("ended", json!({ "reason": "expired" })).await;
}

#[tokio::test]
async fn a_visitor_without_a_session_waits() {
    let server = Server::start();
    let mut events = Events::open(&Browser::new(&server)).await;
    events.is("session", json!({})).await;
    events.are_silent().await;
}

#[tokio::test]
async fn open_streams_and_sockets_do_not_hold_up_the_exit() {
    let mut server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut events = Events::open(&browser).await;
    events.next().await.expect("the session");
    let mut visitor = Events::open(&Browser::new(&server)).await;
    visitor.next().await.expect("the session");
    let mut socket = Socket::open(&server, &browser).await;
    server.signal("TERM");
    assert_eq!(events.next().await, None);
    assert_eq!(visitor.next().await, None);
    let close = socket.close_frame().await.expect("it says why");
    assert_eq!(u16::from(close.code), 1001);
    assert!(server.exited_cleanly());
}

#[tokio::test]
async fn a_socket_that_watches_is_told_of_changes_from_elsewhere_and_closed_at_the_end() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut watching = Socket::open(&server, &browser).await;
    let mut other = Socket::open(&server, &browser).await;
    assert_eq!(watching.ask("watch").await, "ok");
    assert_eq!(watching.ask("set own 1").await, "ok");
    assert_eq!(
        watching.ask("get own").await,
        "1",
        "and no `changed` before it"
    );
    browser.add_to_cart(8).await;
    assert_eq!(watching.next().await, "changed");
    assert_eq!(other.ask("set theirs 1").await, "ok");
    assert_eq!(watching.next().await, "changed");
    assert_eq!(watching.ask("get cart").await, "[7,8]");
    assert_eq!(watching.ask("alive").await, "true");
    browser.post("/api/logout", json!({})).await.expect(200);
    let close = watching.close_frame().await.expect("it says why");
    assert_eq!(u16::from(close.code), 4401);
    assert_eq!(close.reason.as_str(), "logged_out");
    assert_eq!(other.ask("alive").await, "false", "it never said `watch`");
    assert_eq!(other.ask("whoami").await, "anonymous");
}

impl Socket {
    async fn next(&mut self) -> String {
        let message = timeout(SOON, self.0.next()).await.expect("soon");
        let message = message.expect("it is open").expect("no error");
        message.into_text().expect("text").as_str().to_owned()
    }

    /// Why the server closes it.
    async fn close_frame(&mut self) -> Option<CloseFrame> {
        let message = timeout(SOON, self.0.next()).await.expect("soon");
        match message.expect("a frame").expect("no error") {
            Message::Close(frame) => {
                // Answers it; the server may be gone.
                let _ = self.0.flush().await;
                frame
            }
            other => panic!("{other:?}"),
        }
    }
}
