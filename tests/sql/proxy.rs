//! A TCP proxy that counts what is asked of a database, can swallow connections as a broken network does, and can be
//! slow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    statements: AtomicUsize,
    connections: AtomicUsize,
    /// Connections before this one lead nowhere.
    first_alive: AtomicUsize,
    trickles: AtomicBool,
}

/// What a client's messages look like.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    Postgres,
    Mysql,
}

impl Proxy {
    pub(crate) async fn start(protocol: Protocol, server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared::default());
        tokio::spawn(listen(listener, server, protocol, Arc::clone(&shared)));
        Self { port, shared }
    }

    /// How many statements were carried out since the last look.
    pub(crate) fn statements(&self) -> usize {
        self.shared.statements.swap(0, Ordering::SeqCst)
    }

    /// From now on nothing comes through the connections there are, and nobody is told.
    pub(crate) fn swallow(&self) {
        let connections = self.shared.connections.load(Ordering::SeqCst);
        self.shared.first_alive.store(connections, Ordering::SeqCst);
    }

    /// Whether what the server says comes in small pieces from now on.
    pub(crate) fn trickle(&self, trickles: bool) {
        self.shared.trickles.store(trickles, Ordering::SeqCst);
    }
}

async fn listen(listener: TcpListener, server: u16, protocol: Protocol, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let counter = Some(Counter::new(protocol, Arc::clone(&shared)));
        tokio::spawn(pump(
            from_client,
            to_server,
            number,
            Arc::clone(&shared),
            counter,
        ));
        tokio::spawn(pump(
            from_server,
            to_client,
            number,
            Arc::clone(&shared),
            None,
        ));
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: usize,
    shared: Arc<Shared>,
    mut counter: Option<Counter>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if number < shared.first_alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(counter) = &mut counter {
            counter.feed(&buffer[..read]);
        }
        let from_server = counter.is_none();
        for piece in buffer[..read].chunks(1_000) {
            if from_server && shared.trickles.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
    }
}

/// Finds statements in what a client sends.
struct Counter {
    protocol: Protocol,
    shared: Arc<Shared>,
    unread: Vec<u8>,
    greeted: bool,
}

impl Counter {
    fn new(protocol: Protocol, shared: Arc<Shared>) -> Self {
        Self {
            protocol,
            shared,
            unread: Vec::new(),
            greeted: false,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some((length, is_statement)) = self.message() {
            if self.unread.len() < length {
                return;
            }
            self.unread.drain(..length);
            self.shared
                .statements
                .fetch_add(usize::from(is_statement), Ordering::SeqCst);
        }
    }

    /// The length of the next message and whether it is a statement to be carried out.
    fn message(&mut self) -> Option<(usize, bool)> {
        match (self.protocol, self.unread.as_slice()) {
            (Protocol::Postgres, &[a, b, c, d, ..]) if !self.greeted => {
                self.greeted = true;
                Some((u32::from_be_bytes([a, b, c, d]) as usize, false))
            }
            // Execute, and a query without values.
            (Protocol::Postgres, &[kind, a, b, c, d, ..]) if self.greeted => Some((
                1 + u32::from_be_bytes([a, b, c, d]) as usize,
                matches!(kind, b'E' | b'Q'),
            )),
            // COM_STMT_EXECUTE and COM_QUERY, which begin a conversation.
            (Protocol::Mysql, &[a, b, c, sequence, command, ..]) => {
                let length = 4 + u32::from_le_bytes([a, b, c, 0]) as usize;
                Some((length, sequence == 0 && matches!(command, 0x17 | 0x03)))
            }
            _ => None,
        }
    }
}
