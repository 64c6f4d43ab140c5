//! Clients who follow a session for a moment: over a stream of events, or a WebSocket.

use std::{error::Error, time::Duration};

use fastrand::Rng;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{ClientRequestBuilder, Message},
};

use crate::{
    connection::Connection,
    request::{self, Identity},
};

type Watched = Result<(), Box<dyn Error + Send + Sync>>;

/// An error if the server, or its store, was not there from the first to the last.
pub(crate) async fn watch(port: u16, identity: &Identity, mut rng: Rng) -> Watched {
    let until = Instant::now() + Duration::from_millis(rng.u64(10..1_500));
    match rng.bool() {
        true => socket(port, identity, until, &mut rng).await,
        false => stream(port, identity, until, &mut rng).await,
    }
}

/// One in five does not read what it is sent.
async fn stream(port: u16, identity: &Identity, until: Instant, rng: &mut Rng) -> Watched {
    let mut connection = Connection::open(port).await?;
    let mut head = Vec::new();
    request::head("/api/events", None, identity, &mut head);
    connection.send(&head).await?;
    if rng.u8(..5) == 0 {
        sleep_until(until).await;
        return Ok(());
    }
    while let Ok(read) = timeout_at(until, connection.more()).await {
        if read? == 0 {
            break;
        }
        connection.forget();
    }
    Ok(())
}

/// Half of them say goodbye.
async fn socket(port: u16, identity: &Identity, until: Instant, rng: &mut Rng) -> Watched {
    let address = format!("ws://127.0.0.1:{port}/ws").parse()?;
    let mut request = ClientRequestBuilder::new(address);
    if let Some((name, value)) = identity.header() {
        request = request.with_header(name, value);
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut socket, _) = client_async(request, stream).await?;
    let set = format!("set socket {}", rng.u32(..));
    for command in ["watch", "get cart", &set, "alive", "whoami"] {
        socket.send(Message::text(command)).await?;
    }
    while let Ok(Some(message)) = timeout_at(until, socket.next()).await {
        message?;
    }
    if rng.bool() {
        timeout(Duration::from_secs(5), socket.close(None)).await??;
    }
    Ok(())
}
