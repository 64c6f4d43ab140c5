//! What only a real server shows: raw bytes, clients that hang up, WebSockets.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::Notify;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{ClientRequestBuilder, Message as Sent},
};
use wiz_session::{Error, WizSession};

use crate::support::{Server, Site, StoreMethod};

async fn read(session: WizSession) -> Result<String, Error> {
    Ok(format!("a is {:?}", session.get::<u32>("a")?))
}

#[tokio::test]
async fn raw_bytes_in_a_cookie_line_spoil_nothing() {
    let site = Site::new();
    let browser = site.visitor().await;
    let router = Router::new()
        .route("/", get(read))
        .layer(site.layer.clone());
    let server = Server::start(router).await;

    let answer = server.get("/", b"__Host-sid=\xff\xfe").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("a is None"),
        "{answer}"
    );
    let valid = format!("__Host-sid={}", browser.value());
    let line = [b"ad=\xff\x80; ".as_slice(), valid.as_bytes()].concat();
    let answer = server.get("/", &line).await;
    assert!(answer.ends_with("a is Some(1)"), "{answer}");
    let answer = server
        .get("/", format!("b=1\r\nCookie: {valid}").as_bytes())
        .await;
    assert!(answer.ends_with("a is Some(1)"), "{answer}");
}

/// How far a handler came.
#[derive(Default)]
struct Progress {
    started: Notify,
    dropped: Notify,
}

/// Lives as long as the handler.
struct Running(Arc<Progress>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_behind() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let progress = Arc::<Progress>::default();
    let slow = async |session: WizSession, State(progress): State<Arc<Progress>>| {
        let running = Running(progress);
        session.set("a", 2).unwrap();
        session.clear();
        running.0.started.notify_one();
        pending::<()>().await;
    };
    let router = Router::new()
        .route("/", get(slow))
        .with_state(Arc::clone(&progress))
        .layer(site.layer.clone());
    let server = Server::start(router).await;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: test\r\nCookie: __Host-sid={}\r\n\r\n",
        browser.value()
    );
    let stream = server.ask(request.as_bytes()).await;
    progress.started.notified().await;
    drop(stream);
    let gone = tokio::time::timeout(Duration::from_secs(30), progress.dropped.notified()).await;
    gone.expect("the handler is dropped");

    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
    assert_eq!(browser.read("a").await, Some(1));
    browser.write("a", 3).await.is_ok_without_cookie();
}

#[tokio::test]
async fn a_client_that_hangs_up_during_the_commit_leaves_no_lock() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let write = get(async |session: WizSession| session.set("a", 2));
    let router = Router::new().route("/", write).layer(site.layer.clone());
    let server = Server::start(router).await;
    let gate = site.store.pause(StoreMethod::Replace);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: test\r\nCookie: __Host-sid={}\r\n\r\n",
        browser.value()
    );
    let stream = server.ask(request.as_bytes()).await;
    gate.reached().await;
    drop(stream);
    site.store.heal();
    gate.open();
    browser.write("b", 3).await.is_ok_without_cookie();
    assert_eq!(browser.read("b").await, Some(3));
}

/// Answers every text with what the session makes of it.
async fn talk(upgrade: WebSocketUpgrade, session: WizSession) -> Response {
    upgrade.on_upgrade(async move |mut socket: WebSocket| {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            let answer = match text.as_str() {
                "read" => session.get::<u32>("a").map(|a| format!("{a:?}")),
                "reload" => session.reload().await.map(|()| "reloaded".to_owned()),
                "save" => {
                    session
                        .update("saved", |times: &mut u32| *times += 1)
                        .unwrap();
                    session.save().await.map(|()| "saved".to_owned())
                }
                "count" => {
                    let count = session.transaction(|tx| tx.update("n", |n: &mut u32| *n += 1));
                    count.await.map(|n| n.to_string())
                }
                _ => Ok("what?".to_owned()),
            };
            let answer = answer.unwrap_or_else(|error| {
                assert!(error.is_gone());
                "gone".to_owned()
            });
            if socket.send(answer.into()).await.is_err() {
                break;
            }
        }
    })
}

#[tokio::test]
async fn a_websocket_reads_saves_and_reloads_and_begins_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let router = Router::new()
        .route("/", any(talk))
        .layer(site.layer.clone());
    let server = Server::start(router).await;
    let connect = async |cookie: &str| {
        let uri = format!("ws://{}/", server.address).parse().unwrap();
        let request =
            ClientRequestBuilder::new(uri).with_header("Cookie", format!("__Host-sid={cookie}"));
        let (socket, response) = connect_async(request).await.unwrap();
        assert_eq!(response.status(), 101);
        assert!(!response.headers().contains_key("set-cookie"));
        socket
    };

    let mut socket = connect(browser.value()).await;
    let mut say = async |text: &str| {
        socket.send(Sent::text(text)).await.unwrap();
        socket
            .next()
            .await
            .unwrap()
            .unwrap()
            .into_text()
            .unwrap()
            .to_string()
    };
    assert_eq!(say("read").await, "Some(1)");
    browser.write("a", 2).await;
    assert_eq!(say("read").await, "Some(1)", "what it has loaded");
    assert_eq!(say("reload").await, "reloaded");
    assert_eq!(say("read").await, "Some(2)");
    assert_eq!(say("save").await, "saved");
    assert_eq!(browser.read("saved").await, Some(1));
    browser
        .visit(async |session| session.update("n", |n: &mut u32| *n += 10).map(drop))
        .await;
    assert_eq!(say("count").await, "11", "on the newest data");
    browser.visit(async |session| session.clear()).await;
    for ask in ["save", "count", "reload"] {
        assert_eq!(say(ask).await, "gone", "{ask}");
    }
    assert_eq!(say("read").await, "None");

    let mut anonymous = connect("").await;
    for (ask, expected) in [("read", "None"), ("reload", "reloaded"), ("save", "gone")] {
        anonymous.send(Sent::text(ask)).await.unwrap();
        let answer = anonymous.next().await.unwrap().unwrap();
        assert_eq!(answer.to_text().unwrap(), expected, "{ask}");
    }
    assert_eq!(site.sessions().await, 0);
}
