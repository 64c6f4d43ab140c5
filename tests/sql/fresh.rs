//! A store of its own for each test, with a table that is there.

use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
};

use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;
use wiz_session::{
    Handle, SessionStore,
    store::{MySqlStore, PostgresStore, SqliteStore},
};

use crate::{beside, servers, support};

pub(crate) struct Fresh<S> {
    pub(crate) store: S,
    pub(crate) table: String,
    url: String,
    /// Of the file.
    _folder: Option<TempDir>,
}

/// What the stores' own methods have in common.
pub(crate) trait SqlStore: SessionStore + Clone {
    fn open(url: &str, table: &str) -> impl Future<Output = Self>;

    /// Runs a statement on a connection of its own.
    fn run(url: String, sql: String) -> impl Future<Output = ()> + Send;
}

macro_rules! sql_store {
    ($store:ident $connection:ident) => {
        impl SqlStore for $store {
            async fn open(url: &str, table: &str) -> Self {
                let store = $store::connect(url).await.expect("a connection");
                let store = store.with_table(table).expect("a valid name");
                store.migrate().await.expect("a table");
                store
            }

            async fn run(url: String, sql: String) {
                $connection(&url, &sql).await;
            }
        }
    };
}

sql_store!(SqliteStore on_sqlite);
sql_store!(PostgresStore on_postgres);
sql_store!(MySqlStore on_mysql);

async fn on_sqlite(url: &str, sql: &str) {
    let mut connection = sqlx::SqliteConnection::connect(url).await.expect("a file");
    let sql = sqlx::AssertSqlSafe(sql);
    connection.execute(sql).await.expect("a statement");
}

async fn on_mysql(url: &str, sql: &str) {
    let mut connection = sqlx::MySqlConnection::connect(url).await.expect("a server");
    let sql = sqlx::AssertSqlSafe(sql);
    connection.execute(sql).await.expect("a statement");
}

async fn on_postgres(url: &str, sql: &str) {
    let client = beside::client(url).await;
    client.batch_execute(sql).await.expect("a statement");
}

impl<S: SqlStore> Fresh<S> {
    async fn at(url: String, table: String) -> Self {
        Self {
            store: S::open(&url, &table).await,
            table,
            url,
            _folder: None,
        }
    }

    /// Another store with the same table, as another process has it.
    pub(crate) async fn another(&self) -> S {
        S::open(&self.url, &self.table).await
    }

    /// Cuts a record short, behind the store's back.
    pub(crate) fn damage(&self, handle: Handle) -> impl Future<Output = ()> + Send + use<S> {
        let table = &self.table;
        let sql =
            format!("UPDATE {table} SET record = substr(record, 1, 20) WHERE handle = '{handle}'");
        S::run(self.url.clone(), sql)
    }
}

pub(crate) async fn sqlite() -> Fresh<SqliteStore> {
    let folder = support::folder();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    Fresh {
        _folder: Some(folder),
        ..Fresh::at(url, "wiz_sessions".to_owned()).await
    }
}

pub(crate) async fn postgres() -> Fresh<PostgresStore> {
    Fresh::at(servers::postgres_url(), table()).await
}

pub(crate) async fn mysql() -> Fresh<MySqlStore> {
    Fresh::at(servers::mysql_url(), table()).await
}

/// A name that no other test has, nor one of another run on the same server.
pub(crate) fn table() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!(
        "t{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Makes a test of each engine out of each of these functions.
macro_rules! on_each_engine {
    ($($test:ident),* $(,)?) => {
        crate::fresh::on_each_engine!(@ sqlite $($test)*);
        crate::fresh::on_each_engine!(@ postgres $($test)*);
        crate::fresh::on_each_engine!(@ mysql $($test)*);
    };
    (@ $engine:ident $($test:ident)*) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    super::$test(crate::fresh::$engine().await).await;
                }
            )*
        }
    };
}

pub(crate) use on_each_engine;
