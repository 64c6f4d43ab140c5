//! Redis servers, shared by all tests or of a test's own.

use std::{
    path::PathBuf,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, FromRedisValue, RedisResult};
use tempfile::TempDir;
use wiz_session::RedisStore;

use crate::support::{Server, folder, free_port, poll_for, program, wait_for};

const INSTALL: &str = "apt-get install -y redis-server redis-tools";

/// A server of the test's own, which it may break.
pub(crate) struct Redis {
    server: Server,
    port: u16,
}

impl Redis {
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_on(free_port(), settings)
    }

    pub(crate) fn start_on(port: u16, settings: &[&str]) -> Self {
        let name = port.to_string();
        let arguments = ["--port", &name, "--bind", "127.0.0.1", "--save", ""];
        let arguments = [&arguments, settings].concat();
        let server = Server::start(folder(), &installed("redis-server"), &arguments);
        Self { server, port }.answering()
    }

    /// A server whose clock is wrong by some hours.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_with_wrong_clock(hours: i32) -> Self {
        let (folder, port) = (folder(), free_port());
        let (source, library) = (
            folder.path().join("clock.c"),
            folder.path().join("clock.so"),
        );
        std::fs::write(&source, include_str!("clock.c")).expect("a folder to write to");
        let compiler = program("cc", &["/usr/bin"], "apt-get install -y gcc libc6-dev");
        let compiled = Command::new(compiler)
            .args([
                "-shared",
                "-fPIC",
                &format!("-DOFFSET=({hours} * 3600)"),
                "-o",
            ])
            .args([&library, &source])
            .status();
        assert!(compiled.expect("cc runs").success());
        let preload = format!("LD_PRELOAD={}", library.display());
        let (redis, name) = (installed("redis-server"), port.to_string());
        let redis = redis.to_str().expect("a name of the machine's");
        let arguments = [
            &preload,
            redis,
            "--port",
            &name,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ];
        let server = Server::start(
            folder,
            &program("env", &["/usr/bin"], "coreutils"),
            &arguments,
        );
        Self { server, port }.answering()
    }

    fn answering(self) -> Self {
        let client = redis::Client::open(self.url()).expect("a valid URL");
        let answers = poll_for(Duration::from_secs(30), || {
            let mut connection = client.get_connection().map_err(|error| {
                // It answers, if only to say that it wants a password.
                error.kind() == redis::ErrorKind::AuthenticationFailed
            });
            let answers = match &mut connection {
                Ok(connection) => match redis::cmd("PING").query::<String>(connection) {
                    Ok(_) => true,
                    Err(error) => error.to_string().contains("NOAUTH"),
                },
                Err(answers) => *answers,
            };
            answers.then_some(())
        });
        assert!(answers.is_some(), "no answer: {}", self.server.log());
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn signal(&self, name: &str) {
        self.server.signal(name);
    }

    pub(crate) async fn store(&self) -> RedisStore {
        RedisStore::connect(&self.url())
            .await
            .expect("the server is there")
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        ask(&self.url(), command).await
    }
}

/// Asks a server something beside the store.
pub(crate) async fn ask<T: FromRedisValue>(url: &str, command: &Cmd) -> T {
    let client = redis::Client::open(url).expect("a valid URL");
    let connected = client.get_multiplexed_async_connection().await;
    let mut connection = connected.expect("the server is there");
    let answer = command.query_async(&mut connection).await;
    answer.expect("an answer")
}

/// The server that tests share.
pub(crate) fn shared() -> String {
    static SHARED: OnceLock<Redis> = OnceLock::new();
    match std::env::var("WIZ_TEST_REDIS_URL") {
        Ok(url) => url,
        Err(_) => SHARED.get_or_init(|| Redis::start(&[])).url(),
    }
}

/// A store on it that has its keys for itself.
pub(crate) async fn store() -> RedisStore {
    let store = RedisStore::connect(&shared()).await;
    store.expect("the server is there").with_prefix(&prefix())
}

pub(crate) fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test:{}:{next}:", std::process::id())
}

/// Three primaries with a replica each.
pub(crate) struct Cluster(Vec<Redis>);

impl Cluster {
    pub(crate) fn start() -> Self {
        let settings =
            "--cluster-enabled yes --cluster-node-timeout 2000 --repl-diskless-sync-delay 0";
        let settings: Vec<_> = settings.split(' ').collect();
        let nodes: Vec<_> = (0..6).map(|_| Redis::start(&settings)).collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let created = Command::new(installed("redis-cli"))
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .expect("redis-cli runs");
        assert!(created.status.success(), "{created:?}");
        let cluster = Self(nodes);
        cluster.settle();
        cluster
    }

    /// Until all nodes agree, and each replica could take its primary's place.
    pub(crate) fn settle(&self) {
        wait_for("the cluster to settle", || {
            let all = |section, line| {
                self.0
                    .iter()
                    .filter(move |n| n.info(section).contains(line))
            };
            let linked = all("replication", "master_link_status:up").count();
            let agree = |node: &Redis| node.cluster_info().contains("cluster_state:ok");
            (linked == 3 && self.0.iter().all(agree)).then_some(())
        });
    }

    /// To another primary.
    pub(crate) async fn move_slot_of(&self, key: &str) {
        let cluster = |words: &[&str]| redis::cmd("CLUSTER").arg(words).to_owned();
        let slot: u16 = self.0[0].ask(&cluster(&["KEYSLOT", key])).await;
        let slot = slot.to_string();
        let mut primaries = Vec::new();
        for node in &self.0 {
            if node.info("replication").contains("role:master") {
                let id: String = node.ask(&cluster(&["MYID"])).await;
                let keys: usize = node.ask(&cluster(&["COUNTKEYSINSLOT", &slot])).await;
                primaries.push((keys, node, id));
            }
        }
        primaries.sort_by_key(|(keys, ..)| *keys);
        let [(_, to, to_id), _, (1, from, from_id)] = &primaries[..] else {
            panic!("one of three primaries has the key, and no other in its slot");
        };
        let set = |words: &[&str]| cluster(&[&["SETSLOT", &slot], words].concat());
        to.ask::<()>(&set(&["IMPORTING", from_id])).await;
        from.ask::<()>(&set(&["MIGRATING", to_id])).await;
        let mut migrate = redis::cmd("MIGRATE");
        migrate
            .arg("127.0.0.1")
            .arg(to.port)
            .arg(key)
            .arg(0)
            .arg(5_000);
        from.ask::<()>(&migrate).await;
        for node in [to, from] {
            node.ask::<()>(&set(&["NODE", to_id])).await;
        }
    }

    pub(crate) fn nodes(&self) -> &[Redis] {
        &self.0
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.0.iter().map(Redis::url).collect()
    }
}

impl Redis {
    pub(crate) fn info(&self, section: &str) -> String {
        self.ask_now(redis::cmd("INFO").arg(section))
    }

    pub(crate) fn cluster_info(&self) -> String {
        self.ask_now(redis::cmd("CLUSTER").arg("INFO"))
    }

    /// For a thread that may wait.
    pub(crate) fn ask_now<T: FromRedisValue>(&self, command: &Cmd) -> T {
        self.try_now(command).expect("an answer")
    }

    /// It may refuse.
    pub(crate) fn try_now<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let client = redis::Client::open(self.url()).expect("a valid URL");
        let mut connection = client.get_connection().expect("the server is there");
        command.query(&mut connection)
    }
}

/// The nodes of the cluster that tests share.
pub(crate) fn shared_cluster() -> Vec<String> {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    match std::env::var("WIZ_TEST_REDIS_CLUSTER_URL") {
        Ok(urls) => urls.split(',').map(str::to_owned).collect(),
        Err(_) => SHARED.get_or_init(Cluster::start).urls(),
    }
}

pub(crate) async fn cluster_store() -> RedisStore {
    let store = RedisStore::connect_cluster(shared_cluster()).await;
    store.expect("the cluster is there").with_prefix(&prefix())
}

/// Three sentinels that watch a primary. It fails over after a second.
pub(crate) struct Sentinels(Vec<Redis>);

impl Sentinels {
    pub(crate) const NAME: &str = "mymaster";

    /// With the same password for the primary, for its replicas and for the sentinels, each.
    pub(crate) fn watch(primary: &Redis, password: &str) -> Self {
        let sentinels = (0..3).map(|_| {
            let (folder, port, name) = (folder(), free_port(), Self::NAME);
            let configuration = folder.path().join("sentinel.conf");
            let text = format!(
                "port {port}\nbind 127.0.0.1\nrequirepass {password}\n\
                 sentinel monitor {name} 127.0.0.1 {} 2\nsentinel auth-pass {name} {password}\n\
                 sentinel down-after-milliseconds {name} 1000\nsentinel failover-timeout {name} 4000\n",
                primary.port
            );
            std::fs::write(&configuration, text).expect("a folder to write to");
            let configuration = configuration.to_str().expect("a name of the machine's").to_owned();
            let arguments = [&*configuration, "--sentinel"];
            let server = Server::start(folder, &installed("redis-server"), &arguments);
            Redis { server, port }.answering()
        });
        let sentinels = Self(sentinels.collect());
        sentinels.settle(password);
        sentinels
    }

    /// Until each knows the others and the replica, so that they can fail over.
    fn settle(&self, password: &str) {
        wait_for("the sentinels to find one another", || {
            let knows = |sentinel: &Redis| {
                let url = format!("redis://:{password}@127.0.0.1:{}/", sentinel.port);
                let client = redis::Client::open(url).expect("a valid URL");
                let mut connection = client.get_connection().expect("it is there");
                let info: String = redis::cmd("INFO")
                    .arg("sentinel")
                    .query(&mut connection)
                    .expect("an answer");
                info.contains("status=ok") && info.contains("slaves=1,sentinels=3")
            };
            self.0.iter().all(knows).then_some(())
        });
    }

    /// As an address has them.
    pub(crate) fn hosts(&self) -> String {
        let hosts = self.0.iter().map(|one| format!("127.0.0.1:{}", one.port));
        hosts.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn nodes(&self) -> &[Redis] {
        &self.0
    }
}

/// A folder for a server's data that outlives the server.
pub(crate) fn data() -> TempDir {
    folder()
}

fn installed(name: &str) -> PathBuf {
    program(name, &["/usr/local/bin", "/usr/bin"], INSTALL)
}
