#[cfg(feature = "redis-sentinel")]
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use parking_lot::Mutex;
#[cfg(feature = "redis-sentinel")]
use redis::sentinel::SentinelClient;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult,
    ServerErrorKind, Value, aio::ConnectionLike,
};
#[cfg(feature = "redis-cluster")]
use redis::{
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr},
};

use super::{advice, batch::BatchedConnection, lane::Lane, topology::Topology};

/// The connections that all requests share: one, and a second from the first large value on. Each is opened anew by the
/// next request after it broke.
///
/// The crate's own `ConnectionManager` fails the first command after a break, and every further one if what came back
/// when it connected again was a reply such as "max number of clients reached". Here a command whose connection broke
/// is resent once, on a new one, so that a connection which broke while idle costs no request. A cluster's connection
/// is the crate's, which resends by itself and does not tell.
///
/// Scripts are safe to resend: each changes nothing if it has run before. Its second reply does not tell who changed
/// what it found, though, so the caller has to know of it: see [`Sent::is_resent`].
pub(super) struct ConnectionManager {
    server: Server,
    small: Mutex<PendingConnection>,
    large: Mutex<PendingConnection>,
}

/// A connection, or the attempt to open one, which its first user drives and all others wait for.
type PendingConnection = Shared<BoxFuture<'static, RedisResult<Connection>>>;

/// What became of a request.
pub(super) struct Sent {
    pub(super) result: RedisResult<Value>,
    /// The server may have run it twice: the first connection broke while the request was in flight.
    pub(super) is_resent: bool,
}

impl Sent {
    pub(super) fn fails_by(&self, kind: ServerErrorKind) -> bool {
        let error = self.result.as_ref().err();
        error.is_some_and(|error| error.kind() == ErrorKind::Server(kind))
    }
}

/// Shorter than the layer's default `store_timeout`, so that a connection which went dead in silence is replaced.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

impl ConnectionManager {
    pub(super) fn new(server: Server) -> Self {
        let open = || Mutex::new(server.open());
        let (small, large) = (open(), open());
        Self {
            server,
            small,
            large,
        }
    }

    /// To the node of a cluster that has this slot, or to where the request's keys are.
    pub(super) async fn send(&self, request: Request<'_>, slot: Option<u16>, lane: Lane) -> Sent {
        let current = match lane {
            Lane::Small => &self.small,
            Lane::Large => &self.large,
        };
        let mut is_resent = false;
        for is_last in [false, true] {
            let pending = current.lock().clone();
            let opened = match pending.peek() {
                Some(opened) => opened.clone(),
                None => pending.clone().await,
            };
            let (result, may_have_run) = match opened {
                Ok(connection) => (connection.send(request, slot).await, true),
                Err(error) => (Err(error), false),
            };
            let error = match result {
                Err(error) if !may_have_run || self.server.is_broken(&error) => error,
                result => return Sent { result, is_resent },
            };
            self.replace(current, &pending);
            // A server that is too slow is not asked twice.
            if is_last || error.is_timeout() {
                let result = Err(error);
                return Sent { result, is_resent };
            }
            is_resent = may_have_run && !is_refused_write(&error);
        }
        unreachable!("the last attempt returns")
    }

    pub(super) fn topology(&self) -> Topology {
        match self.server {
            Server::Single(_) => Topology::Single,
            #[cfg(feature = "redis-sentinel")]
            Server::Sentinel(_) => Topology::Sentinel,
            #[cfg(feature = "redis-cluster")]
            Server::Cluster(_) => Topology::Cluster,
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.topology() == Topology::Cluster
    }

    /// Lets go of a broken connection, unless another request has.
    fn replace(&self, current: &Mutex<PendingConnection>, broken: &PendingConnection) {
        let mut current = current.lock();
        if current.ptr_eq(broken) {
            *current = self.server.open();
        }
    }
}

/// What to connect to.
pub(super) enum Server {
    Single(Client),
    /// The primary that the sentinels name, each time a connection is opened.
    #[cfg(feature = "redis-sentinel")]
    Sentinel(Arc<tokio::sync::Mutex<SentinelClient>>),
    #[cfg(feature = "redis-cluster")]
    Cluster(Box<ClusterClient>),
}

impl Server {
    /// Connects when it is first polled.
    fn open(&self) -> PendingConnection {
        match self {
            Self::Single(client) => open_single(client.clone()).boxed().shared(),
            #[cfg(feature = "redis-sentinel")]
            Self::Sentinel(client) => open_sentinel(Arc::clone(client)).boxed().shared(),
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(client) => open_cluster(client.clone()).boxed().shared(),
        }
    }

    /// Whether the connection has to be replaced.
    fn is_broken(&self, error: &RedisError) -> bool {
        match self {
            // A primary that became a replica keeps its connections; its name may resolve to the new one by now.
            Self::Single(_) => {
                error.is_unrecoverable_error() || error.is_timeout() || is_read_only(error)
            }
            // One that has lost its replicas may have been replaced by one of them.
            #[cfg(feature = "redis-sentinel")]
            Self::Sentinel(_) => {
                error.is_unrecoverable_error() || error.is_timeout() || is_refused_write(error)
            }
            // The cluster's connection replaces those to single nodes by itself.
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(_) => error.is_unrecoverable_error(),
        }
    }
}

async fn open_single(client: Client) -> RedisResult<Connection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    let connected = client.get_multiplexed_async_connection_with_config(&config);
    let batched = |connection| BatchedConnection::new(connection, RESPONSE_TIMEOUT);
    connected.await.map(batched).map(Connection::Single)
}

#[cfg(feature = "redis-sentinel")]
async fn open_sentinel(
    sentinels: Arc<tokio::sync::Mutex<SentinelClient>>,
) -> RedisResult<Connection> {
    open_single(primary_of(&sentinels).await?).await
}

/// Asks the sentinels anew each time, and the server whether it is a primary. Requests come to less than two seconds
/// in all, as for a single server.
#[cfg(feature = "redis-sentinel")]
pub(super) async fn primary_of(
    sentinels: &tokio::sync::Mutex<SentinelClient>,
) -> RedisResult<Client> {
    let find = async { sentinels.lock().await.async_get_client().await };
    limited(CONNECT_TIMEOUT, find).await
}

/// The crate limits the time for each node, not for all of them.
#[cfg(feature = "redis-cluster")]
async fn open_cluster(client: Box<ClusterClient>) -> RedisResult<Connection> {
    let connected = limited(2 * CONNECT_TIMEOUT, client.get_async_connection());
    connected.await.map(Connection::Cluster)
}

#[cfg(any(feature = "redis-cluster", feature = "redis-sentinel"))]
async fn limited<T>(
    limit: Duration,
    answer: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// The server did nothing.
fn is_refused_write(error: &RedisError) -> bool {
    is_read_only(error) || advice::says(error, "NOREPLICAS")
}

fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || advice::says(error, "READONLY")
}

#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    One(&'a Cmd),
    /// Answered by an array, in the order of the commands.
    Many(&'a Pipeline),
}

#[derive(Clone)]
enum Connection {
    Single(BatchedConnection),
    #[cfg(feature = "redis-cluster")]
    Cluster(ClusterConnection),
}

impl Connection {
    #[cfg_attr(not(feature = "redis-cluster"), expect(unused_variables))]
    async fn send(self, request: Request<'_>, slot: Option<u16>) -> RedisResult<Value> {
        match (self, request) {
            (Self::Single(connection), Request::One(command)) => {
                connection.send(command.clone()).await
            }
            (Self::Single(connection), Request::Many(commands)) => {
                let mut connection = connection.raw();
                let answers = connection.req_packed_commands(commands, 0, commands.len());
                Value::Array(answers.await?).extract_error()
            }
            #[cfg(feature = "redis-cluster")]
            (Self::Cluster(mut connection), Request::One(command)) => match slot {
                None => command.query_async(&mut connection).await,
                Some(slot) => {
                    let node = RoutingInfo::SingleNode(primary(slot));
                    let answer = connection.route_command(command.clone(), node).await?;
                    answer.extract_error()
                }
            },
            #[cfg(feature = "redis-cluster")]
            (Self::Cluster(mut connection), Request::Many(commands)) => {
                let node = slot.map_or(SingleNodeRoutingInfo::RandomPrimary, primary);
                let answers = connection.route_pipeline(commands.clone(), 0, commands.len(), node);
                Value::Array(answers.await?).extract_error()
            }
        }
    }
}

#[cfg(feature = "redis-cluster")]
fn primary(slot: u16) -> SingleNodeRoutingInfo {
    SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master))
}
