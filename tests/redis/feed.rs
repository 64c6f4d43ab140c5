//! Who watches a session is told what another process does to it.

use std::time::{Duration, Instant};

use redis::cmd;
use wiz_session::{
    Ended, Handle, RedisStore,
    test_util::{logged_in, session_cookie, with_session},
};

use crate::{
    acl,
    proxy::Proxy,
    servers::{self, Cluster, Redis},
    watching::{Pushes, layer, run, told_after},
};

/// So rarely that nothing is seen by a look.
const NEVER: Duration = Duration::from_secs(60 * 60);

#[tokio::test(flavor = "multi_thread")]
async fn one_server_tells_ends_and_changes_at_once() {
    run(servers::store().await, Pushes::EndsAndChanges).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_tells_ends_and_changes_at_once() {
    run(servers::cluster_store().await, Pushes::EndsAndChanges).await;
}

/// Of RESP2, by which a connection cannot both ask and be told.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_the_older_protocol_tells_when_looked_at() {
    let client = redis::cluster::ClusterClient::new(servers::shared_cluster());
    let store = RedisStore::from_cluster_client(client.expect("valid URLs"));
    run(store.with_prefix(&servers::prefix()), Pushes::Nothing).await;
}

/// Waits until the server says so.
async fn until<T: redis::FromRedisValue>(
    redis: &Redis,
    command: &redis::Cmd,
    holds: impl Fn(&T) -> bool,
) {
    let since = Instant::now();
    while !holds(&redis.ask(command).await) {
        assert!(since.elapsed() < Duration::from_secs(20), "it never does");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn listeners() -> redis::Cmd {
    let mut list = cmd("CLIENT");
    list.arg("LIST").arg("TYPE").arg("pubsub");
    list
}

fn channels() -> redis::Cmd {
    let mut list = cmd("PUBSUB");
    list.arg("CHANNELS");
    list
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_connection_that_listens_killed_it_listens_again() {
    let redis = Redis::start(&[]);
    let [here, there] = [redis.store().await, redis.store().await].map(|one| layer(one, NEVER));
    let kill = async || {
        let mut kill = cmd("CLIENT");
        let killed: usize = redis.ask(kill.arg("KILL").arg("TYPE").arg("pubsub")).await;
        assert_eq!(killed, 1);
    };
    let late = told_after(&here, &there, kill).await;
    assert!(late < Duration::from_secs(2), "{late:?}");
    let late = told_after(&here, &there, async || {}).await;
    assert!(late < Duration::from_secs(1), "pushed: {late:?}");
}

/// A look finds it first, which has a new connection by then; what is told later on is heard on another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fell_silent_is_replaced() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(&redis).await;
    let here = layer(proxy.store().await, NEVER);
    let there = layer(redis.store().await, NEVER);
    let late = told_after(&here, &there, async || proxy.swallow().await).await;
    assert!(late < Duration::from_secs(10), "by its ping: {late:?}");
    let late = told_after(&here, &there, async || {}).await;
    assert!(late < Duration::from_secs(1), "pushed: {late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_connection_that_listens_silent_it_is_seen_when_looked_at() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(&redis).await;
    let interval = Duration::from_secs(1);
    let here = layer(proxy.store().await, interval);
    let there = layer(redis.store().await, interval);
    let late = told_after(&here, &there, async || proxy.swallow().await).await;
    // The look's own connection is silent too, and is given up after two seconds.
    assert!(late < interval + Duration::from_secs(3), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_server_it_listens_again() {
    let data = servers::data();
    let folder = data
        .path()
        .to_str()
        .expect("a name of the machine's")
        .to_owned();
    let kept = ["--dir", &folder, "--appendonly", "yes"];
    let redis = Redis::start(&kept);
    let port = redis.port();
    let here = layer(redis.store().await, NEVER);
    let there = layer(redis.store().await, NEVER);
    let mut running = Some(redis);
    let restart = async || {
        drop(running.take());
        running = Some(Redis::start_on(port, &kept));
    };
    let late = told_after(&here, &there, restart).await;
    assert!(late < Duration::from_secs(6), "{late:?}");
    let late = told_after(&here, &there, async || {}).await;
    assert!(late < Duration::from_secs(1), "pushed: {late:?}");
}

/// The rights that the documentation lists for it, one left out each time.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_to_publish_or_subscribe_it_is_seen_when_looked_at() {
    let interval = Duration::from_secs(2);
    let (least, more) = (acl::documented(), acl::to_push());
    assert_eq!(more.len(), 4);
    let redis = Redis::start(&[]);
    let layer_of = async |user: &str, rules: &[&str]| {
        acl::give(&redis, user, rules).await;
        let store = RedisStore::connect(&acl::url(&redis, user)).await;
        layer(store.expect("it may connect"), interval)
    };
    for left_out in [None, Some(0), Some(1), Some(2), Some(3)] {
        let mut rules = [&least[..], &more].concat();
        if let Some(at) = left_out {
            rules.remove(least.len() + at);
        }
        let user = format!("user{left_out:?}").replace(['(', ')'], "");
        let (here, there) = (layer_of(&user, &rules).await, layer_of(&user, &rules).await);
        if left_out == Some(3) {
            // It notices when it first unsubscribes.
            told_after(&here, &there, async || {}).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Those that are told when looked at are so from the last look on.
        let late = told_after(&here, &there, async || {}).await;
        let is_pushed = late < Duration::from_millis(500);
        assert_eq!(is_pushed, left_out.is_none(), "{left_out:?}: {late:?}");
        assert!(late < interval + Duration::from_secs(1), "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_watches_leave_no_subscription_and_no_connection() {
    let redis = Redis::start(&[]);
    let layer = layer(redis.store().await, Duration::from_millis(500));
    let none = |list: &String| list.is_empty();
    until(&redis, &listeners(), none).await;
    let cookie = session_cookie(&layer, |session| session.set("n", 0)).await;
    let handle = with_session(&layer, &cookie, |session| session.handle()).await;
    // Those of sessions that are not there.
    let watch = |n: u32| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        layer.sessions().watch(Handle::from_bytes(bytes))
    };
    let one = layer.sessions().watch(handle.expect("a session"));
    let all: Vec<_> = (0..10_000).map(watch).collect();
    until(&redis, &channels(), |all: &Vec<String>| all.len() == 10_001).await;
    drop(all);
    until(&redis, &channels(), |all: &Vec<String>| all.len() == 1).await;
    // Opened and closed before anybody could subscribe.
    (0..10_000).for_each(|n| drop(watch(n)));
    until(&redis, &channels(), |all: &Vec<String>| all.len() == 1).await;
    drop(one);
    until(&redis, &channels(), Vec::<String>::is_empty).await;
    until(&redis, &listeners(), none).await;
}

/// Between the first look and the subscription.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_before_it_is_subscribed_to_is_not_missed() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(&redis).await;
    let here = layer(proxy.store().await, NEVER);
    let there = layer(redis.store().await, NEVER);
    // From here on the connection is there, and each watch is subscribed to by itself.
    let _first = here.sessions().watch(Handle::from_bytes([7; 16]));
    until(&redis, &channels(), |all: &Vec<String>| all.len() == 1).await;
    proxy.delay_subscriptions();
    let cookie = logged_in(&there, "alice").await;
    let handle = with_session(&there, &cookie, |session| session.handle()).await;
    let watch = here.sessions().watch(handle.expect("a session"));
    let early = tokio::time::timeout(Duration::from_millis(200), watch.ended()).await;
    assert!(early.is_err(), "it is looked at, and lives");
    let subscribed: Vec<String> = redis.ask(&channels()).await;
    assert_eq!(subscribed.len(), 1, "not to this one");
    with_session(&there, &cookie, |session| assert!(session.log_out())).await;
    let told = tokio::time::timeout(Duration::from_secs(5), watch.ended()).await;
    assert_eq!(told, Ok(Ended::LoggedOut));
}

/// The node that had it tells no more of it, and does not hang up.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_slot_moves_is_still_pushed() {
    let cluster = Cluster::start();
    let store = RedisStore::connect_cluster(cluster.urls()).await;
    let here = layer(store.expect("the cluster is there"), NEVER);
    let store = RedisStore::connect_cluster(cluster.urls()).await;
    let there = layer(store.expect("the cluster is there"), NEVER);
    let cookie = logged_in(&there, "alice").await;
    let handle = with_session(&there, &cookie, |session| session.handle()).await;
    let handle = handle.expect("a session");
    let watch = here.sessions().watch(handle);
    // One that is left, as its confirmation is no such end.
    drop(here.sessions().watch(Handle::from_bytes([7; 16])));
    let early = tokio::time::timeout(Duration::from_millis(300), watch.ended()).await;
    assert!(early.is_err(), "it lives");
    cluster.move_slot_of(&format!("wiz:s:{handle}")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    with_session(&there, &cookie, |session| assert!(session.log_out())).await;
    let told = tokio::time::timeout(Duration::from_secs(1), watch.ended()).await;
    assert_eq!(told, Ok(Ended::LoggedOut));
}

/// Its connection is a new one, with all that was watched.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_lost_a_node_tells_again() {
    let cluster = Cluster::start();
    let connect = async || {
        let store = RedisStore::connect_cluster(cluster.urls()).await;
        layer(store.expect("the cluster is there"), Duration::from_secs(5))
    };
    let (here, there) = (connect().await, connect().await);
    told_after(&here, &there, async || {}).await;
    cluster.nodes()[0].signal("KILL");
    let since = Instant::now();
    loop {
        // Some of these are on the node that is gone.
        let client = redis::cluster::ClusterClient::new(cluster.urls()[1..].to_vec());
        let connected = client.expect("valid URLs").get_async_connection().await;
        if let Ok(mut connection) = connected {
            let mut all = true;
            for n in 0..100 {
                let set = cmd("SET")
                    .arg(n)
                    .arg(n)
                    .query_async::<()>(&mut connection)
                    .await;
                all &= set.is_ok();
            }
            if all {
                break;
            }
        }
        assert!(since.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    for _ in 0..10 {
        let late = told_after(&here, &there, async || {}).await;
        assert!(late < Duration::from_secs(1), "pushed: {late:?}");
    }
}
