//! What Redis refuses.

use std::time::{Duration, SystemTime};

use redis::{Cmd, FromRedisValue, cmd};
use wiz_session::{Handle, Record, RedisStore, SessionStore, Version};

use crate::{
    imposter,
    met::{Met, SECRET, failure},
    redis_servers::{self, Redis},
    support::{free_port, wait_for},
};

const HANDLE: Handle = Handle::from_bytes([1; 16]);

fn record() -> Record {
    let json = r#"{"v":1,"created_at":1,"deadline":253402300799999,"user":"hunter2","data":{}}"#;
    let expires_at = SystemTime::now() + Duration::from_secs(3600);
    Record::from_json(json, Version::FIRST, expires_at).expect("a record")
}

async fn connect(url: &str) -> Met {
    failure(RedisStore::connect(url).await)
}

async fn connect_cluster(url: &str) -> Met {
    failure(RedisStore::connect_cluster([url]).await)
}

async fn create(store: &RedisStore) -> Met {
    failure(store.create(HANDLE, &record()).await)
}

async fn list(store: &RedisStore) -> Met {
    failure(store.list(SECRET).await)
}

/// Says something to a server, word by word.
async fn say<T: FromRedisValue>(redis: &Redis, words: &str) -> T {
    let mut words = words.split(' ');
    let mut command: Cmd = cmd(words.next().expect("a command"));
    for word in words {
        command.arg(word);
    }
    redis.ask(&command).await
}

pub(crate) async fn meet() -> Vec<Met> {
    let mut met = of_addresses().await;
    met.extend(of_a_server().await);
    met.extend(of_cluster_nodes().await);
    met
}

async fn of_addresses() -> Vec<Met> {
    let nobody = format!("redis://app:{SECRET}@127.0.0.1:{}/", free_port());
    let of_sentinel = nobody.replace("redis://", "redis+sentinel://") + "mymaster";
    let locked = Redis::start(&["--requirepass", "swordfish"]);
    let with_password = format!("redis://:{SECRET}@127.0.0.1:{}/", locked.port());
    let imposter = RedisStore::connect(&imposter::redis().await).await;
    vec![
        connect(&format!("http://app:{SECRET}@example.org")).await,
        connect("redis+sentinel://127.0.0.1").await,
        connect("rediss://127.0.0.1/").await.because("TLS"),
        connect(&nobody).await.because("refused"),
        connect_cluster(&nobody).await,
        connect(&of_sentinel).await.because("refused"),
        connect(&with_password).await,
        connect(&locked.url()).await,
        connect(&imposter::answering("-LOADING Redis is loading the dataset in memory").await)
            .await
            .because("loading"),
        list(&imposter.expect("it takes it for Redis")).await,
    ]
}

async fn of_a_server() -> Vec<Met> {
    let folder = redis_servers::data();
    let redis = Redis::start(&[
        "--dir",
        folder.path().to_str().expect("a name"),
        "--save",
        "3600 1000000",
    ]);
    let store = redis.store().await;
    let mut met = vec![
        connect_cluster(&redis.url())
            .await
            .because("cluster support disabled"),
    ];

    say::<()>(&redis, "SET wiz:u:hunter2 taken").await;
    met.push(list(&store).await.because("WRONGTYPE"));
    say::<()>(&redis, "DEL wiz:u:hunter2").await;
    say::<()>(&redis, "ZADD wiz:u:hunter2 1 hunter2").await;
    met.push(list(&store).await);
    let name = format!("wiz:s:{HANDLE}");
    say::<()>(&redis, &format!("SET {name} hunter2")).await;
    met.push(failure(store.load(HANDLE).await));
    say::<()>(&redis, &format!("DEL {name}")).await;
    say::<()>(&redis, &format!("HSET {name} version hunter2")).await;
    met.push(failure(store.load(HANDLE).await).because("WRONGTYPE"));
    say::<()>(&redis, "FLUSHALL").await;

    say::<()>(&redis, "ACL SETUSER weak on nopass ~* +ping").await;
    let weak = format!("redis://weak:any@127.0.0.1:{}/", redis.port());
    let weak = RedisStore::connect(&weak).await.expect("it may ping");
    met.push(list(&weak).await.because("no permissions"));
    // As after a failover to a server that has not had the scripts.
    say::<()>(&redis, "ACL SETUSER weak +evalsha").await;
    met.push(create(&weak).await.because("no permissions"));

    say::<()>(&redis, "CONFIG SET min-replicas-to-write 1").await;
    met.push(create(&store).await.because("NOREPLICAS"));
    say::<()>(&redis, "CONFIG SET min-replicas-to-write 0").await;

    say::<()>(&redis, "CONFIG SET maxmemory 1").await;
    met.push(create(&store).await.because("OOM"));
    say::<()>(&redis, "CONFIG SET maxmemory 0").await;

    say::<()>(&redis, &format!("REPLICAOF 127.0.0.1 {}", free_port())).await;
    met.push(create(&store).await.because("read only replica"));
    say::<()>(&redis, "REPLICAOF NO ONE").await;

    drop(folder);
    met.push(of_a_disk(&redis, &store).await);
    met.push(of_too_many(&redis).await);
    met
}

/// Its folder is gone, so it cannot save.
async fn of_a_disk(redis: &Redis, store: &RedisStore) -> Met {
    say::<()>(redis, "BGSAVE").await;
    wait_for("a save to fail", || {
        let info = redis.info("persistence");
        info.contains("rdb_last_bgsave_status:err").then_some(())
    });
    create(store).await.because("MISCONF")
}

async fn of_too_many(redis: &Redis) -> Met {
    let client = redis::Client::open(redis.url()).expect("a valid URL");
    let _only = client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    say::<()>(redis, "CONFIG SET maxclients 1").await;
    connect(&redis.url()).await
}

async fn of_cluster_nodes() -> Vec<Met> {
    let node = Redis::start(&["--cluster-enabled", "yes"]);
    let store = node.store().await;
    let mut met = vec![list(&store).await.because("not served")];
    say::<()>(&node, "CLUSTER ADDSLOTSRANGE 0 16383").await;
    wait_for("the node to settle", || {
        node.cluster_info()
            .contains("cluster_state:ok")
            .then_some(())
    });
    met.push(create(&store).await);
    met.extend(of_redirections().await);
    met
}

/// A slot that moves: the cluster's connection follows, and gives up after a while; a single server's does not.
async fn of_redirections() -> Vec<Met> {
    let mut met = Vec::new();
    for (answer, cause) in [
        ("-MOVED 1 127.0.0.1:{port}", "Moved"),
        ("-ASK 1 127.0.0.1:{port}", "Ask"),
        (
            "-TRYAGAIN Multiple keys request during rehashing of slot",
            "Multiple keys",
        ),
    ] {
        let url = imposter::cluster(answer).await;
        let cluster = RedisStore::connect_cluster([&url]).await;
        let cluster = cluster.expect("it takes it for a cluster");
        met.push(failure(cluster.load(HANDLE).await).advised(cause, "while slots move"));
        met.push(create(&cluster).await.advised(cause, "while slots move"));
        let single = RedisStore::connect(&url)
            .await
            .expect("it takes it for Redis");
        met.push(failure(single.load(HANDLE).await).advised(cause, "connect_cluster"));
    }
    met
}
