//! Servers in this process, on a store with a planted fault: each has to be found, and a store without one has not.
//!
//! The application is the example server's own. What is between it and the sessions fails now and then, before a call
//! was carried out or after it, as a network does.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use wiz_session::{CookieOptions, Key, WizSessionLayer};

use crate::{
    app,
    faulty_store::{Fault, FaultyStore, Network},
    model::Users,
    run::Plan,
    shutdown,
    site::Address,
};

/// Three of them, each with what it believes.
async fn servers(fault: Fault) -> Vec<Address> {
    let network = Network::default();
    let key = Key::generate();
    let mut servers = Vec::new();
    for _ in 0..3 {
        let store = FaultyStore::new(network.clone(), fault);
        let layer = WizSessionLayer::builder(store, key.clone())
            .cookie(CookieOptions::insecure("sid"))
            .build();
        let app = app::app(
            Users::with_demo_accounts().with_guests(),
            layer.expect("it is right"),
            None,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        servers.push(Address {
            url: format!("http://{address}"),
            // So it has to be found by what is older than a right cache has it.
            is_cached: fault == Fault::CacheNeverAges,
        });
        tokio::spawn(shutdown::serve(listener, app, pending()));
    }
    servers
}

/// Each was found within a hundred in all runs so far.
const HISTORIES: u64 = 500;

async fn is_found(fault: Fault) {
    let plan = Plan {
        seed: fastrand::u64(..1 << 32),
        histories: HISTORIES,
        time: Duration::from_secs(120),
    };
    let report = plan.run(servers(fault).await, &Arc::default()).await;
    report.print(&format!("{fault:?}"));
    let Some(histories) = report.found_after() else {
        panic!("{fault:?} is not found");
    };
    println!("{fault:?}: found by history {histories}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_version_check_is_found() {
    is_found(Fault::NoVersionCheck).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_tombstone_is_found() {
    is_found(Fault::NoTombstone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_try_after_an_unknown_outcome_is_found() {
    is_found(Fault::TriesAgain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_believed_gone_is_found() {
    is_found(Fault::BelievesItIsGone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gone_that_a_cache_keeps_is_found() {
    is_found(Fault::CacheKeepsGone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_never_ages_is_found() {
    is_found(Fault::CacheNeverAges).await;
}

/// What fails is not what is found.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_a_planted_fault_is_clean() {
    let plan = Plan::from_env(100, Duration::from_secs(2));
    let report = plan.run(servers(Fault::None).await, &Arc::default()).await;
    report.print("without a fault");
    report.assert_is_clean("without a fault");
}
