//! The conformance suite and the races.

use std::{future::Future, sync::Arc};

use redis::{Cmd, cluster::ClusterClient, cmd};
use wiz_session::{Handle, RedisStore, store::conformance::Conformance};

use crate::{races, servers};

/// Cuts a record short, behind the store's back.
fn damage(prefix: &str, handle: Handle) -> Cmd {
    const CUT: &str =
        "return redis.call('SET', KEYS[1], redis.call('GETRANGE', KEYS[1], 0, 80), 'KEEPTTL')";
    let mut cut = cmd("EVAL");
    cut.arg(CUT).arg(1).arg(format!("{prefix}s:{handle}"));
    cut
}

/// On two stores with the same keys, as two processes have them.
async fn conform<F>(
    open: impl AsyncFn() -> RedisStore,
    run: impl Fn(Cmd) -> F + Send + Sync + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let prefix: Arc<str> = servers::prefix().into();
    let stores = [open().await, open().await].map(|store| store.with_prefix(&prefix));
    let damage = move |handle| run(damage(&prefix, handle));
    Conformance::new().damage(damage).run_shared(stores).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_server_conforms() {
    let run = |command| async move { servers::ask(&servers::shared(), &command).await };
    conform(servers::store, run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_server_loses_no_race() {
    races::run(servers::store().await, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_conforms() {
    let run = |command: Cmd| async move {
        let client = ClusterClient::new(servers::shared_cluster()).expect("valid URLs");
        let mut cluster = client.get_async_connection().await.expect("a cluster");
        let ran = command.query_async::<()>(&mut cluster).await;
        ran.expect("it can be damaged");
    };
    conform(servers::cluster_store, run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_loses_no_race() {
    races::run(servers::cluster_store().await, 3).await;
}
