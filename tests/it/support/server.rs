use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A router behind a real socket, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let serve = async { axum::serve(listener, router).await.expect("it serves") };
        Self {
            address,
            task: tokio::spawn(serve),
        }
    }

    /// Sends a request as it stands, and does not wait for the answer.
    pub(crate) async fn ask(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it accepts");
        stream.write_all(request).await.expect("it reads");
        stream
    }

    /// The whole answer, head and body, to a `GET` with this `Cookie` line.
    pub(crate) async fn get(&self, path: &str, cookie: &[u8]) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nCookie: ");
        let mut stream = self
            .ask(&[head.as_bytes(), cookie, b"\r\n\r\n"].concat())
            .await;
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        soon(read).await.expect("the answer is text");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits, but not for ever.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work)
        .await
        .expect("waited in vain")
}
