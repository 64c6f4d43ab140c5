//! The keys of a store: what they hold, and when they expire.

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, extract::Path, routing::post};
use redis::{Cmd, FromRedisValue, cluster::ClusterClient, cmd};
use wiz_session::{
    CookieOptions, Handle, Key, Record, RedisStore, SessionStore, Version, WizSession,
    WizSessionLayer,
};

use crate::{
    client::Client,
    servers::{self, Redis},
};

fn app(store: RedisStore) -> (Router, WizSessionLayer) {
    let layer = WizSessionLayer::builder(store, Key::generate())
        .cookie(CookieOptions::insecure("sid"))
        .build()
        .expect("a valid configuration");
    let app = Router::new()
        .route(
            "/set/{key}",
            post(async |session: WizSession, Path(key): Path<String>| session.set(&key, true)),
        )
        .route(
            "/log_in/{user}",
            post(async |session: WizSession, Path(user): Path<String>| session.log_in(user)),
        )
        .route(
            "/regenerate",
            post(async |session: WizSession| session.regenerate()),
        )
        .route(
            "/handle",
            post(async |session: WizSession| {
                session
                    .handle()
                    .map_or(String::new(), |handle| handle.to_string())
            }),
        )
        .route(
            "/remember",
            post(async |session: WizSession| session.remember(Duration::from_secs(30 * 24 * 3600))),
        )
        .route("/clear", post(async |session: WizSession| session.clear()))
        .layer(layer.clone());
    (app, layer)
}

/// Every key of a server with all that is in it.
async fn dump(redis: &Redis) -> BTreeMap<String, Vec<u8>> {
    let mut dump = BTreeMap::new();
    let names: Vec<String> = redis.ask(cmd("KEYS").arg("*")).await;
    for name in names {
        let kind: String = redis.ask(cmd("TYPE").arg(&name)).await;
        let mut read = match kind.as_str() {
            "string" => cmd("GETRANGE"),
            "zset" => cmd("ZRANGE"),
            other => panic!("a key of kind {other}"),
        };
        read.arg(&name).arg(0).arg(-1);
        let mut bytes: Vec<Vec<u8>> = redis.ask(&read).await;
        bytes.push(redis.ask(cmd("DUMP").arg(&name)).await);
        dump.insert(name, bytes.concat());
    }
    dump
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_dump_opens_no_session() {
    let redis = Redis::start(&[]);
    let (app, _) = app(redis.store().await);
    let mut cookies = Vec::new();
    for n in 0..10 {
        let mut client = Client::default();
        for path in ["/set/a", "/regenerate", "/log_in/alice", "/set/b"] {
            client.visit(&app, &format!("{path}{n}")).await;
            cookies.extend(client.cookie.clone());
        }
    }
    let dump = dump(&redis).await;
    assert!(dump.len() > 10);
    for cookie in cookies {
        let (_, id) = cookie.split_at(cookie.len() - 32);
        let raw: Vec<u8> = (0..16)
            .map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).expect("hexadecimal digits"))
            .collect();
        for (key, bytes) in &dump {
            let hidden = !key.contains(id)
                && !contains(bytes, id.as_bytes())
                && !contains(bytes, &raw)
                && !contains(bytes, cookie.as_bytes());
            assert!(hidden, "an id is in the dump");
        }
    }
}

#[tokio::test]
async fn an_ended_session_is_gone() {
    let redis = Redis::start(&[]);
    let (app, layer) = app(redis.store().await);
    let mut client = Client::default();
    client.visit(&app, "/log_in/alice").await;
    client.visit(&app, "/set/secret").await;
    let handle = client.peek(&app, "/handle").await.body;
    assert!(dump(&redis).await.contains_key(&format!("wiz:s:{handle}")));
    client.visit(&app, "/clear").await;
    assert!(dump(&redis).await.is_empty(), "after a logout");

    for _ in 0..3 {
        Client::default().visit(&app, "/log_in/alice").await;
    }
    let ended = layer.sessions().revoke_user("alice").await;
    assert_eq!(ended.expect("the server is there"), 3);
    assert!(dump(&redis).await.is_empty(), "after revoke_user");
}

#[tokio::test]
async fn every_key_expires_by_itself() {
    let redis = Redis::start(&[]);
    let (app, _) = app(redis.store().await);
    let mut client = Client::default();
    let paths = ["/set/a", "/regenerate", "/log_in/alice", "/set/b"];
    for path in paths.into_iter().chain(["/remember"]) {
        client.visit(&app, path).await;
    }
    Client::default().visit(&app, "/log_in/bob").await;
    Client::default().visit(&app, "/set/a").await;
    let minutes = |n: i64| n * 60;
    let mut left = BTreeMap::new();
    for name in dump(&redis).await.into_keys() {
        let seconds: i64 = redis.ask(cmd("TTL").arg(&name)).await;
        left.entry(name[..6].to_owned())
            .or_insert_with(Vec::new)
            .push(seconds);
    }
    for seconds in left.values_mut() {
        seconds.sort_unstable();
    }
    // Each five minutes longer than it has to.
    let near = |seconds: i64, whole: i64| (0..5).contains(&(whole + minutes(5) - seconds));
    let (month, limit) = (minutes(30 * 24 * 60), minutes(400 * 24 * 60));
    assert!(
        matches!(left["wiz:s:"][..], [a, b, c, d, e] if near(a, 30) && near(b, 30)
            && near(c, minutes(30)) && near(d, minutes(30)) && near(e, month)),
        "two tombstones, two sessions, one that is remembered: {left:?}"
    );
    assert!(
        matches!(left["wiz:u:"][..], [bob, alice] if near(bob, minutes(12 * 60)) && near(alice, limit)),
        "an index lives until no touch can keep its sessions alive: {left:?}"
    );
}

#[tokio::test]
async fn an_index_forgets_what_has_ended() {
    let redis = Redis::start(&[]);
    let (app, layer) = app(redis.store().await);
    let mut client = Client::default();
    for _ in 0..5 {
        client.visit(&app, "/log_in/alice").await;
    }
    let size = || async { redis.ask::<usize>(cmd("ZCARD").arg("wiz:u:alice")).await };
    assert_eq!(size().await, 1, "a session that moved is in it once");

    // As if Redis had dropped a session whose time was over.
    let handle = client.peek(&app, "/handle").await.body;
    let _: usize = redis.ask(cmd("DEL").arg(format!("wiz:s:{handle}"))).await;
    assert_eq!(size().await, 1);
    let listed = layer.sessions().list("alice").await;
    assert!(listed.expect("the server is there").is_empty());
    assert_eq!(size().await, 0, "a look at it takes out what is no more");

    let (seconds, _): (i64, i64) = redis.ask(&cmd("TIME")).await;
    for (member, end) in [("0", seconds - 1), ("1", seconds + 60)] {
        let index = cmd("ZADD").arg("wiz:u:alice").arg(1_000 * end).to_owned();
        let _: usize = redis.ask(index.clone().arg(member.repeat(32))).await;
    }
    Client::default().visit(&app, "/log_in/alice").await;
    assert_eq!(
        size().await,
        2,
        "so does a login, of those whose time is over, and of no others"
    );
}

/// A store on the cluster that tests share, and the name of alice's index there.
async fn on_cluster() -> (RedisStore, String) {
    let (store, prefix) = (servers::cluster_store().await, servers::prefix());
    (store.with_prefix(&prefix), format!("{prefix}u:alice"))
}

async fn ask_cluster<T: FromRedisValue>(command: &Cmd) -> T {
    let client = ClusterClient::new(servers::shared_cluster()).expect("valid URLs");
    let connected = client.get_async_connection().await;
    let mut connection = connected.expect("the cluster is there");
    let answer = command.query_async(&mut connection).await;
    answer.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_on_another_node_finds_a_session_that_was_created_half_way() {
    let (store, index) = on_cluster().await;
    let handles = [1, 2].map(|n| Handle::from_bytes([n; 16]));
    let end = std::time::SystemTime::now() + Duration::from_secs(60);
    let json =
        r#"{"v":1,"created_at":1700000000000,"deadline":1700043200000,"user":"alice","data":{}}"#;
    let record = Record::from_json(json, Version::FIRST, end).expect("a record");
    let members =
        async || ask_cluster::<Vec<String>>(cmd("ZRANGE").arg(&index).arg(0).arg(-1)).await;
    let listed = async || store.list("alice").await.map(|all| all.len()).ok();

    store
        .create(handles[0], &record)
        .await
        .expect("it is there");
    assert_eq!(members().await, [handles[0].to_string()], "settled");

    // As if the store had been cut off after it created the session, and before it created another.
    let pending = handles.map(|handle| format!("+{handle}"));
    let _: usize = ask_cluster(cmd("DEL").arg(&index)).await;
    let mut add = cmd("ZADD");
    for member in &pending {
        add.arg(&index).arg(4e12).arg(member);
        let _: usize = ask_cluster(&add).await;
        add = cmd("ZADD");
    }
    assert_eq!(listed().await, Some(1));
    assert_eq!(members().await, pending, "the other may still be created");
    store
        .create(handles[1], &record)
        .await
        .expect("it is there");
    assert_eq!(listed().await, Some(2));
    assert_eq!(store.delete_user("alice", None).await.ok(), Some(2));
    assert_eq!(listed().await, Some(0));
    assert!(members().await.is_empty());
}

#[tokio::test]
async fn a_server_that_lost_the_scripts_is_sent_them_again() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let (app, layer) = app(store.clone());
    let mut client = Client::default();
    for _ in 0..2 {
        for path in ["/set/a", "/regenerate", "/log_in/alice", "/set/b", "/clear"] {
            let _: String = redis.ask(cmd("SCRIPT").arg("FLUSH")).await;
            assert_eq!(client.visit(&app, path).await.status, 200, "{path}");
        }
    }
    client.visit(&app, "/log_in/alice").await;
    let _: String = redis.ask(cmd("SCRIPT").arg("FLUSH")).await;
    assert_eq!(layer.sessions().revoke_user("alice").await.ok(), Some(1));
    let _: String = redis.ask(cmd("SCRIPT").arg("FLUSH")).await;
    let handle = wiz_session::Handle::from_bytes([7; 16]);
    let touched = store.touch(handle, std::time::SystemTime::now()).await;
    assert_eq!(touched.ok(), Some(false));
}

#[tokio::test]
async fn prefixes_keep_applications_apart() {
    let [one, other] = ["a*", "a"].map(|name| format!("{}{name}", servers::prefix()));
    let url = servers::shared();
    let connect = async |prefix: &str| {
        let store = RedisStore::connect(&url).await;
        store.expect("the server is there").with_prefix(prefix)
    };
    let (one, other) = (app(connect(&one).await), app(connect(&other).await));
    let mut client = Client::default();
    client.visit(&other.0, "/log_in/alice").await;
    let count = async |layer: &WizSessionLayer| layer.sessions().count().await.ok();
    assert_eq!(count(&one.1).await, Some(0));
    assert_eq!(count(&other.1).await, Some(1));
    let listed = one.1.sessions().list("alice").await;
    assert!(listed.expect("the server is there").is_empty());
}
