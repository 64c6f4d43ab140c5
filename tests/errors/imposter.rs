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
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer));
        }
    });
    format!("redis://{address}/")
}

async fn serve(mut stream: TcpStream, answer: &'static str) {
    let answer = format!("{answer}\r\n");
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        // Commands are arrays, and no argument here has a star.
        let commands = buffer[..read].iter().filter(|byte| **byte == b'*').count();
        if stream
            .write_all(answer.repeat(commands).as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}
