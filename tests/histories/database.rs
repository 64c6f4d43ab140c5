//! Where the sessions are, and what can happen to it.

use std::{fs, io::Write as _, path::PathBuf, time::Duration};

use fastrand::Rng;
use redis::{RedisResult, cmd};
use tempfile::TempDir;

use crate::{
    postgres_pair::PostgresPair,
    proxy::Proxy,
    redis_pair::RedisPair,
    redis_servers::{Cluster, Redis},
    sql_servers::{self, Engine, Mortal},
    support::{self, poll_for, small_disk::SmallDisk},
};

pub(crate) enum Database {
    Memory,
    Sqlite(Disk),
    Sql(Box<Mortal>, Option<Disk>),
    PostgresPair(Box<PostgresPair>),
    Redis(RedisPair),
    Cluster(Cluster),
}

/// A file system that can be filled, or just a folder where the tests may not mount one.
pub(crate) enum Disk {
    Small(SmallDisk),
    Large(TempDir),
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(Disk::new("24m"))
    }

    pub(crate) async fn postgres() -> Self {
        let server = Mortal::start(Engine::Postgres);
        let disk = Disk::new("24m");
        let folder = disk.path().join("tables");
        fs::create_dir(&folder).expect("a folder");
        sql_servers::own(&folder);
        let client = crate::beside::client(server.url()).await;
        let space = format!("CREATE TABLESPACE small LOCATION '{}'", folder.display());
        for statement in [&space, "ALTER ROLE postgres SET default_tablespace = small"] {
            client.batch_execute(statement).await.expect("a small disk");
        }
        Self::Sql(Box::new(server), Some(disk))
    }

    /// Without a full disk: MariaDB 10.11 ends itself when it cannot take a change back.
    pub(crate) fn mysql() -> Self {
        Self::Sql(Box::new(Mortal::start(Engine::Mysql)), None)
    }

    /// Of the servers, where clients do not find their own way to them.
    pub(crate) fn ports(&self) -> Vec<u16> {
        match self {
            Self::Memory | Self::Sqlite(_) | Self::Cluster(_) => Vec::new(),
            Self::Sql(server, _) => vec![server.port()],
            Self::PostgresPair(pair) => pair.ports().to_vec(),
            Self::Redis(pair) => vec![pair.primary().port()],
        }
    }

    /// The address for the example server, through ports before the database's.
    pub(crate) fn store(&self, ports: &[u16]) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Sqlite(disk) => format!("sqlite:{}", disk.path().join("sessions.db").display()),
            Self::Sql(server, _) => server.url().replacen(
                &format!(":{}/", server.port()),
                &format!(":{}/", ports[0]),
                1,
            ),
            Self::PostgresPair(_) => format!(
                "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write",
                ports[0], ports[1]
            ),
            Self::Redis(_) => format!("redis://127.0.0.1:{}/", ports[0]),
            Self::Cluster(cluster) => {
                let nodes = cluster.nodes().iter();
                let nodes: Vec<_> = nodes
                    .map(|node| format!("127.0.0.1:{}", node.port()))
                    .collect();
                format!("redis+cluster://{}", nodes.join(","))
            }
        }
    }

    pub(crate) fn kill_and_start_again(&mut self) {
        match self {
            Self::Memory | Self::Sqlite(_) | Self::Cluster(_) => {}
            Self::Sql(server, _) => restart(server),
            Self::PostgresPair(pair) => restart(pair.primary()),
            Self::Redis(pair) => pair.kill_and_start_again(),
        }
    }

    pub(crate) fn can_fail_over(&self) -> bool {
        matches!(
            self,
            Self::PostgresPair(_) | Self::Redis(_) | Self::Cluster(_)
        )
    }

    /// A replica takes the place of its primary, with all that was answered.
    pub(crate) fn fail_over(&mut self, proxies: &[Proxy], rng: &mut Rng) {
        match self {
            Self::Memory | Self::Sqlite(_) | Self::Sql(..) => {}
            Self::PostgresPair(pair) => {
                pair.die();
                // Processes of the former primary may answer for another moment.
                proxies.iter().for_each(Proxy::close);
                pair.promote();
                for (proxy, port) in proxies.iter().zip(pair.ports()) {
                    proxy.lead_to(port);
                }
                pair.rebuild();
            }
            Self::Redis(pair) => {
                match rng.bool() {
                    true => pair.fail_over(),
                    false => pair.die(),
                }
                proxies[0].lead_to(pair.primary().port());
                pair.rebuild();
            }
            Self::Cluster(cluster) => {
                let replicas = cluster.nodes().iter().filter(|node| is_replica(node));
                let replicas: Vec<_> = replicas.collect();
                let chosen = replicas[rng.usize(..replicas.len())];
                // It is refused while the replica is not up to date.
                let _: RedisResult<String> = chosen.try_now(cmd("CLUSTER").arg("FAILOVER"));
                let has_its_place = || (!is_replica(chosen)).then_some(());
                let _ = poll_for(Duration::from_secs(6), has_its_place);
            }
        }
    }

    pub(crate) fn freeze(&mut self) {
        match self {
            Self::Memory | Self::Sqlite(_) => {}
            Self::Sql(server, _) => server.freeze(),
            Self::PostgresPair(pair) => pair.primary().freeze(),
            Self::Redis(pair) => pair.primary().signal("STOP"),
            Self::Cluster(cluster) => cluster.nodes()[0].signal("STOP"),
        }
    }

    pub(crate) fn thaw(&mut self) {
        match self {
            Self::Memory | Self::Sqlite(_) => {}
            Self::Sql(server, _) => server.thaw(),
            Self::PostgresPair(pair) => pair.primary().thaw(),
            Self::Redis(pair) => pair.primary().signal("CONT"),
            Self::Cluster(cluster) => cluster.nodes()[0].signal("CONT"),
        }
    }

    /// Where no proxy can.
    pub(crate) fn cut(&self) {
        let Self::Cluster(cluster) = self else { return };
        for node in cluster.nodes() {
            let _: u64 = node.ask_now(cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
        }
    }

    pub(crate) fn can_be_filled(&self) -> bool {
        match self {
            Self::Sqlite(disk) | Self::Sql(_, Some(disk)) => matches!(disk, Disk::Small(_)),
            Self::Redis(..) => true,
            _ => false,
        }
    }

    pub(crate) fn fill(&self) {
        match self {
            Self::Sqlite(disk) | Self::Sql(_, Some(disk)) => disk.fill(),
            Self::Redis(pair) => pair.limit("1"),
            _ => {}
        }
    }

    pub(crate) fn make_room(&self) {
        match self {
            Self::Sqlite(disk) | Self::Sql(_, Some(disk)) => disk.make_room(),
            Self::Redis(pair) => pair.limit("0"),
            _ => {}
        }
    }
}

impl Disk {
    fn new(size: &str) -> Self {
        SmallDisk::mount(size).map_or_else(|| Self::Large(support::folder()), Self::Small)
    }

    fn path(&self) -> &std::path::Path {
        match self {
            Self::Small(disk) => disk.0.path(),
            Self::Large(folder) => folder.path(),
        }
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// To the last byte.
    fn fill(&self) {
        let mut file = fs::File::create(self.filler()).expect("a file");
        for size in [1 << 20, 1 << 12, 1] {
            let zeros = vec![0; size];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }
}

fn restart(server: &mut Mortal) {
    server.kill();
    server.start_again();
}

fn is_replica(node: &Redis) -> bool {
    node.info("replication").contains("role:slave")
}
