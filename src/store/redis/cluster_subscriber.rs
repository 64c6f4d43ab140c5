use futures_util::future::try_join_all;
use redis::{
    PushInfo, PushKind, RedisResult, Value,
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{connection::RESPONSE_TIMEOUT, told::Told};

/// Hears what is published on the nodes of a cluster, each channel on the node that has the key of this name.
///
/// The crate's connection subscribes again by itself after it has lost a node, but does not say when it has. So a loss
/// is the end here, and another is opened.
pub(super) struct ClusterSubscriber {
    connection: ClusterConnection,
    pushes: UnboundedReceiver<PushInfo>,
    /// How many channels are being given up.
    leaving: usize,
}

impl ClusterSubscriber {
    pub(super) async fn open(client: &ClusterClient) -> RedisResult<Self> {
        let (sender, pushes) = unbounded_channel();
        let config = ClusterConfig::new()
            .set_response_timeout(RESPONSE_TIMEOUT)
            .set_push_sender(sender);
        let connection = client.get_async_connection_with_config(config).await?;
        Ok(Self {
            connection,
            pushes,
            leaving: 0,
        })
    }

    /// A command for each, as their nodes differ.
    pub(super) async fn subscribe(&self, channels: &[String]) -> RedisResult<()> {
        let subscribe = channels.iter().map(|channel| {
            let mut connection = self.connection.clone();
            async move { connection.ssubscribe(channel).await }
        });
        try_join_all(subscribe).await.map(drop)
    }

    pub(super) async fn unsubscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        self.leaving += channels.len();
        let unsubscribe = channels.iter().map(|channel| {
            let mut connection = self.connection.clone();
            async move { connection.sunsubscribe(channel).await }
        });
        try_join_all(unsubscribe).await.map(drop)
    }

    /// To all primaries.
    pub(super) async fn ping(&mut self) -> RedisResult<()> {
        redis::cmd("PING").query_async(&mut self.connection).await
    }

    pub(super) async fn next(&mut self) -> Option<Told> {
        loop {
            let PushInfo { kind, data } = self.pushes.recv().await?;
            match kind {
                PushKind::SMessage => {
                    if let [Value::BulkString(channel), Value::BulkString(payload)] = &data[..] {
                        let (channel, payload) = (channel.clone(), payload.clone());
                        return Some(Told { channel, payload });
                    }
                }
                // By a node that has given the slot to another.
                PushKind::SUnsubscribe if self.leaving == 0 => return None,
                PushKind::SUnsubscribe => self.leaving -= 1,
                PushKind::Disconnection => return None,
                _ => {}
            }
        }
    }
}
