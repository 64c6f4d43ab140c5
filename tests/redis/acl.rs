//! The rights that a user of the server needs: those that the documentation lists, and no fewer.

use std::time::{Duration, SystemTime};

use redis::cmd;
use wiz_session::{Error, Handle, Record, RedisStore, SessionStore, Version, store::conformance};

use crate::{
    servers::{Cluster, Redis},
    watching::{self, Pushes},
};

/// The rules of the line in the documentation, after the user and the password.
pub(crate) fn documented() -> Vec<&'static str> {
    let rules = rules_after("ACL SETUSER app on >PASSWORD ");
    assert!(rules.len() > 10, "{rules:?}");
    rules
}

/// Those of the lines that let it be told at once what others do.
pub(crate) fn to_push() -> Vec<&'static str> {
    rules_after("ACL SETUSER app &")
}

fn to_push_in_cluster() -> Vec<&'static str> {
    let mut rules = to_push();
    assert_eq!(
        rules.split_off(1),
        ["+publish", "+subscribe", "+unsubscribe"]
    );
    rules.extend(["+spublish", "+ssubscribe", "+sunsubscribe"]);
    assert!(rules[1..].iter().all(|rule| STORES.contains(rule)));
    rules
}

fn rules_after(start: &str) -> Vec<&'static str> {
    let line = STORES.lines().find(|line| line.starts_with(start));
    let rules = line.expect("the page has the line").split(' ');
    rules
        .filter(|word| word.starts_with(['~', '&', '+']))
        .collect()
}

const STORES: &str = include_str!("../../docs/stores.md");
/// More, for a cluster: see the page.
const OF_CLUSTERS: [&str; 2] = ["+cluster|slots", "+asking"];

pub(crate) async fn give(redis: &Redis, user: &str, rules: &[&str]) {
    let mut set = cmd("ACL");
    set.arg("SETUSER")
        .arg(user)
        .arg("reset")
        .arg("on")
        .arg(">hunter2");
    redis.ask::<()>(set.arg(rules)).await;
}

pub(crate) fn url(redis: &Redis, user: &str) -> String {
    format!("redis://{user}:hunter2@127.0.0.1:{}/", redis.port())
}

fn record(user: &str, lives: u64) -> Record {
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,"user":"{user}","data":{{}}}}"#
    );
    let expires_at = SystemTime::now() + Duration::from_secs(lives);
    Record::from_json(&json, Version::FIRST, expires_at).expect("a record")
}

/// The errors that a store's methods meet, one of each.
async fn errors(store: &RedisStore) -> Vec<Error> {
    let (one, other) = (Handle::from_bytes([1; 16]), Handle::from_bytes([2; 16]));
    let later = SystemTime::now() + Duration::from_secs(600);
    let (second, stone) = (Version::FIRST.next(), {
        let json =
            r#"{"v":1,"created_at":1,"deadline":253402300799999,"tombstone":true,"data":{}}"#;
        Record::from_json(json, Version::FIRST, later).expect("a tombstone")
    });
    let moved = record("carol", 60).with_version(second.next());
    let mut errors = Vec::new();
    errors.extend(store.create(one, &record("alice", 60)).await.err());
    errors.extend(store.load(one).await.err());
    let carols = record("carol", 60);
    let replaced = store.replace(one, Version::FIRST, &carols).await;
    errors.extend(replaced.err());
    errors.extend(store.touch(one, later).await.err());
    let regenerated = store.regenerate(one, second, &stone, other, &moved);
    errors.extend(regenerated.await.err());
    errors.extend(store.list("carol").await.err());
    errors.extend(store.count(SystemTime::now()).await.err());
    errors.extend(store.delete(other).await.err());
    errors.extend(store.delete_user("carol", None).await.err());
    errors.extend(
        store
            .delete_expired(later + Duration::from_secs(1), 10)
            .await
            .err(),
    );
    errors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_documented_rights_are_enough() {
    let redis = Redis::start(&[]);
    give(&redis, "app", &documented()).await;
    let store = RedisStore::connect(&url(&redis, "app")).await;
    conformance::run(store.expect("it may connect")).await;
}

#[tokio::test]
async fn each_of_the_documented_rights_is_needed() {
    let rules = documented();
    for (at, left_out) in rules.iter().enumerate() {
        let redis = Redis::start(&[]);
        give(&redis, "app", &rules).await;
        let whole = RedisStore::connect(&url(&redis, "app")).await;
        assert!(errors(&whole.expect("it may connect")).await.is_empty());
        redis.ask::<()>(&cmd("FLUSHALL")).await;
        // Sent again, by a user who may.
        redis.ask::<()>(cmd("SCRIPT").arg("FLUSH")).await;

        let mut fewer = rules.clone();
        fewer.remove(at);
        give(&redis, "less", &fewer).await;
        let met = match RedisStore::connect(&url(&redis, "less")).await {
            Ok(store) => errors(&store).await,
            Err(error) => vec![error],
        };
        assert!(!met.is_empty(), "{left_out} is not needed");
        for error in met {
            let (said, source) = (error.to_string(), format!("{error:?}"));
            let advised = said.contains("rights that the documentation")
                || said.contains("let the user run `eval`") && *left_out == "+eval";
            assert!(advised, "without {left_out}: {said} {source}");
        }
    }
}

/// In the same cluster, which takes some seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_needs_two_more() {
    let cluster = Cluster::start();
    let rules = [&documented()[..], &OF_CLUSTERS].concat();
    assert!(OF_CLUSTERS.iter().all(|rule| STORES.contains(rule)));
    let urls = |user: &str| {
        cluster
            .nodes()
            .iter()
            .map(|node| url(node, user))
            .collect::<Vec<_>>()
    };
    for node in cluster.nodes() {
        give(node, "app", &rules).await;
        give(node, "less", &documented()).await;
    }
    let store = RedisStore::connect_cluster(urls("app")).await;
    conformance::run(store.expect("it may connect")).await;
    for node in cluster.nodes() {
        give(node, "push", &[&rules[..], &to_push_in_cluster()].concat()).await;
    }
    for (user, pushes) in [("app", Pushes::Nothing), ("push", Pushes::EndsAndChanges)] {
        let store = RedisStore::connect_cluster(urls(user)).await;
        watching::run(store.expect("it may connect"), pushes).await;
    }
    let refused = RedisStore::connect_cluster(urls("less")).await;
    assert!(refused.is_err_and(|error| error.is_store()));
}
