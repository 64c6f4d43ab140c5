//! The session over a WebSocket.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::browser::Browser;
use crate::server::Server;

pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects with a browser's cookie.
    pub(crate) async fn open(server: &Server, browser: &Browser) -> Self {
        let mut request = server.websocket_url().into_client_request().expect("a URL");
        if let Some(cookie) = browser.cookie() {
            request
                .headers_mut()
                .insert("cookie", cookie.parse().expect("a header"));
        }
        let (socket, handshake) = connect_async(request).await.expect("a handshake");
        assert!(!handshake.headers().contains_key("set-cookie"));
        Self(socket)
    }

    pub(crate) async fn ask(&mut self, command: &str) -> String {
        self.0
            .send(Message::text(command))
            .await
            .expect("the socket is open");
        let answer = self.0.next().await.expect("an answer").expect("no error");
        answer.into_text().expect("text").as_str().to_owned()
    }

    async fn get(&mut self, key: &str) -> Value {
        serde_json::from_str(&self.ask(&format!("get {key}")).await).expect("JSON")
    }

    #[track_caller]
    fn assert_error(answer: &str) {
        assert!(
            answer.starts_with("error: ") && answer.len() > "error: ".len(),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn reads_and_writes_the_session() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut socket = Socket::open(&server, &browser).await;

    assert_eq!(socket.ask("get cart").await, "[7]");
    assert_eq!(socket.ask("get nothing").await, "null");
    assert_eq!(
        socket.ask("set draft {\"text\": \"안녕 world\"}").await,
        "ok"
    );
    assert_eq!(
        browser.session().await["draft"],
        json!({ "text": "안녕 world" }),
        "durable at once"
    );
    assert_eq!(socket.get("draft").await, json!({ "text": "안녕 world" }));
    assert_eq!(socket.ask("delete draft").await, "ok");
    assert_eq!(socket.ask("delete draft").await, "ok");
    assert_eq!(browser.session().await, json!({ "cart": [7] }));
}

#[tokio::test]
async fn numbers_keep_every_digit() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut socket = Socket::open(&server, &browser).await;
    for number in ["123456789012345678901234567890", "-0", "0.10"] {
        assert_eq!(socket.ask(&format!("set n {number}")).await, "ok");
        assert_eq!(socket.ask("get n").await, number);
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    Socket::assert_error(&socket.ask(&format!("set n {deep}")).await);
    assert_eq!(socket.ask("get n").await, "0.10");
}

#[tokio::test]
async fn sees_what_http_writes_later() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut socket = Socket::open(&server, &browser).await;
    assert_eq!(socket.get("cart").await, json!([7]));

    browser.add_to_cart(8).await;
    assert_eq!(socket.get("cart").await, json!([7, 8]));
    assert_eq!(socket.ask("set note 1").await, "ok");
    browser.add_to_cart(9).await;
    assert_eq!(
        browser.session().await,
        json!({ "cart": [7, 8, 9], "note": 1 })
    );
}

#[tokio::test]
async fn knows_who_is_logged_in_until_the_logout() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.log_in_as_alice().await;
    let cookie = browser.cookie().expect("a cookie");
    let mut socket = Socket::open(&server, &browser).await;
    assert_eq!(socket.ask("whoami").await, "Alice");

    browser.post("/api/logout", json!({})).await.expect(200);

    assert_eq!(socket.ask("set user_id 123").await, "error: no session");
    assert_eq!(socket.ask("whoami").await, "anonymous");
    assert_eq!(socket.ask("get user_id").await, "null");
    assert_eq!(socket.ask("delete user_id").await, "ok");
    assert_eq!(socket.ask("set user_id 123").await, "error: no session");
    assert_eq!(socket.ask("get user_id").await, "null");
    assert_eq!(
        Browser::with_cookie(&server, &cookie).session().await,
        json!({})
    );
}

#[tokio::test]
async fn begins_no_session() {
    let server = Server::start();
    let mut socket = Socket::open(&server, &Browser::new(&server)).await;
    for _ in 0..2 {
        assert_eq!(socket.ask("whoami").await, "anonymous");
        assert_eq!(socket.ask("get cart").await, "null");
        assert_eq!(socket.ask("delete cart").await, "ok");
        assert_eq!(socket.ask("set cart [1]").await, "error: no session");
        assert_eq!(socket.ask("get cart").await, "null");
    }
    let mut forged = Socket::open(&server, &Browser::with_cookie(&server, "sid=forged")).await;
    assert_eq!(forged.ask("set cart [1]").await, "error: no session");
}

#[tokio::test]
async fn says_what_is_wrong_and_goes_on() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut socket = Socket::open(&server, &browser).await;
    for command in [
        "set a {",
        "set a",
        "set a nonsense",
        "set",
        "get",
        "delete",
        "",
        "dance",
        "SET a 1",
    ] {
        Socket::assert_error(&socket.ask(command).await);
    }
    assert_eq!(socket.ask("get cart").await, "[7]");
    assert_eq!(browser.session().await, json!({ "cart": [7] }));
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_refused_and_forgotten() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut socket = Socket::open(&server, &browser).await;
    let huge = format!("{:?}", "x".repeat(3 << 19));
    for n in 1..=5 {
        assert_eq!(socket.ask(&format!("set fits{n} {huge}")).await, "ok");
    }
    Socket::assert_error(&socket.ask(&format!("set huge {huge}")).await);
    assert_eq!(socket.ask("get huge").await, "null");
    assert_eq!(socket.ask("set cart [8]").await, "ok");
    let session = browser.session().await;
    assert_eq!(
        (&session["cart"], &session["huge"]),
        (&json!([8]), &json!(null))
    );
}

#[tokio::test]
async fn takes_values_of_256_kb() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let mut socket = Socket::open(&server, &browser).await;
    let value = "x".repeat(256 * 1024);
    assert_eq!(socket.ask(&format!("set big {value:?}")).await, "ok");
    assert_eq!(browser.session().await["big"], value);
}

#[tokio::test]
async fn an_open_socket_does_not_hold_up_the_exit() {
    let mut server = Server::start();
    let mut socket = Socket::open(&server, &Browser::new(&server)).await;
    assert_eq!(socket.ask("whoami").await, "anonymous");

    server.signal("TERM");

    let start = Instant::now();
    assert!(server.exited_cleanly());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn needs_a_handshake() {
    let server = Server::start();
    Browser::new(&server).get("/ws").await.expect_error(400);
}
