//! The conformance suite and the races.

use wiz_session::store::conformance;

use crate::{races, servers};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_server_conforms() {
    conformance::run(servers::store().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_server_loses_no_race() {
    races::run(servers::store().await, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_conforms() {
    conformance::run(servers::cluster_store().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_loses_no_race() {
    races::run(servers::cluster_store().await, 3).await;
}
