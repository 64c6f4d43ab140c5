//! A Redis server and its replica, which takes its place.

use redis::cmd;
use tempfile::TempDir;

use crate::{
    redis_servers::{self, Redis},
    support::{self, wait_for},
};

pub(crate) struct RedisPair {
    /// None while it is being started again.
    primary: Option<Redis>,
    /// None until there is another.
    replica: Option<Redis>,
    /// Of the primary.
    data: TempDir,
    /// Of the replica.
    copy: TempDir,
}

/// What Redis promises only with these. A log that is synced by every write is the only one that keeps all of them.
const DURABLE: [&str; 6] = [
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--repl-diskless-sync-delay",
    "0",
];

impl RedisPair {
    pub(crate) fn start() -> Self {
        let (data, copy) = (redis_servers::data(), redis_servers::data());
        let primary = start(support::free_port(), &data);
        let replica = start_replica(&primary, &copy);
        Self {
            primary: Some(primary),
            replica: Some(replica),
            data,
            copy,
        }
    }

    pub(crate) fn primary(&self) -> &Redis {
        self.primary.as_ref().expect("it runs")
    }

    pub(crate) fn kill_and_start_again(&mut self) {
        let killed = self.primary.take().expect("it runs");
        let port = killed.port();
        killed.signal("KILL");
        drop(killed);
        self.primary = Some(start(port, &self.data));
    }

    /// As an operator has it done. The primary becomes the replica.
    pub(crate) fn fail_over(&mut self) {
        let replica = self.linked_replica();
        let _: String = self.primary().ask_now(&cmd("FAILOVER"));
        wait_for("the failover", || {
            let info = replica.info("replication");
            info.contains("role:master").then_some(())
        });
        self.replica = self.primary.replace(replica);
        std::mem::swap(&mut self.data, &mut self.copy);
    }

    /// The primary dies, but not before its replica has all that was answered: what it had not sent would be lost, as
    /// `docs/stores.md` says. So writes wait until then.
    pub(crate) fn die(&mut self) {
        let replica = self.linked_replica();
        let primary = self.primary.take().expect("it runs");
        let mut pause = cmd("CLIENT");
        let _: String = primary.ask_now(pause.arg("PAUSE").arg(30_000).arg("WRITE"));
        wait_for("the replica to have all", || {
            let offsets = [&primary, &replica].map(offset);
            (offsets[0] == offsets[1]).then_some(())
        });
        primary.signal("KILL");
        drop(primary);
        let _: String = replica.ask_now(cmd("REPLICAOF").arg("NO").arg("ONE"));
        self.primary = Some(replica);
        std::mem::swap(&mut self.data, &mut self.copy);
    }

    fn linked_replica(&mut self) -> Redis {
        let replica = self.replica.take().expect("it runs");
        wait_for("the replica to be linked", || {
            let info = replica.info("replication");
            info.contains("master_link_status:up").then_some(())
        });
        replica
    }

    /// Another replica, for the next time, if there is none.
    pub(crate) fn rebuild(&mut self) {
        if self.replica.is_none() {
            self.copy = redis_servers::data();
            self.replica = Some(start_replica(self.primary(), &self.copy));
        }
    }

    pub(crate) fn limit(&self, bytes: &str) {
        let mut limit = cmd("CONFIG");
        let limit = limit.arg("SET").arg("maxmemory").arg(bytes);
        let _: String = self.primary().ask_now(limit);
    }
}

/// Of what was written, on a primary as on a replica.
fn offset(server: &Redis) -> String {
    let info = server.info("replication");
    let is_replica = info.contains("role:slave");
    let name = match is_replica {
        true => "slave_repl_offset:",
        false => "master_repl_offset:",
    };
    let mut lines = info.lines();
    let offset = lines.find_map(|line| line.strip_prefix(name));
    offset.expect("it has one").to_owned()
}

fn start(port: u16, data: &TempDir) -> Redis {
    let folder = data.path().to_str().expect("a name of the machine's");
    Redis::start_on(port, &[&DURABLE[..], &["--dir", folder]].concat())
}

fn start_replica(primary: &Redis, data: &TempDir) -> Redis {
    let folder = data.path().to_str().expect("a name of the machine's");
    let primary = format!("127.0.0.1 {}", primary.port());
    let settings = ["--dir", folder, "--replicaof", &primary];
    Redis::start_on(support::free_port(), &[&DURABLE[..], &settings].concat())
}
