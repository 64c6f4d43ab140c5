//! A store of each kind, with a table or a prefix of the test's own, and the tool that looks after it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use wiz_session::{MySqlStore, PostgresStore, RedisStore, SqliteStore};

use crate::{redis_servers, sql_servers, support, tool::Tool};

pub(crate) struct Place<S> {
    pub(crate) store: S,
    pub(crate) tool: Tool,
    /// Of the file.
    pub(crate) folder: Option<TempDir>,
}

pub(crate) async fn sqlite() -> Place<SqliteStore> {
    let folder = support::folder();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    Place {
        store: SqliteStore::connect(&url).await.expect("a new file"),
        tool: Tool::on(&url),
        folder: Some(folder),
    }
}

pub(crate) async fn postgres() -> Place<PostgresStore> {
    let (url, table) = (sql_servers::postgres_url(), table());
    let store = PostgresStore::connect(&url).await.expect("a connection");
    Place {
        store: store.with_table(&table).expect("a valid name"),
        tool: Tool::on(&url).with(&["--table", &table]),
        folder: None,
    }
}

pub(crate) async fn mysql() -> Place<MySqlStore> {
    let (url, table) = (sql_servers::mysql_url(), table());
    let store = MySqlStore::connect(&url).await.expect("a connection");
    // By its other name.
    let url = url.replace("mysql://", "mariadb://");
    Place {
        store: store.with_table(&table).expect("a valid name"),
        tool: Tool::on(&url).with(&["--table", &table]),
        folder: None,
    }
}

pub(crate) async fn redis() -> Place<RedisStore> {
    let (url, prefix) = (redis_servers::shared(), redis_servers::prefix());
    let store = RedisStore::connect(&url)
        .await
        .expect("the server is there");
    Place {
        store: store.with_prefix(&prefix),
        tool: Tool::on(&url).with(&["--prefix", &prefix]),
        folder: None,
    }
}

pub(crate) async fn cluster() -> Place<RedisStore> {
    let (nodes, prefix) = (redis_servers::shared_cluster(), redis_servers::prefix());
    let hosts = nodes.iter().map(|url| {
        let host = url.trim_start_matches("redis://");
        host.trim_end_matches('/').to_owned()
    });
    let hosts: Vec<String> = hosts.collect();
    let store = RedisStore::connect_cluster(nodes).await;
    Place {
        store: store.expect("the cluster is there").with_prefix(&prefix),
        tool: Tool::on(&format!("redis+cluster://{}", hosts.join(",")))
            .with(&["--prefix", &prefix]),
        folder: None,
    }
}

/// A name that no other test has, nor one of another run on the same server.
fn table() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("tool{}_{next}", std::process::id())
}

/// Makes a test of each kind of store out of each of these functions.
macro_rules! on_each_store {
    ($($test:ident),* $(,)?) => {
        crate::place::on_each_store!(@ sqlite $($test)*);
        crate::place::on_each_store!(@ postgres $($test)*);
        crate::place::on_each_store!(@ mysql $($test)*);
        crate::place::on_each_store!(@ redis $($test)*);
        crate::place::on_each_store!(@ cluster $($test)*);
    };
    (@ $kind:ident $($test:ident)*) => {
        mod $kind {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::place::$kind().await).await;
                }
            )*
        }
    };
}

pub(crate) use on_each_store;
