use futures_util::StreamExt as _;
use redis::{
    RedisResult,
    aio::{PubSubSink, PubSubStream},
};

#[cfg(feature = "redis-cluster")]
use super::cluster_subscriber::ClusterSubscriber;
#[cfg(feature = "redis-sentinel")]
use super::connection::primary_of;
use super::{connection::Server, told::Told};

/// A connection that hears what is published, and does nothing else: its loss costs no command.
pub(super) enum Subscriber {
    Server {
        sink: PubSubSink,
        stream: PubSubStream,
    },
    #[cfg(feature = "redis-cluster")]
    Cluster(ClusterSubscriber),
}

impl Subscriber {
    pub(super) async fn open(server: &Server) -> RedisResult<Self> {
        let client = match server {
            Server::Single(client) => client.clone(),
            #[cfg(feature = "redis-sentinel")]
            Server::Sentinel(sentinels) => primary_of(sentinels).await?,
            #[cfg(feature = "redis-cluster")]
            Server::Cluster(client) => {
                return ClusterSubscriber::open(client).await.map(Self::Cluster);
            }
        };
        let (sink, stream) = client.get_async_pubsub().await?.split();
        Ok(Self::Server { sink, stream })
    }

    /// Returns when the server has confirmed it: what is published from then on is heard.
    pub(super) async fn subscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            _ if channels.is_empty() => Ok(()),
            Self::Server { sink, .. } => sink.subscribe(channels).await,
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(cluster) => cluster.subscribe(channels).await,
        }
    }

    pub(super) async fn unsubscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            _ if channels.is_empty() => Ok(()),
            Self::Server { sink, .. } => sink.unsubscribe(channels).await,
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(cluster) => cluster.unsubscribe(channels).await,
        }
    }

    pub(super) async fn ping(&mut self) -> RedisResult<()> {
        match self {
            // Its answer's form depends on whether there are subscriptions.
            Self::Server { sink, .. } => sink.ping::<redis::Value>().await.map(drop),
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(cluster) => cluster.ping().await,
        }
    }

    /// What was published next. `None` if the connection broke. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Told> {
        match self {
            Self::Server { stream, .. } => stream.next().await.map(|told| Told {
                channel: told.get_channel_name().as_bytes().to_vec(),
                payload: told.get_payload_bytes().to_vec(),
            }),
            #[cfg(feature = "redis-cluster")]
            Self::Cluster(cluster) => cluster.next().await,
        }
    }
}
