//! A proxy that loses what it is to pass on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, OwnedMutexGuard},
};
use wiz_session::RedisStore;

use crate::servers::Redis;

/// Stands between the store and the server.
pub(crate) struct Proxy {
    port: u16,
    /// Where new connections lead.
    server: Arc<AtomicU16>,
    /// Which of the next answers is lost, with its connection; none if 0.
    loses_answer: Arc<AtomicUsize>,
    /// Of the next commands.
    loses_command: Arc<AtomicUsize>,
    /// Once it is set, no connection carries more bytes of replies than that: the rest stays on its way.
    stalls_large: Arc<AtomicUsize>,
    /// Subscriptions take half a second to reach the server.
    delays_subscriptions: Arc<AtomicBool>,
    /// How often the connections that were there have fallen silent.
    silences: Arc<AtomicUsize>,
    /// Held while nobody may connect.
    door: Arc<Mutex<()>>,
}

impl Proxy {
    pub(crate) async fn before(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Self {
            port: listener.local_addr().expect("its address").port(),
            server: Arc::new(redis.port().into()),
            loses_answer: Arc::default(),
            loses_command: Arc::default(),
            stalls_large: Arc::new(usize::MAX.into()),
            delays_subscriptions: Arc::default(),
            silences: Arc::default(),
            door: Arc::default(),
        };
        let (server, door) = (proxy.server.clone(), proxy.door.clone());
        let loses = [proxy.loses_command.clone(), proxy.loses_answer.clone()];
        let stalls = proxy.stalls_large.clone();
        let silences = proxy.silences.clone();
        let delays = proxy.delays_subscriptions.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                drop(door.lock().await);
                let server = TcpStream::connect(("127.0.0.1", server.load(Ordering::SeqCst))).await;
                let server = server.expect("the server is there");
                let connection = Self::connect(
                    client,
                    server,
                    loses.clone(),
                    stalls.clone(),
                    delays.clone(),
                );
                tokio::spawn(Self::until_silent(connection, silences.clone()));
            }
        });
        proxy
    }

    /// Passes on what comes until then, and keeps the connection open after that.
    async fn until_silent(connection: impl Future<Output = ()>, silences: Arc<AtomicUsize>) {
        let before = silences.load(Ordering::SeqCst);
        let mut connection = std::pin::pin!(connection);
        loop {
            let wait = Duration::from_millis(10);
            let is_over = tokio::time::timeout(wait, connection.as_mut()).await;
            match is_over {
                Ok(()) => return,
                Err(_) if silences.load(Ordering::SeqCst) == before => {}
                Err(_) => std::future::pending().await,
            }
        }
    }

    async fn connect(
        client: TcpStream,
        server: TcpStream,
        loses: [Arc<AtomicUsize>; 2],
        stalls: Arc<AtomicUsize>,
        delays: Arc<AtomicBool>,
    ) {
        let (never, at_once) = (AtomicUsize::new(usize::MAX), AtomicBool::new(false));
        let (mut commands, mut to_client) = client.into_split();
        let (mut answers, mut to_server) = server.into_split();
        tokio::select! {
            () = Self::forward(&mut commands, &mut to_server, &loses[0], &never, &delays) => {}
            () = Self::forward(&mut answers, &mut to_client, &loses[1], &stalls, &at_once) => {}
        }
    }

    /// Until the connection ends, or what is to be lost arrives.
    async fn forward(
        from: &mut OwnedReadHalf,
        to: &mut OwnedWriteHalf,
        lost: &AtomicUsize,
        stalls: &AtomicUsize,
        delays: &AtomicBool,
    ) {
        let (mut buffer, mut whole) = ([0; 4096], 0);
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let most = stalls.load(Ordering::SeqCst);
            whole += if most == usize::MAX { 0 } else { count };
            if whole > most {
                std::future::pending::<()>().await;
            }
            let subscribes = || buffer[..count].windows(9).any(|word| word == b"SUBSCRIBE");
            if delays.load(Ordering::SeqCst) && subscribes() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let left = lost.load(Ordering::SeqCst);
            lost.store(left.saturating_sub(1), Ordering::SeqCst);
            if left == 1 || to.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    }

    /// The connection ends in place of the next answer but so many.
    pub(crate) fn lose_answer_after(&self, others: usize) {
        self.loses_answer.store(others + 1, Ordering::SeqCst);
    }

    pub(crate) fn lose_answer(&self) {
        self.lose_answer_after(0);
    }

    /// The connection ends when the next command is sent, before the server has it.
    pub(crate) fn lose_command(&self) {
        self.loses_command.store(1, Ordering::SeqCst);
    }

    pub(crate) fn has_lost_it(&self) -> bool {
        [&self.loses_answer, &self.loses_command]
            .iter()
            .all(|left| left.load(Ordering::SeqCst) == 0)
    }

    /// The next answer is lost, and nobody gets another connection until this is dropped.
    pub(crate) async fn shut(&self) -> OwnedMutexGuard<()> {
        self.shut_after(0).await
    }

    /// The same with the next answer but so many.
    pub(crate) async fn shut_after(&self, others: usize) -> OwnedMutexGuard<()> {
        self.lose_answer_after(others);
        self.door.clone().lock_owned().await
    }

    pub(crate) fn delay_subscriptions(&self) {
        self.delays_subscriptions.store(true, Ordering::SeqCst);
    }

    /// Nothing arrives any more on the connections that are open.
    pub(crate) async fn swallow(&self) {
        self.silences.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// From now on each connection stalls when it has carried so many bytes of replies.
    pub(crate) fn stall_after(&self, bytes: usize) {
        self.stalls_large.store(bytes, Ordering::SeqCst);
    }

    /// From now on new connections lead to this server.
    pub(crate) fn lead_to(&self, redis: &Redis) {
        self.server.store(redis.port(), Ordering::SeqCst);
    }

    pub(crate) async fn store(&self) -> RedisStore {
        let store = RedisStore::connect(&format!("redis://127.0.0.1:{}/", self.port)).await;
        store.expect("the server is there")
    }
}
