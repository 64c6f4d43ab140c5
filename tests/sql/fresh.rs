//! A store of its own for each test, with a table that is there.

use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use wiz_session::store::{MySqlStore, PostgresStore, SqliteStore};

use crate::{servers, support};

pub(crate) struct Fresh<S> {
    pub(crate) store: S,
    pub(crate) table: String,
    /// Of the file.
    _folder: Option<TempDir>,
}

pub(crate) async fn sqlite() -> Fresh<SqliteStore> {
    let folder = support::folder();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    let store = SqliteStore::connect(&url).await.expect("a new file");
    store.migrate().await.expect("a new table");
    Fresh {
        store,
        table: "wiz_sessions".to_owned(),
        _folder: Some(folder),
    }
}

pub(crate) async fn postgres() -> Fresh<PostgresStore> {
    let url = servers::postgres_url();
    let (store, table) = (
        PostgresStore::connect(&url).await.expect("a connection"),
        table(),
    );
    let store = store.with_table(&table).expect("a valid name");
    store.migrate().await.expect("a new table");
    Fresh {
        store,
        table,
        _folder: None,
    }
}

pub(crate) async fn mysql() -> Fresh<MySqlStore> {
    let url = servers::mysql_url();
    let (store, table) = (
        MySqlStore::connect(&url).await.expect("a connection"),
        table(),
    );
    let store = store.with_table(&table).expect("a valid name");
    store.migrate().await.expect("a new table");
    Fresh {
        store,
        table,
        _folder: None,
    }
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
