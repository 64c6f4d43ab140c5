//! Where the sessions are, what can happen to it, and what it says of those who are connected.

use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::Client;
use wiz_session::{BoxStore, PostgresStore, RedisStore};

use crate::{
    beside,
    redis_servers::{self, Redis},
    sql_servers::{Engine, Mortal},
    support,
};

pub(crate) enum Database {
    Postgres(Box<Mortal>),
    Redis(Option<Redis>, TempDir),
}

/// Every answer is of what the log has. Not that it is on the disk: only the process is killed here, not the machine.
const LOGGED: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

/// `LISTEN` is the last thing that its connection was asked.
const LISTENING: &str = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";

/// In milliseconds; -1 if there is no session, and `NEVER` if a key would stay.
const LONGEST: &str = "
    local longest = -1
    for _, key in ipairs(redis.call('KEYS', '*')) do
        local left = redis.call('PTTL', key)
        if left == -1 then return -2 end
        if string.sub(key, 1, 6) == 'wiz:s:' then longest = math.max(longest, left) end
    end
    return longest";
const NEVER: i64 = -2;

impl Database {
    pub(crate) fn postgres() -> Self {
        Self::Postgres(Box::new(Mortal::start(Engine::Postgres)))
    }

    pub(crate) fn redis() -> Self {
        let data = redis_servers::data();
        let redis = start_redis(support::free_port(), &data);
        Self::Redis(Some(redis), data)
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Postgres(server) => server.port(),
            Self::Redis(redis, _) => running(redis).port(),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url().to_owned(),
            Self::Redis(redis, _) => running(redis).url(),
        }
    }

    /// The address through another port.
    pub(crate) fn url_through(&self, port: u16) -> String {
        let own = format!(":{}/", self.port());
        self.url().replacen(&own, &format!(":{port}/"), 1)
    }

    pub(crate) fn kill_and_start_again(&mut self) {
        match self {
            Self::Postgres(server) => {
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
            Self::Postgres(server) => server.freeze(),
            Self::Redis(redis, _) => running(redis).signal("STOP"),
        }
    }

    pub(crate) fn thaw(&self) {
        match self {
            Self::Postgres(server) => server.thaw(),
            Self::Redis(redis, _) => running(redis).signal("CONT"),
        }
    }

    /// The sessions, past the proxy.
    pub(crate) async fn store(&self) -> BoxStore {
        let url = self.url();
        match self {
            Self::Postgres(_) => {
                BoxStore::new(PostgresStore::connect(&url).await.expect("it is there"))
            }
            Self::Redis(..) => BoxStore::new(RedisStore::connect(&url).await.expect("it is there")),
        }
    }

    /// How many connections listen, and to how many sessions: a store that has a channel for each says so.
    pub(crate) async fn listeners(&self) -> (usize, usize) {
        match self {
            Self::Postgres(_) => {
                let row = self.beside().await.query_one(LISTENING, &[]).await;
                let count: i64 = row.expect("an answer").get(0);
                (usize::try_from(count).expect("a count"), 0)
            }
            Self::Redis(redis, _) => {
                let redis = running(redis);
                let mut ask = redis::cmd("CLIENT");
                let clients: String = redis.ask(ask.arg("LIST").arg("TYPE").arg("pubsub")).await;
                let mut ask = redis::cmd("PUBSUB");
                let channels: Vec<String> = redis.ask(ask.arg("CHANNELS")).await;
                (clients.lines().count(), channels.len())
            }
        }
    }

    /// Of all sessions that expire by themselves, as those in Redis do. A key that never does is a finding.
    pub(crate) async fn longest_time_to_live(&self) -> Option<Duration> {
        let Self::Redis(redis, _) = self else {
            return None;
        };
        let mut ask = redis::cmd("EVAL");
        let longest: i64 = running(redis).ask(ask.arg(LONGEST).arg(0)).await;
        assert_ne!(longest, NEVER, "a key has no time to live");
        u64::try_from(longest).ok().map(Duration::from_millis)
    }

    /// How many rows or keys there are, of whatever kind.
    pub(crate) async fn everything(&self) -> i64 {
        match self {
            Self::Postgres(_) => {
                let row = self
                    .beside()
                    .await
                    .query_one("SELECT count(*) FROM wiz_sessions", &[])
                    .await;
                row.expect("an answer").get(0)
            }
            Self::Redis(redis, _) => running(redis).ask(&redis::cmd("DBSIZE")).await,
        }
    }

    async fn beside(&self) -> Client {
        beside::client(&self.url()).await
    }
}

fn running(redis: &Option<Redis>) -> &Redis {
    redis.as_ref().expect("it runs")
}

fn start_redis(port: u16, data: &TempDir) -> Redis {
    let folder = data.path().to_str().expect("a name of the machine's");
    Redis::start_on(port, &[&LOGGED[..], &["--dir", folder]].concat())
}
