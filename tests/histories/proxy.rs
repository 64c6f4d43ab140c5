//! Stands between the servers and the database: slows answers down, loses them, and cuts connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
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

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    weather: Arc<Weather>,
}

#[derive(Default)]
struct Weather {
    /// So many of the next answers are lost, each with its connection.
    loses: AtomicUsize,
    /// So long takes each answer.
    millis: AtomicU64,
    /// Connections that are older than the last cut are over.
    cuts: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let weather = Arc::new(Weather::default());
        let proxy = Self {
            port,
            weather: Arc::clone(&weather),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // The client finds its connection closed while the server is down.
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
                    continue;
                };
                tokio::spawn(connect(client, server, Arc::clone(&weather)));
            }
        });
        proxy
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

async fn connect(client: TcpStream, server: TcpStream, weather: Arc<Weather>) {
    // Without a delay of TCP's own.
    for socket in [&client, &server] {
        let _ = socket.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let cuts = weather.cuts.load(Ordering::SeqCst);
    tokio::select! {
        () = pump(from_client, to_server, &weather, false) => {}
        () = pump(from_server, to_client, &weather, true) => {}
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
