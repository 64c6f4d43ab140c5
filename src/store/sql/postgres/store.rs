use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{
    Client, Config, Connection, Error as DriverError, Socket,
    tls::{MakeTlsConnect, TlsConnect},
};

use super::{
    address::Address,
    connector::Connector,
    executor::{CONNECTIONS, PostgresExecutor},
    failure::Refusal,
};
use crate::{
    error::{ConfigError, Error},
    store::sql::{common::sql_store, table::SqlTable},
};

/// Keeps sessions in PostgreSQL (12 or newer): for applications on several machines, or that already use it.
///
/// ```no_run
/// use wiz_session::{Key, WizSessionLayer, store::PostgresStore};
///
/// # async fn f() -> Result<(), wiz_session::Error> {
/// let store = PostgresStore::connect("postgres://app@localhost/app").await?;
/// store.migrate().await?;
/// let layer = WizSessionLayer::new(store, Key::generate());
/// # Ok(()) }
/// ```
///
/// Run a [`Sweeper`](crate::Sweeper) to delete expired sessions. Neither a superuser nor an extension is needed.
///
/// # Connections
///
/// Ten, unless [set otherwise](Self::with_connections), which all requests share: each takes one for the time of a
/// statement. Sessions that are loaded at the same moment are loaded by one statement, and sessions that are written at
/// the same moment are written by one, which waits for the disk once. Two more connections are opened when they are first
/// needed, for what concerns many sessions. Clones share them all.
///
/// They are opened anew after they broke. A query whose connection broke is sent again, on another one; a write is not,
/// as it may have taken effect, and the layer looks that up. A connection on which a request waits for an answer for two
/// and a half seconds is given up.
///
/// Statements are not prepared, nothing is `SET` on a connection, and a statement is not sent before the answer to the one
/// before it has come. So **PgBouncer in transaction mode** needs no setting, whatever its version, and neither do other
/// poolers.
///
/// A row that another transaction has locked is waited for aside, for four seconds at most; other sessions are not held
/// up.
///
/// # TLS
///
/// Connections are not encrypted unless they are asked to be. With the feature `postgres-tls`, and `sslmode=verify-full`
/// in the address, they are, and the server's certificate is verified: see [`connect`](Self::connect). Another TLS library: see
/// [`from_config_with_tls`](Self::from_config_with_tls).
///
#[doc = include_str!("../table.md")]
#[derive(Clone)]
pub struct PostgresStore {
    table: SqlTable<PostgresExecutor>,
}

/// Connecting.
impl PostgresStore {
    /// Connects to the database at an address such as `postgres://user:password@host/database`.
    ///
    /// What else an address may say is described at [`Config`]. Of note:
    ///
    /// | | |
    /// |---|---|
    /// | `postgres://app@db1,db2/app?target_session_attrs=read-write` | several hosts, of which the primary is taken, also after a failover |
    /// | `sslmode=verify-full` | TLS; the server's certificate has to be valid, and for this host. Takes the feature `postgres-tls`. `require` and `verify-ca` do the same |
    /// | `sslrootcert=FILE` | the certificates of the authorities to trust, in PEM, in place of the system's |
    ///
    /// **Without `sslmode` the connection is not encrypted**: write `sslmode=verify-full` where it leaves the machine.
    ///
    /// Several hosts are tried in their order, and share the time limit.
    ///
    /// # Errors
    /// [`Error::is_store`], if the address is invalid, or the server refuses or does not answer within three seconds.
    ///
    /// # Cancel safety
    /// Dropped midway, it closes what it has opened.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), wiz_session::Error> {
    /// let store = wiz_session::PostgresStore::connect("postgres://app@localhost/app").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let store = Self::over(connector(Address::parse(url)?)?);
        store.table.executor().open().await?;
        Ok(store)
    }

    /// Uses a configuration of [tokio-postgres](crate::store::tokio_postgres), without TLS. It connects when it is first
    /// used.
    ///
    /// Time limits, TCP keep-alive and a name for the application are filled in where the configuration has none.
    ///
    /// ```no_run
    /// use wiz_session::store::{PostgresStore, tokio_postgres::Config};
    ///
    /// let mut config = Config::new();
    /// config.host("/var/run/postgresql").user("app").dbname("app");
    /// let store = PostgresStore::from_config(config);
    /// ```
    #[must_use]
    pub fn from_config(config: Config) -> Self {
        Self::over(Connector::without_tls(config))
    }

    /// The same, over TLS of a library of your choice, such as `tokio-postgres-rustls` or `postgres-native-tls`. Whether
    /// it is used is up to the configuration's `ssl_mode`.
    ///
    /// ```no_run
    /// use wiz_session::store::{PostgresStore, tokio_postgres::{Config, NoTls, config::SslMode}};
    ///
    /// # let my_connector = NoTls;
    /// let mut config = Config::new();
    /// config.host("db").user("app").dbname("app").ssl_mode(SslMode::Require);
    /// let store = PostgresStore::from_config_with_tls(config, my_connector);
    /// ```
    #[must_use]
    pub fn from_config_with_tls<T>(config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        Self::over(Connector::with_tls(config, tls))
    }

    /// Uses connections of your own, each opened by this function: over a tunnel, or with a password that changes. It is
    /// called when a connection is first needed, and after one broke.
    ///
    /// The store drives what the function returns: do not spawn it. Three seconds are given to it.
    ///
    /// ```no_run
    /// use wiz_session::store::{PostgresStore, tokio_postgres::{self, Config, NoTls}};
    ///
    /// # async fn token() -> String { String::new() }
    /// let store = PostgresStore::from_connector(|| async {
    ///     let mut config = Config::new();
    ///     config.host("db").user("app").password(token().await);
    ///     config.connect(NoTls).await
    /// });
    /// ```
    #[must_use]
    pub fn from_connector<F, S, T>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(Client, Connection<S, T>), DriverError>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::over(Connector::new(open))
    }

    /// Sets how many connections the requests share. Two more are opened when needed, for what concerns many sessions.
    /// Defaults to 10. A connection carries one statement in a round trip: more of them help where the server is far
    /// away.
    ///
    /// To be called before the store is cloned or used: it begins with new connections.
    ///
    /// # Errors
    /// If it is zero, or more than 1,000.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = wiz_session::PostgresStore::connect("postgres://app@localhost/app").await?.with_connections(2)?;
    /// # Ok(()) }
    /// ```
    pub fn with_connections(self, connections: usize) -> Result<Self, ConfigError> {
        if !(1..=1_000).contains(&connections) {
            return Err(ConfigError::new(format!(
                "connections is {connections}: give `.with_connections(…)` from 1 to 1000"
            )));
        }
        let change = |executor: PostgresExecutor| executor.with_connections(connections);
        let table = self.table.map_executor(change);
        Ok(Self { table })
    }

    /// Closes the connections, once what was asked has been answered, so that the server does not log connections that
    /// broke. What takes more than a second is not waited for: its connection closes after it. The store may be used
    /// again, and then opens new ones.
    ///
    /// # Cancel safety
    /// Dropped midway, some connections stay open until the store is dropped.
    ///
    /// ```no_run
    /// # async fn f(store: wiz_session::PostgresStore) {
    /// store.close().await;
    /// # }
    /// ```
    pub async fn close(&self) {
        self.table.executor().close().await;
    }

    fn over(connector: Connector) -> Self {
        Self {
            table: SqlTable::new(PostgresExecutor::new(connector, CONNECTIONS)),
        }
    }
}

sql_store!(PostgresStore);

#[cfg(feature = "postgres-tls")]
fn connector(address: Address) -> Result<Connector, Refusal> {
    use tokio_postgres::config::SslMode;

    if address.config.get_ssl_mode() != SslMode::Require {
        return Ok(Connector::without_tls(address.config));
    }
    let tls = super::tls::verified(address.authorities.as_deref())?;
    Ok(Connector::with_tls(address.config, tls))
}

#[cfg(not(feature = "postgres-tls"))]
#[expect(clippy::unnecessary_wraps, reason = "with TLS it can fail")]
fn connector(address: Address) -> Result<Connector, Refusal> {
    Ok(Connector::without_tls(address.config))
}
