use std::time::{Duration, SystemTime};

use wiz_session::{
    Error, Handle, MySqlStore, PostgresStore, Record, RedisStore, SessionStore as _, SqliteStore,
    Version,
    store::{Created, Cursor, Page, Replaced},
};

use crate::{address::Address, args::Options, failure::Failure, sqlite};

/// The application's store, whichever it is. It is not waited for for ever.
pub(crate) struct Store {
    engine: Engine,
    patience: Duration,
}

enum Engine {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
    MySql(MySqlStore),
    Redis(RedisStore),
}

/// Runs one expression for every engine, or one for the three SQL engines and one for Redis.
macro_rules! each {
    ($engine:expr, $store:ident => $call:expr) => {
        each!($engine, $store => $call, $store => $call)
    };
    ($engine:expr, $sql:ident => $in_sql:expr, $redis:pat => $in_redis:expr) => {
        match $engine {
            Engine::Sqlite($sql) => $in_sql,
            Engine::Postgres($sql) => $in_sql,
            Engine::MySql($sql) => $in_sql,
            Engine::Redis($redis) => $in_redis,
        }
    };
}

impl Store {
    /// Connects. A file of SQLite that is not there is a mistake, unless it is to be `created`.
    pub(crate) async fn open(options: &Options, created: bool) -> Result<Self, Failure> {
        let url = options.store.as_deref().filter(|url| !url.is_empty());
        let address = url.ok_or_else(no_store)?.parse()?;
        check_names(&address, options)?;
        let patience = options.timeout;
        if let Address::Sqlite(url) = &address
            && !created
        {
            sqlite::is_there(url)?;
        }
        let engine = wait(patience, connect(address)).await?;
        let engine = named(engine, options)?;
        Ok(Self { engine, patience })
    }

    /// How many calls at a time are worth it: no more than there are connections, as the rest would wait for one.
    pub(crate) fn calls_at_once(&self) -> usize {
        match self.engine {
            Engine::Sqlite(_) => 4,
            Engine::Postgres(_) | Engine::MySql(_) => 10,
            Engine::Redis(_) => 32,
        }
    }

    /// Answers whether there is a table to migrate.
    pub(crate) async fn migrate(&self) -> Result<bool, Failure> {
        let migration = async {
            each!(&self.engine, sql => sql.migrate().await.map(|()| true), _ => Ok(false))
        };
        wait(self.patience, migration).await
    }

    pub(crate) async fn load(&self, handle: Handle) -> Result<Option<Record>, Failure> {
        let record = async { each!(&self.engine, store => store.load(handle).await) };
        wait(self.patience, record).await
    }

    pub(crate) async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Failure> {
        let created = async { each!(&self.engine, store => store.create(handle, record).await) };
        wait(self.patience, created).await
    }

    pub(crate) async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Failure> {
        let replaced =
            async { each!(&self.engine, store => store.replace(handle, expected, record).await) };
        wait(self.patience, replaced).await
    }

    pub(crate) async fn touch(&self, handle: Handle, end: SystemTime) -> Result<bool, Failure> {
        let touched = async { each!(&self.engine, store => store.touch(handle, end).await) };
        wait(self.patience, touched).await
    }

    pub(crate) async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Failure> {
        let page = async { each!(&self.engine, store => store.scan(after, limit).await) };
        wait(self.patience, page).await
    }

    pub(crate) async fn delete(&self, handle: Handle) -> Result<bool, Failure> {
        let delete = async || each!(&self.engine, store => store.delete(handle).await);
        wait(self.patience, self.with_room(delete)).await
    }

    /// Deletes, and if the disk under a file of SQLite is full makes room and deletes again.
    async fn with_room<T>(&self, delete: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        match (delete().await, &self.engine) {
            (Err(error), Engine::Sqlite(store)) if sqlite::is_full(&error) => {
                // If that fails as well, there is no room to be made: the first error says so.
                match sqlite::make_room(store).await {
                    true => delete().await,
                    false => Err(error),
                }
            }
            (deleted, _) => deleted,
        }
    }

    pub(crate) async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Failure> {
        let sessions = async { each!(&self.engine, store => store.list(user).await) };
        wait(self.patience, sessions).await
    }

    pub(crate) async fn delete_user(&self, user: &str) -> Result<u64, Failure> {
        let delete = async || each!(&self.engine, store => store.delete_user(user, None).await);
        wait(self.patience, self.with_room(delete)).await
    }

    pub(crate) async fn count(&self, now: SystemTime) -> Result<u64, Failure> {
        let live = async { each!(&self.engine, store => store.count(now).await) };
        wait(self.patience, live).await
    }

    /// Live sessions, where they are counted without reading them all.
    pub(crate) async fn count_quickly(&self, now: SystemTime) -> Result<Option<u64>, Failure> {
        let live =
            async { each!(&self.engine, sql => sql.count(now).await.map(Some), _ => Ok(None)) };
        wait(self.patience, live).await
    }

    /// Where that is found out without a look at every session.
    pub(crate) async fn count_expired(&self, now: SystemTime) -> Result<Option<u64>, Failure> {
        let expired = async {
            each!(&self.engine, sql => sql.count_expired(now).await.map(Some), _ => Ok(None))
        };
        wait(self.patience, expired).await
    }

    pub(crate) async fn delete_expired(
        &self,
        now: SystemTime,
        limit: usize,
    ) -> Result<u64, Failure> {
        let deleted =
            async { each!(&self.engine, store => store.delete_expired(now, limit).await) };
        wait(self.patience, deleted).await
    }

    /// So that SQLite tidies its files up, and servers do not log a connection that broke.
    pub(crate) async fn close(self) {
        let close = async {
            match self.engine {
                Engine::Sqlite(store) => store.pool().close().await,
                Engine::Postgres(store) => store.close().await,
                Engine::MySql(store) => store.pool().close().await,
                Engine::Redis(_) => {}
            }
        };
        // Nothing is lost if it fails.
        let _ = tokio::time::timeout(Duration::from_secs(1), close).await;
    }
}

async fn connect(address: Address) -> Result<Engine, Error> {
    match address {
        Address::Sqlite(url) => sqlite::connect(&url).await.map(Engine::Sqlite),
        Address::Postgres(url) => PostgresStore::connect(&url).await.map(Engine::Postgres),
        Address::MySql(url) => MySqlStore::connect(&url).await.map(Engine::MySql),
        Address::Redis(url) => RedisStore::connect(&url).await.map(Engine::Redis),
        Address::RedisCluster(nodes) => RedisStore::connect_cluster(nodes).await.map(Engine::Redis),
    }
}

fn check_names(address: &Address, options: &Options) -> Result<(), Failure> {
    let is_redis = matches!(address, Address::Redis(_) | Address::RedisCluster(_));
    match (&options.table, &options.prefix) {
        (Some(_), _) if is_redis => Err(Failure::of_usage(
            "Redis has no tables",
            "name the keys' prefix with --prefix",
        )),
        (_, Some(_)) if !is_redis => Err(Failure::of_usage(
            "a SQL store has no prefix",
            "name the table with --table",
        )),
        _ => Ok(()),
    }
}

/// With the table or the prefix that the application has given it.
fn named(engine: Engine, options: &Options) -> Result<Engine, Failure> {
    Ok(match (engine, &options.table, &options.prefix) {
        (Engine::Sqlite(store), Some(table), _) => Engine::Sqlite(store.with_table(table)?),
        (Engine::Postgres(store), Some(table), _) => Engine::Postgres(store.with_table(table)?),
        (Engine::MySql(store), Some(table), _) => Engine::MySql(store.with_table(table)?),
        (Engine::Redis(store), _, Some(prefix)) => Engine::Redis(store.with_prefix(prefix)),
        (engine, _, _) => engine,
    })
}

async fn wait<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer.map_err(|error| Failure::of_store(&error)),
        Err(_) => Err(Failure::of_silence(patience)),
    }
}

fn no_store() -> Failure {
    Failure::of_usage(
        "it is not said where the sessions are",
        "give --store URL or set WIZ_SESSION_STORE; `wiz-session --help` shows how a URL is written",
    )
}
