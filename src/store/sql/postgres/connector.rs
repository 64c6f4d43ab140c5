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
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error as DriverError, NoTls, Notification, Socket,
    config::{Host, LoadBalanceHosts, TargetSessionAttrs},
    tls::{MakeTlsConnect, TlsConnect},
};

use super::failure::Refusal;

/// Opens connections: to where, and over what, only it knows.
#[derive(Clone)]
pub(super) struct Connector {
    open: Arc<dyn Fn() -> BoxFuture<'static, Result<Opened, Refusal>> + Send + Sync>,
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
                Ok(Opened::new(client, connection))
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
        let config = with_defaults(config);
        let wants_primary = config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite;
        let hosts: Arc<[Config]> = each_host(config).into();
        let open = move || {
            let (hosts, tls) = (Arc::clone(&hosts), tls.clone());
            async move { open_first(&hosts, tls).await }.boxed()
        };
        Self {
            open: Arc::new(open),
            wants_primary,
        }
    }

    pub(super) fn open(&self) -> BoxFuture<'static, Result<Opened, Refusal>> {
        (self.open)()
    }
}

impl Opened {
    fn new<S, T>(client: Client, connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let driver = notifications(connection).boxed();
        Self { client, driver }
    }
}

/// The first host that lets us in. Each has its part of the time, as a frozen one takes connections and then says nothing.
async fn open_first<T>(hosts: &[Config], tls: T) -> Result<Opened, Refusal>
where
    T: MakeTlsConnect<Socket> + Clone,
    T::Stream: Send + 'static,
{
    let part = OPEN_TIMEOUT / u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let mut refused = Refusal::timed_out();
    for host in hosts {
        match timeout(part, host.connect(tls.clone())).await {
            Ok(Ok((client, connection))) => return Ok(Opened::new(client, connection)),
            Ok(Err(error)) => refused = error.into(),
            Err(_) => refused = Refusal::timed_out(),
        }
    }
    Err(refused)
}

/// A configuration for each host, in their order. If that is to be random, it is left to the driver.
fn each_host(config: Config) -> Vec<Config> {
    let hosts = config.get_hosts().len();
    let is_random = config.get_load_balance_hosts() == LoadBalanceHosts::Random;
    if hosts < 2
        || is_random
        || !matches!(config.get_ports().len(), 0 | 1) && config.get_ports().len() != hosts
    {
        return vec![config];
    }
    (0..hosts).map(|host| of_host(&config, host)).collect()
}

/// There is no way to remove a host from a configuration.
fn of_host(config: &Config, host: usize) -> Config {
    let mut one = Config::new();
    match &config.get_hosts()[host] {
        Host::Tcp(name) => one.host(name),
        #[cfg(unix)]
        Host::Unix(path) => one.host_path(path),
    };
    let of = |all: &[u16]| all.get(host).or(all.first()).copied();
    of(config.get_ports()).map(|port| one.port(port));
    config
        .get_hostaddrs()
        .get(host)
        .map(|address| one.hostaddr(*address));
    config.get_user().map(|user| one.user(user));
    config.get_password().map(|password| one.password(password));
    config.get_dbname().map(|name| one.dbname(name));
    config.get_options().map(|options| one.options(options));
    config
        .get_application_name()
        .map(|name| one.application_name(name));
    config
        .get_connect_timeout()
        .map(|limit| one.connect_timeout(*limit));
    config
        .get_tcp_user_timeout()
        .map(|limit| one.tcp_user_timeout(*limit));
    config
        .get_keepalives_interval()
        .map(|interval| one.keepalives_interval(interval));
    config
        .get_keepalives_retries()
        .map(|retries| one.keepalives_retries(retries));
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    one
}

/// How it ended is told to those who wait for an answer.
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
    // The driver's default of two hours is never useful here; it cannot be told from a setting.
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

/// How long it may take to open a connection. Below a layer's `store_timeout`, so that the log says what was waited for.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// Of one host, below the time that is given to all of them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long what was sent may stay unacknowledged by the other machine.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_all_other_settings() {
        let settings = "user=app password=secret dbname=shop options=-cgeqo=off application_name=cart sslmode=require \
            sslnegotiation=direct connect_timeout=1 tcp_user_timeout=2 keepalives=0 keepalives_idle=3 \
            keepalives_interval=4 keepalives_retries=5 target_session_attrs=read-write channel_binding=require";
        let parse = |hosts: &str| format!("{hosts} {settings}").parse().expect("settings");
        let several = parse("host=a,/run,c hostaddr=10.0.0.1,10.0.0.2,10.0.0.3 port=1,2,3");
        let each = [
            parse("host=a hostaddr=10.0.0.1 port=1"),
            parse("host=/run hostaddr=10.0.0.2 port=2"),
            parse("host=c hostaddr=10.0.0.3 port=3"),
        ];
        assert_eq!(each_host(several), each);
        let one_port = each_host(parse("host=a,b port=7"));
        assert_eq!(one_port, [parse("host=a port=7"), parse("host=b port=7")]);
    }

    #[test]
    fn hosts_in_random_order_are_left_to_the_driver() {
        let random: Config = "host=a,b load_balance_hosts=random"
            .parse()
            .expect("settings");
        assert_eq!(each_host(random.clone()), [random]);
    }
}
