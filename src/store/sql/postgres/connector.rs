use std::{
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream::{self, BoxStream, Stream},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error as DriverError, NoTls, Notification, Socket,
    config::TargetSessionAttrs,
    tls::{MakeTlsConnect, TlsConnect},
};

/// Opens connections: to where, and over what, only it knows.
#[derive(Clone)]
pub(super) struct Connector {
    open: Arc<dyn Fn() -> BoxFuture<'static, Result<Opened, DriverError>> + Send + Sync>,
    /// Whether it looks for a server that may be written to, so that one that may not be any more is to be left.
    pub(super) wants_primary: bool,
}

/// A connection's two halves.
pub(super) struct Opened {
    pub(super) client: Client,
    /// Does the I/O, and gives what the server tells those who listen. It ends when the client is dropped, or the connection
    /// breaks.
    pub(super) driver: BoxStream<'static, Notification>,
}

impl Connector {
    pub(super) fn new<F, S, T>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(Client, Connection<S, T>), DriverError>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = move || {
            let opened = open();
            let opened = async move {
                let (client, connection) = opened.await?;
                let driver = notifications(connection).boxed();
                Ok(Opened { client, driver })
            };
            opened.boxed()
        };
        Self {
            open: Arc::new(open),
            wants_primary: false,
        }
    }

    pub(super) fn without_tls(config: Config) -> Self {
        Self::with_tls(config, NoTls)
    }

    pub(super) fn with_tls<T>(config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let config = Arc::new(with_defaults(config));
        let wants_primary = config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite;
        let open = move || {
            let (config, tls) = (Arc::clone(&config), tls.clone());
            async move { config.connect(tls).await }
        };
        Self {
            wants_primary,
            ..Self::new(open)
        }
    }

    pub(super) fn open(&self) -> BoxFuture<'static, Result<Opened, DriverError>> {
        (self.open)()
    }
}

/// How it ended is told to whoever waits for an answer.
fn notifications<S, T>(mut connection: Connection<S, T>) -> impl Stream<Item = Notification>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    stream::poll_fn(move |cx| {
        loop {
            match ready!(connection.poll_message(cx)) {
                Some(Ok(AsyncMessage::Notification(told))) => return Poll::Ready(Some(told)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    })
}

/// Fills in what lets a connection notice that the network is gone, and names it to the server's administrator.
fn with_defaults(mut config: Config) -> Config {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TCP_USER_TIMEOUT);
    }
    // The driver's own default, two hours, is too long to be anybody's wish.
    if config.get_keepalives_idle() == Duration::from_secs(2 * 60 * 60) {
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
    }
    if config.get_application_name().is_none() {
        config.application_name("wiz-session");
    }
    config
}

/// Of one host, below the time that is given to all of them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long what was sent may stay unacknowledged by the other machine.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
