//! A TCP proxy that counts what clients ask of a server.

use std::{
    mem,
    ops::Sub,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

#[derive(Clone, Copy)]
pub enum Protocol {
    Redis,
    Postgres,
}

pub struct Proxy {
    pub port: u16,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Commands, or statements, each of which is answered before the client goes on.
    pub trips: usize,
    /// Messages that ask PostgreSQL whether it is there, and nothing else.
    pub pings: usize,
}

impl Proxy {
    pub async fn start(protocol: Protocol, server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let counts = Arc::<Mutex<Counts>>::default();
        let shared = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
                    continue;
                };
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                let messages = Messages::new(protocol);
                tokio::spawn(pump(from_client, to_server, messages, Arc::clone(&shared)));
                tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
            }
        });
        Self { port, counts }
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock().expect("counting does not panic")
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            trips: self.trips - earlier.trips,
            pings: self.pings - earlier.pings,
        }
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut messages: Messages,
    counts: Arc<Mutex<Counts>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        messages.unread.extend_from_slice(&buffer[..read]);
        messages.count(&mut counts.lock().expect("counting does not panic"));
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}

/// Of one client.
struct Messages {
    protocol: Protocol,
    unread: Vec<u8>,
    /// PostgreSQL's first message has no kind.
    greeted: bool,
    /// Since the last `Sync` there was a statement, or one was prepared.
    asked: bool,
}

impl Messages {
    fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            unread: Vec::new(),
            greeted: false,
            asked: false,
        }
    }

    /// Takes the complete messages from what is unread.
    fn count(&mut self, counts: &mut Counts) {
        let unread = mem::take(&mut self.unread);
        let mut rest = &unread[..];
        loop {
            let taken = match self.protocol {
                Protocol::Redis => redis(rest, counts),
                Protocol::Postgres => self.postgres(rest, counts),
            };
            match taken {
                Some(length) if length <= rest.len() => rest = &rest[length..],
                _ => break,
            }
        }
        self.unread = rest.to_vec();
    }

    /// A message's length, unless it is incomplete.
    fn postgres(&mut self, bytes: &[u8], counts: &mut Counts) -> Option<usize> {
        let head = if self.greeted { 1 } else { 0 };
        let length = bytes.get(head..head + 4)?.try_into().ok()?;
        let length = head + u32::from_be_bytes(length) as usize;
        if bytes.len() < length {
            return None;
        }
        let kind = mem::replace(&mut self.greeted, true).then_some(bytes[0]);
        match kind {
            // Query, which is its own `Sync`, and Execute.
            Some(b'Q') => counts.trips += 1,
            Some(b'E') => {
                counts.trips += 1;
                self.asked = true;
            }
            Some(b'S') => counts.pings += usize::from(!mem::take(&mut self.asked)),
            Some(_) => self.asked = true,
            None => {}
        }
        Some(length)
    }
}

/// A command is an array of strings: `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`.
fn redis(bytes: &[u8], counts: &mut Counts) -> Option<usize> {
    let (words, mut length) = number(bytes)?;
    for _ in 0..words {
        let (size, head) = number(bytes.get(length..)?)?;
        length += head + size + 2;
    }
    if bytes.len() < length {
        return None;
    }
    counts.trips += 1;
    Some(length)
}

/// The number in a line such as `$3\r\n`, and how long the line is.
fn number(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let digits = str::from_utf8(bytes.get(1..end)?).ok()?;
    let number = digits.parse().expect("clients send arrays of strings");
    Some((number, end + 2))
}
