//! Stands between the servers and the database: slows answers down, loses them, and cuts connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    weather: Arc<Weather>,
}

const NO_SERVER: u16 = 0;

#[derive(Default)]
struct Weather {
    /// The port of the server.
    server: AtomicU16,
    /// So many of the next answers are lost, each with its connection.
    loses: AtomicUsize,
    /// So long takes each answer.
    millis: AtomicU64,
    /// Connections that are older than the last cut are over.
    cuts: AtomicUsize,
    connected: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let weather = Arc::new(Weather::default());
        weather.server.store(server, Ordering::SeqCst);
        let proxy = Self {
            port,
            weather: Arc::clone(&weather),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let weather = Arc::clone(&weather);
                weather.connected.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let server = weather.server.load(Ordering::SeqCst);
                    // The client finds its connection closed while the server is down.
                    if server != NO_SERVER
                        && let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await
                    {
                        connect(client, server, &weather).await;
                    }
                    weather.connected.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        proxy
    }

    /// When it returns, nothing comes through, until it [leads](Self::lead_to) somewhere again.
    pub(crate) fn close(&self) {
        self.weather.server.store(NO_SERVER, Ordering::SeqCst);
        while self.weather.connected.load(Ordering::SeqCst) > 0 {
            // Also those who are just connecting.
            self.cut();
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn lead_to(&self, server: u16) {
        self.weather.server.store(server, Ordering::SeqCst);
    }

    pub(crate) fn lose_answers(&self, count: usize) {
        self.weather.loses.store(count, Ordering::SeqCst);
    }

    pub(crate) fn slow_down(&self, millis: u64) {
        self.weather.millis.store(millis, Ordering::SeqCst);
    }

    pub(crate) fn cut(&self) {
        self.weather.cuts.fetch_add(1, Ordering::SeqCst);
    }
}

async fn connect(client: TcpStream, server: TcpStream, weather: &Weather) {
    // Without a delay of TCP's own.
    for socket in [&client, &server] {
        let _ = socket.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let cuts = weather.cuts.load(Ordering::SeqCst);
    tokio::select! {
        () = pump(from_client, to_server, weather, false) => {}
        () = pump(from_server, to_client, weather, true) => {}
        () = async {
            while weather.cuts.load(Ordering::SeqCst) == cuts {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, weather: &Weather, answers: bool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if answers {
            let lost = weather
                .loses
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                });
            if lost.is_ok() {
                return;
            }
            match weather.millis.load(Ordering::SeqCst) {
                0 => {}
                millis => tokio::time::sleep(Duration::from_millis(millis)).await,
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
