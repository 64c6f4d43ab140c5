//! HTTP/1.1 over one connection, requests in a row: a client library would take more of the machine than the servers.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than any request takes on a store that does not answer, but for the last of some in a row.
const PATIENCE: Duration = Duration::from_secs(12);

pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read, and is no whole answer yet.
    unread: Vec<u8>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The value of the session's cookie that is set, which is empty if it is removed.
    pub(crate) cookie: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            unread: Vec::with_capacity(8 * 1024),
        })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        loop {
            if let Some((answer, length)) = parse(&self.unread)? {
                self.unread.drain(..length);
                return Ok(answer);
            }
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads what comes, and answers how much it was.
    pub(crate) async fn more(&mut self) -> io::Result<usize> {
        timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await?
    }

    /// Forgets what was read, of a stream that never ends.
    pub(crate) fn forget(&mut self) {
        self.unread.clear();
    }
}

/// An answer and its length, if all of it is there.
fn parse(bytes: &[u8]) -> io::Result<Option<(Answer, usize)>> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..head]).map_err(io::Error::other)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no status"))?;
    let (mut length, mut cookie) = (0, None);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "set-cookie" => cookie = value.strip_prefix("sid=").and_then(value_of),
            _ => {}
        }
    }
    let begin = head + 4;
    let Some(body) = bytes.get(begin..begin + length) else {
        return Ok(None);
    };
    let body = body.to_vec();
    Ok(Some((
        Answer {
            status,
            cookie,
            body,
        },
        begin + length,
    )))
}

fn value_of(line: &str) -> Option<String> {
    line.split(';').next().map(str::to_owned)
}
