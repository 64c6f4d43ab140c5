//! Where the sessions are, and what can happen to it.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::{
    redis_servers::{self, Redis},
    sql_servers::{self, Engine, Mortal},
    support::{self, small_disk::SmallDisk},
};

pub(crate) enum Database {
    Memory,
    Sqlite(Disk),
    Sql(Box<Mortal>, Option<Disk>),
    Redis(Option<Redis>, TempDir),
}

/// A file system that can be filled, or just a folder where the tests may not mount one.
pub(crate) enum Disk {
    Small(SmallDisk),
    Large(TempDir),
}

/// What Redis promises only with these. A log that is synced by every write is the only one that keeps all of them.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

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

    pub(crate) fn redis() -> Self {
        let data = redis_servers::data();
        let redis = start_redis(support::free_port(), &data);
        Self::Redis(Some(redis), data)
    }

    /// Of its server, if it is one.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Memory | Self::Sqlite(_) => None,
            Self::Sql(server, _) => Some(server.port()),
            Self::Redis(redis, _) => Some(running(redis).port()),
        }
    }

    /// The address for the example server, through a port before the database's.
    pub(crate) fn store(&self, port: Option<u16>) -> String {
        let port = port.unwrap_or_default();
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Sqlite(disk) => format!("sqlite:{}", disk.path().join("sessions.db").display()),
            Self::Sql(server, _) => {
                server
                    .url()
                    .replacen(&format!(":{}/", server.port()), &format!(":{port}/"), 1)
            }
            Self::Redis(..) => format!("redis://127.0.0.1:{port}/"),
        }
    }

    pub(crate) fn kill_and_start_again(&mut self) {
        match self {
            Self::Memory | Self::Sqlite(_) => {}
            Self::Sql(server, _) => {
                server.kill();
                server.start_again();
            }
            Self::Redis(redis, data) => {
                let killed = redis.take().expect("it runs");
                let port = killed.port();
                killed.signal("KILL");
                drop(killed);
                *redis = Some(start_redis(port, data));
            }
        }
    }

    pub(crate) fn freeze(&self) {
        match self {
            Self::Memory | Self::Sqlite(_) => {}
            Self::Sql(server, _) => server.freeze(),
            Self::Redis(redis, _) => running(redis).signal("STOP"),
        }
    }

    pub(crate) fn thaw(&self) {
        match self {
            Self::Memory | Self::Sqlite(_) => {}
            Self::Sql(server, _) => server.thaw(),
            Self::Redis(redis, _) => running(redis).signal("CONT"),
        }
    }

    pub(crate) fn can_be_filled(&self) -> bool {
        match self {
            Self::Memory => false,
            Self::Sqlite(disk) | Self::Sql(_, Some(disk)) => matches!(disk, Disk::Small(_)),
            Self::Sql(..) => false,
            Self::Redis(..) => true,
        }
    }

    pub(crate) fn fill(&self) {
        match self {
            Self::Sqlite(disk) | Self::Sql(_, Some(disk)) => disk.fill(),
            Self::Redis(redis, _) => limit(running(redis), "1"),
            Self::Memory | Self::Sql(..) => {}
        }
    }

    pub(crate) fn make_room(&self) {
        match self {
            Self::Sqlite(disk) | Self::Sql(_, Some(disk)) => disk.make_room(),
            Self::Redis(redis, _) => limit(running(redis), "0"),
            Self::Memory | Self::Sql(..) => {}
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
        let whole = fs::File::create(self.filler())
            .and_then(|mut file| std::io::copy(&mut std::io::repeat(0), &mut file));
        whole.expect_err("no disk is endless");
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }
}

fn running(redis: &Option<Redis>) -> &Redis {
    redis.as_ref().expect("it runs")
}

fn start_redis(port: u16, data: &TempDir) -> Redis {
    let folder = data.path().to_str().expect("a name of the machine's");
    Redis::start_on(port, &[&DURABLE[..], &["--dir", folder]].concat())
}

fn limit(redis: &Redis, bytes: &str) {
    let client = redis::Client::open(redis.url()).expect("a valid URL");
    let mut connection = client.get_connection().expect("the server is there");
    let mut limit = redis::cmd("CONFIG");
    limit.arg("SET").arg("maxmemory").arg(bytes);
    limit.exec(&mut connection).expect("an answer");
}
