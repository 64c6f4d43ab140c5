use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use parking_lot::Mutex;
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

use super::batch::Batched;

/// The one connection that all requests share. When it breaks, the next request makes another.
///
/// The crate's own `ConnectionManager` fails the first command after a break, and for ever if what came back when it
/// connected again was an answer such as "max number of clients reached". Here a command whose connection broke is
/// sent once more, on a new one; every command of this store may be.
pub(super) struct Link {
    server: Server,
    current: Mutex<Opening>,
}

/// A connection, or what will be one. It is opened by whoever asks first, and all others wait along.
type Opening = Shared<BoxFuture<'static, RedisResult<Connection>>>;

/// Shorter than the layer's `store_timeout` by default, so that a connection that went dead in silence is replaced.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

impl Link {
    pub(super) fn new(server: Server) -> Self {
        let current = Mutex::new(server.open());
        Self { server, current }
    }

    pub(super) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        self.ask(Question::One(command), None).await
    }

    /// Asks the node of a cluster that has this slot.
    pub(super) async fn ask(
        &self,
        question: Question<'_>,
        slot: Option<u16>,
    ) -> RedisResult<Value> {
        let mut tries = 0;
        loop {
            tries += 1;
            let opening = self.current.lock().clone();
            let opened = match opening.peek() {
                Some(opened) => opened.clone(),
                None => opening.clone().await,
            };
            let (answer, opened) = match opened {
                Ok(connection) => (connection.ask(question, slot).await, true),
                Err(error) => (Err(error), false),
            };
            let Err(error) = answer else { return answer };
            let broken = !opened || self.server.is_broken(&error);
            if broken {
                self.replace(&opening);
            }
            // A server that is too slow is not asked twice.
            if !broken || error.is_timeout() || tries == 2 {
                return Err(error);
            }
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        !matches!(self.server, Server::Single(..))
    }

    /// Lets go of a connection, unless somebody else has.
    fn replace(&self, broken: &Opening) {
        let mut current = self.current.lock();
        if current.ptr_eq(broken) {
            *current = self.server.open();
        }
    }
}

/// Where to connect to.
pub(super) enum Server {
    Single(Client),
    #[cfg(feature = "redis-cluster")]
    Cluster(Box<ClusterClient>),
}

impl Server {
    /// Does nothing before it is polled.
    fn open(&self) -> Opening {
        match self {
            Self::Single(client) => {
                let client = client.clone();
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(ANSWER_TIMEOUT));
                let open = async move {
                    let connected = client.get_multiplexed_async_connection_with_config(&config);
                    let batched = |connection| Batched::over(connection, ANSWER_TIMEOUT);
                    connected.await.map(batched).map(Connection::Single)
                };
                open.boxed().shared()
            }
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(client) => {
                let client = client.clone();
                let open = async move {
                    // It has no time limit of its own for all nodes together.
                    let connected = client.get_async_connection();
                    match tokio::time::timeout(2 * CONNECT_TIMEOUT, connected).await {
                        Ok(connected) => connected.map(Connection::Cluster),
                        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
                    }
                };
                open.boxed().shared()
            }
        }
    }

    /// Whether an error means that another connection would do better.
    fn is_broken(&self, error: &RedisError) -> bool {
        match self {
            // A primary that became a replica keeps its connections: the name may lead to the new one by now.
            Self::Single(_) => {
                error.is_unrecoverable_error() || error.is_timeout() || is_read_only(error)
            }
            // One node's trouble is the cluster connection's own business.
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(_) => error.is_unrecoverable_error(),
        }
    }
}

/// Before version 7 a script's answer has it somewhere in the text.
fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || error.to_string().contains("-READONLY")
}

#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    One(&'a Cmd),
    /// Answered by an array.
    Many(&'a Pipeline),
}

#[derive(Clone)]
enum Connection {
    Single(Batched),
    #[cfg(feature = "redis-cluster")]
    Cluster(ClusterConnection),
}

impl Connection {
    #[cfg_attr(not(feature = "redis-cluster"), expect(unused_variables))]
    async fn ask(self, question: Question<'_>, slot: Option<u16>) -> RedisResult<Value> {
        match (self, question) {
            (Self::Single(connection), Question::One(command)) => {
                connection.ask(command.clone()).await
            }
            (Self::Single(connection), Question::Many(commands)) => {
                let mut connection = connection.alone();
                let answers = connection.req_packed_commands(commands, 0, commands.len());
                Value::Array(answers.await?).extract_error()
            }
            #[cfg(feature = "redis-cluster")]
            (Self::Cluster(mut connection), Question::One(command)) => match slot {
                None => command.query_async(&mut connection).await,
                Some(slot) => {
                    let node = RoutingInfo::SingleNode(primary(slot));
                    let answer = connection.route_command(command.clone(), node).await?;
                    answer.extract_error()
                }
            },
            #[cfg(feature = "redis-cluster")]
            (Self::Cluster(mut connection), Question::Many(commands)) => {
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
