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
    /// How often PostgreSQL was sent something before it was done with what it had been sent.
    interruptions: AtomicUsize,
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

    /// How often a statement was sent before the one before it had been answered, on the same connection to PostgreSQL.
    pub(crate) fn interruptions(&self) -> usize {
        self.shared.interruptions.load(Ordering::SeqCst)
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
        let unanswered = Arc::new(AtomicUsize::new(0));
        let reader = |is_client| Reader {
            protocol,
            is_client,
            shared: Arc::clone(&shared),
            unanswered: Arc::clone(&unanswered),
            unread: Vec::new(),
            greeted: !is_client,
        };
        tokio::spawn(pump(from_client, to_server, number, reader(true)));
        tokio::spawn(pump(from_server, to_client, number, reader(false)));
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: usize, mut reader: Reader) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if number < reader.shared.first_alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        reader.feed(&buffer[..read]);
        for piece in buffer[..read].chunks(1_000) {
            if !reader.is_client && reader.shared.trickles.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
    }
}

/// Follows what one side of a connection sends.
struct Reader {
    protocol: Protocol,
    is_client: bool,
    shared: Arc<Shared>,
    /// How many statements the server has been sent and not been done with.
    unanswered: Arc<AtomicUsize>,
    unread: Vec<u8>,
    greeted: bool,
}

impl Reader {
    fn feed(&mut self, bytes: &[u8]) {
        if matches!((self.protocol, self.is_client), (Protocol::Mysql, false)) {
            return;
        }
        self.unread.extend_from_slice(bytes);
        while let Some((length, kind)) = self.message() {
            let is_busy = self.unanswered.load(Ordering::SeqCst) > 0;
            if self.is_client && is_busy && !matches!(kind, Kind::EmptyQuery) {
                self.shared.interruptions.fetch_add(1, Ordering::SeqCst);
            }
            if self.unread.len() < length {
                return;
            }
            self.unread.drain(..length);
            self.take(&kind);
        }
    }

    fn take(&self, kind: &Kind) {
        if matches!(kind, Kind::Execute | Kind::Query) {
            self.shared.statements.fetch_add(1, Ordering::SeqCst);
        }
        let change = |unanswered: usize| match kind {
            Kind::Query | Kind::EmptyQuery | Kind::Sync => Some(unanswered + 1),
            // The first one is for the greeting.
            Kind::Ready => Some(unanswered.saturating_sub(1)),
            Kind::Execute | Kind::Other => None,
        };
        let order = Ordering::SeqCst;
        let _ = self.unanswered.fetch_update(order, order, change);
    }

    /// The next message's length, and what it is.
    fn message(&mut self) -> Option<(usize, Kind)> {
        match (self.protocol, self.unread.as_slice()) {
            (Protocol::Postgres, &[a, b, c, d, ..]) if !self.greeted => {
                self.greeted = true;
                Some((u32::from_be_bytes([a, b, c, d]) as usize, Kind::Other))
            }
            (Protocol::Postgres, &[kind, a, b, c, d, ..]) if self.greeted => {
                let length = 1 + u32::from_be_bytes([a, b, c, d]) as usize;
                let kind = match (self.is_client, kind) {
                    (true, b'E') => Kind::Execute,
                    (true, b'Q') if length == EMPTY_QUERY => Kind::EmptyQuery,
                    (true, b'Q') => Kind::Query,
                    (true, b'S') => Kind::Sync,
                    (false, b'Z') => Kind::Ready,
                    _ => Kind::Other,
                };
                Some((length, kind))
            }
            // COM_STMT_EXECUTE and COM_QUERY, which begin a conversation.
            (Protocol::Mysql, &[a, b, c, sequence, command, ..]) => {
                let length = 4 + u32::from_le_bytes([a, b, c, 0]) as usize;
                let kind = match (sequence, command) {
                    (0, 0x17 | 0x03) => Kind::Execute,
                    _ => Kind::Other,
                };
                Some((length, kind))
            }
            _ => None,
        }
    }
}

/// Of a message, as PostgreSQL names them.
enum Kind {
    Execute,
    Query,
    /// Asks nothing but to be answered. It is in one piece, so that a pooler sees all of it or nothing.
    EmptyQuery,
    Sync,
    /// ReadyForQuery.
    Ready,
    Other,
}

/// Its kind, its length, and the end of the text.
const EMPTY_QUERY: usize = 1 + 4 + 1;
