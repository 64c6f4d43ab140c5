//! What Flask-Session keeps its records on.

use redis::cmd;
use tempfile::TempDir;
use wiz_session::{
    Clock, CookieOptions, Key, MySqlStore, PostgresStore, Sessions, SqliteStore, WizSessionLayer,
    flask::{FlaskSessionStore, FlaskSessionStoreBuilder},
};

use crate::{
    here, python, redis_servers, sql_servers, support::folder, there::There, visitor::Visitor,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Redis,
    Sqlite,
    Postgres,
    Mysql,
}

/// A test for each of these engines, and a Flask application on it.
macro_rules! on_engines {
    ($test:ident: $($name:ident $engine:ident),+) => {
        mod $test {
            use crate::records::engine::{Database, Engine};

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$test(&Database::new(Engine::$engine)).await;
            })+
        }
    };
}

macro_rules! on_every_engine {
    ($($test:ident),+ $(,)?) => {
        $($crate::records::engine::on_engines!(
            $test: on_redis Redis, on_sqlite Sqlite, on_postgres Postgres, on_mysql Mysql
        );)+
    };
}

macro_rules! on_sql_engines {
    ($($test:ident),+ $(,)?) => {
        $($crate::records::engine::on_engines!(
            $test: on_sqlite Sqlite, on_postgres Postgres, on_mysql Mysql
        );)+
    };
}

pub(crate) use {on_engines, on_every_engine, on_sql_engines};

/// Records of a test's own.
pub(crate) struct Database {
    pub(crate) engine: Engine,
    /// The prefix of the keys, or the name of the table.
    pub(crate) name: String,
    folder: TempDir,
}

impl Database {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            name: format!("f{:016x}", fastrand::u64(..)),
            folder: folder(),
        }
    }

    /// With these settings of Flask's too.
    pub(crate) fn flask(&self, settings: &[&str]) -> There {
        let (name, url) = match self.engine {
            Engine::Redis => ("redis", redis_servers::shared()),
            Engine::Sqlite => ("sqlite", self.file()),
            Engine::Postgres => (
                "postgres",
                sql_servers::postgres_url().replace("postgres://", "postgresql+psycopg://"),
            ),
            Engine::Mysql => (
                "mysql",
                sql_servers::mysql_url().replace("mysql://", "mysql+pymysql://"),
            ),
        };
        let own = match self.engine {
            Engine::Redis => format!("SESSION_KEY_PREFIX={}:", self.name),
            _ => format!("SESSION_SQLALCHEMY_TABLE={}", self.name),
        };
        let settings = [&[own.as_str()], settings].concat();
        There::flask_session(python::flask_3_1(), name, &url, &settings)
    }

    fn file(&self) -> String {
        format!("sqlite:///{}", self.folder.path().join("site.db").display())
    }

    pub(crate) async fn store(&self, key: &Key) -> FlaskSessionStore {
        self.store_with(key, |builder| builder).await
    }

    pub(crate) async fn store_with(
        &self,
        key: &Key,
        settings: impl FnOnce(FlaskSessionStoreBuilder) -> FlaskSessionStoreBuilder,
    ) -> FlaskSessionStore {
        let builder = settings(FlaskSessionStore::builder(key));
        let made = match self.engine {
            Engine::Redis => builder
                .key_prefix(format!("{}:", self.name))
                .redis(redis_servers::store().await),
            Engine::Sqlite => {
                let url = self.file().replace("sqlite:///", "sqlite://");
                let sqlite = SqliteStore::connect(&url).await.expect("a file");
                builder.table(&self.name).sqlite(&sqlite)
            }
            Engine::Postgres => {
                let url = sql_servers::postgres_url();
                let postgres = PostgresStore::connect(&url).await.expect("a server");
                builder.table(&self.name).postgres(&postgres)
            }
            Engine::Mysql => {
                let url = sql_servers::mysql_url();
                let mysql = MySqlStore::connect(&url).await.expect("a server");
                builder.table(&self.name).mysql(&mysql)
            }
        };
        made.expect("right settings")
    }

    /// Changes the bytes of all records, behind the back of both sides.
    pub(crate) async fn spoil(&self, with: &[u8]) {
        // The format does not depend on the engine.
        assert_eq!(
            self.engine,
            Engine::Redis,
            "records are spoiled on Redis only"
        );
        let url = redis_servers::shared();
        let pattern = format!("{}:*", self.name);
        let keys: Vec<String> = redis_servers::ask(&url, cmd("KEYS").arg(&pattern)).await;
        for key in keys {
            let mut set = cmd("SET");
            redis_servers::ask::<()>(&url, set.arg(key).arg(with).arg("KEEPTTL")).await;
        }
    }

    /// The ids of all records.
    pub(crate) async fn ids(&self) -> Vec<String> {
        let pattern = format!("{}:*", self.name);
        let keys: Vec<String> =
            redis_servers::ask(&redis_servers::shared(), cmd("KEYS").arg(&pattern)).await;
        let id = |key: String| key[self.name.len() + 1..].to_owned();
        keys.into_iter().map(id).collect()
    }

    /// One of them.
    pub(crate) async fn bytes(&self, id: &str) -> Vec<u8> {
        let key = format!("{}:{id}", self.name);
        redis_servers::ask(&redis_servers::shared(), cmd("GET").arg(key)).await
    }
}

/// Both applications on the same records, and the sessions of this one from outside.
pub(crate) struct Both {
    pub(crate) there: There,
    here: u16,
    pub(crate) store: FlaskSessionStore,
    pub(crate) sessions: Sessions,
    pub(crate) clock: Clock,
}

impl Both {
    pub(crate) async fn of(database: &Database) -> Self {
        Self::with(database, &[], |builder| builder).await
    }

    pub(crate) async fn with(
        database: &Database,
        of_flask: &[&str],
        settings: impl FnOnce(FlaskSessionStoreBuilder) -> FlaskSessionStoreBuilder,
    ) -> Self {
        let (there, key) = (database.flask(of_flask), Key::generate());
        let (store, clock) = (database.store_with(&key, settings).await, Clock::manual());
        let layer = WizSessionLayer::builder(store.clone(), key)
            .cookie(CookieOptions::insecure("sid"))
            .clock(clock.clone())
            .build()
            .expect("right settings");
        let sessions = layer.sessions();
        let app = here::routes().layer(store.bridge()).layer(layer);
        Self {
            there,
            here: here::serve(app).await,
            store,
            sessions,
            clock,
        }
    }

    /// A browser of its own.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::at(self.here, self.there.port)
    }
}

impl Both {
    /// Another browser with the cookies of this one.
    pub(crate) fn visitor_with(&self, other: &Visitor) -> Visitor {
        let visitor = self.visitor();
        for name in ["session", "sid"] {
            visitor.plant(name, other.cookie(name).as_deref());
        }
        visitor
    }
}
