//! A server that speaks Redis's protocol and is none.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers each command with the number one. Gives its address.
pub(crate) async fn redis() -> String {
    answering(":1").await
}

/// Answers each command in the same way.
pub(crate) async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    serve(listener, move |_| answer.to_owned());
    format!("redis://{address}/")
}

/// A cluster of one node that has all slots, and answers each command on a session in the same way. In the answer,
/// `{port}` is its own.
pub(crate) async fn cluster(answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let slots = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}");
    let answer = answer.replace("{port}", &port.to_string());
    serve(listener, move |command| {
        let is = |name: &str| command.contains(&format!("\r\n{name}\r\n"));
        match () {
            () if is("SLOTS") => slots.clone(),
            () if is("EVALSHA") || is("EVAL") || is("GETEX") => answer.clone(),
            () => "+OK".to_owned(),
        }
    });
    format!("redis://127.0.0.1:{port}/")
}

fn serve(listener: TcpListener, answer: impl Fn(&str) -> String + Clone + Send + Sync + 'static) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, answer.clone()));
        }
    });
}

async fn converse(mut stream: TcpStream, answer: impl Fn(&str) -> String) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let said = String::from_utf8_lossy(&buffer[..read]).into_owned();
        // Commands are arrays, and no argument here has a star.
        for command in said.split('*').skip(1) {
            let line = answer(command) + "\r\n";
            if stream.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
