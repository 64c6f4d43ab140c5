use std::sync::Arc;
#[cfg(feature = "redis-cluster")]
use std::time::Duration;

use redis::{Client, ConnectionInfo, IntoConnectionInfo, RedisError};

#[cfg(feature = "redis-sentinel")]
use super::sentinels::Sentinels;
use super::{
    RedisStore, connection::Server, keys::Keys, reply, tcp::tcp_settings, topology::Topology,
};
use crate::error::Error;

/// Connecting.
impl RedisStore {
    /// Connects to a server: `redis://user:password@host:6379/0`, or `redis+unix:///path/to/socket`.
    ///
    /// With the feature `redis-sentinel` also the primary that sentinels name, which it follows through failovers:
    /// `redis+sentinel://user:password@host:26379,host:26379/name/0`. The login is the primary's; that of the sentinels,
    /// if they have one, follows as `?sentinel=user:password`.
    ///
    /// For `rediss://`, which is TLS, add the `redis` crate, version 1, to your own dependencies with one of its TLS
    /// features, such as `tokio-rustls-comp`.
    ///
    /// # Errors
    /// If the URL is none, or [`Error::is_store`] if the server is not there or lets nobody in. Later on a server that
    /// goes away is connected to again when it is back.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), wiz_session::Error> {
    /// let store = wiz_session::RedisStore::connect("redis://127.0.0.1/").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        #[cfg(feature = "redis-sentinel")]
        if let Some(sentinels) = Sentinels::parse(url) {
            let client = sentinels
                .and_then(Sentinels::client)
                .map_err(|error| reply::failed(error, Topology::Sentinel));
            return Self::from_sentinel_client(client?).greeted().await;
        }
        let client = info(url).and_then(|info| Client::open(info).map_err(of_client))?;
        Self::from_client(client).greeted().await
    }

    /// A store on a server that a client of the `redis` crate, version 1, knows. It connects when it is first used.
    ///
    /// ```no_run
    /// use wiz_session::RedisStore;
    ///
    /// # fn f(client: redis::Client) {
    /// let store = RedisStore::from_client(client);
    /// # }
    /// ```
    #[must_use]
    pub fn from_client(client: Client) -> Self {
        Self::build(Server::Single(client))
    }

    /// Sets the prefix of the store's keys. Do not use a hash tag in a cluster: it would put all sessions on one node.
    /// Defaults to `wiz:`.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), wiz_session::Error> {
    /// use wiz_session::RedisStore;
    ///
    /// let store = RedisStore::connect("redis://127.0.0.1/").await?.with_prefix("shop:");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.keys = Arc::new(Keys::new(prefix));
        // One that was paused has other keys.
        self.paused_sweep = Arc::default();
        self
    }

    async fn greeted(self) -> Result<Self, Error> {
        self.send(&redis::cmd("PING")).await?;
        Ok(self)
    }
}

#[cfg(feature = "redis-sentinel")]
/// Connecting to the primary that sentinels name.
impl RedisStore {
    /// A store on the primary that a client of the `redis` crate, version 1, finds by its sentinels. It connects when it
    /// is first used.
    ///
    /// The client's server type has to be `Master`: replicas take no writes, and know later than others that a session
    /// has ended. [`connect`](Self::connect) takes the address of sentinels too.
    ///
    /// ```no_run
    /// use wiz_session::RedisStore;
    ///
    /// # fn f(client: redis::sentinel::SentinelClient) {
    /// let store = RedisStore::from_sentinel_client(client);
    /// # }
    /// ```
    #[must_use]
    pub fn from_sentinel_client(client: redis::sentinel::SentinelClient) -> Self {
        Self::build(Server::Sentinel(Arc::new(client.into())))
    }
}

#[cfg(feature = "redis-cluster")]
/// Connecting to a cluster.
impl RedisStore {
    /// Connects to a cluster, of which at least one of these nodes has to be there.
    ///
    /// # Errors
    /// If one of the URLs is none, or [`Error::is_store`] if no node is there or lets anybody in.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), wiz_session::Error> {
    /// use wiz_session::RedisStore;
    ///
    /// let nodes = ["redis://10.0.0.1/", "redis://10.0.0.2/", "redis://10.0.0.3/"];
    /// let store = RedisStore::connect_cluster(nodes).await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect_cluster(
        urls: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, Error> {
        let nodes: Vec<_> = urls
            .into_iter()
            .map(|url| info(url.as_ref()))
            .collect::<Result<_, _>>()?;
        // Tries for some two seconds, less than the layer's `store_timeout` by default. An election takes longer.
        let client = redis::cluster::ClusterClient::builder(nodes)
            .connection_timeout(Duration::from_secs(1))
            .response_timeout(Duration::from_secs(2))
            .overall_response_timeout(Some(Duration::from_secs(4)))
            .retries(8)
            .min_retry_wait(20)
            .max_retry_wait(500)
            .tcp_settings(tcp_settings())
            // Of it a connection hears what is published.
            .use_protocol(redis::ProtocolVersion::RESP3)
            .build()
            .map_err(of_client)?;
        Self::from_cluster_client(client).greeted().await
    }

    /// A store on a cluster that a client of the `redis` crate, version 1, knows. It connects when it is first used.
    ///
    /// The client must not read from replicas: they know later than others that a session has ended. Let it speak RESP3
    /// (`use_protocol`): with RESP2 nothing is pushed to those who [watch](crate::WizSession::ended).
    ///
    /// ```no_run
    /// use wiz_session::RedisStore;
    ///
    /// # fn f(client: redis::cluster::ClusterClient) {
    /// let store = RedisStore::from_cluster_client(client);
    /// # }
    /// ```
    #[must_use]
    pub fn from_cluster_client(client: redis::cluster::ClusterClient) -> Self {
        Self::build(Server::Cluster(Box::new(client)))
    }
}

fn info(url: &str) -> Result<ConnectionInfo, Error> {
    let info = url.into_connection_info().map_err(of_client)?;
    Ok(info.set_tcp_settings(tcp_settings()))
}

/// Of an address, before there is a connection.
fn of_client(error: RedisError) -> Error {
    reply::failed(error, Topology::Single)
}
