use std::time::{Duration, Instant};

use sqlx::{
    Error as SqlxError, Sqlite, SqlitePool,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use super::{
    common::sql_store,
    pool::{Driver, SqlxPool, code, driver, into_error, pool_options},
    statements::LOAD,
    syntax::Syntax,
    table::SqlTable,
};
use crate::error::Error;

/// Keeps sessions in a SQLite file: for a single machine, when sessions should survive a restart.
///
/// ```
/// use wiz_session::{Key, WizSessionLayer, store::SqliteStore};
///
/// # #[tokio::main] async fn main() -> Result<(), wiz_session::Error> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let file = folder.path().join("sessions.db");
/// let store = SqliteStore::connect(&format!("sqlite:{}", file.display())).await?;
/// store.migrate().await?;
/// let layer = WizSessionLayer::new(store, Key::generate());
/// # Ok(()) }
/// ```
///
/// Any number of processes on one machine may share the file, but not over a network file system. Writes are serialised
/// and reach the disk before they are answered, so a session that was ended stays ended after a power failure. Run a
/// [`Sweeper`](crate::Sweeper) to delete expired sessions. Clones share the connection pool. It takes Rust 1.94, which
/// sqlx 0.9 needs.
///
#[doc = include_str!("table.md")]
#[derive(Clone)]
pub struct SqliteStore {
    table: SqlTable<SqlxPool<Sqlite>>,
}

/// Connecting.
impl SqliteStore {
    /// Opens a file, such as `sqlite:sessions.db` or `sqlite:///var/lib/app/sessions.db`, creates it if there is none,
    /// and switches it to WAL mode. Any number of processes may do so at once. It opens up to four connections.
    ///
    /// # Errors
    /// [`Error::is_store`], if the address is invalid, or the file cannot be opened or is no database.
    ///
    /// # Cancel safety
    /// Dropped midway, it may leave a new, empty file.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), wiz_session::Error> {
    /// let store = wiz_session::SqliteStore::connect("sqlite:sessions.db").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        connect(url).await.map(Self::from_pool).map_err(into_error)
    }

    /// Uses a pool of [sqlx](crate::store::sqlx) 0.9, which the rest of the application may share. For the table see
    /// [`migrate`](Self::migrate).
    ///
    /// The pool decides how long to wait for a connection, and whether to ping it before use. The settings of the
    /// store's own pools are [`pool_options`](Self::pool_options).
    ///
    /// ```no_run
    /// use wiz_session::store::{SqliteStore, sqlx::SqlitePool};
    ///
    /// # fn f(pool: SqlitePool) {
    /// let store = SqliteStore::from_pool(pool);
    /// # }
    /// ```
    #[must_use]
    pub fn from_pool(pool: SqlitePool) -> Self {
        Self {
            table: SqlTable::new(SqlxPool::new(pool)),
        }
    }

    /// The connection pool.
    ///
    /// ```no_run
    /// # async fn f(store: wiz_session::SqliteStore) {
    /// store.pool().close().await;
    /// # }
    /// ```
    #[must_use]
    pub fn pool(&self) -> &SqlitePool {
        self.table.executor().pool()
    }

    /// The settings of the pool that [`connect`](Self::connect) opens: up to four connections, and three seconds to wait
    /// for one.
    ///
    /// ```
    /// let settings = wiz_session::SqliteStore::pool_options().max_connections(8);
    /// ```
    #[must_use]
    pub fn pool_options() -> SqlitePoolOptions {
        pool_options().max_connections(4)
    }
}

sql_store!(SqliteStore);

async fn connect(url: &str) -> Result<SqlitePool, SqlxError> {
    let file: SqliteConnectOptions = url.parse()?;
    if file.get_filename().as_os_str().is_empty() {
        // To SQLite, each connection would be a database of its own.
        return Err(SqlxError::Configuration("the address names no file".into()));
    }
    let file = file
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY_TIMEOUT);
    let since = Instant::now();
    loop {
        match SqliteStore::pool_options().connect_with(file.clone()).await {
            // The busy timeout does not apply to switching a new file to WAL mode, which locks it.
            Err(error) if is_busy(&error) && since.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            opened => return opened,
        }
    }
}

impl Driver for Sqlite {
    const SYNTAX: Syntax = SYNTAX;

    const CANCEL_SAFE: bool = true;

    driver!();

    /// Writers wait for each other; SQLite rolls none back.
    fn is_rolled_back(_error: &dyn DatabaseError) -> bool {
        false
    }

    fn is_denied(_error: &dyn DatabaseError) -> bool {
        false
    }
}

pub(super) const SYNTAX: Syntax = Syntax {
    numbered: true,
    least: "MIN",
    no_wait: "",
    load: LOAD,
    replace_several: "",
    look: LOOK,
    delete: "{delete}",
    delete_user: "{delete_user}",
    regenerate: REGENERATE,
    sweep: SWEEP,
    sweep_batch: 100,
    postpone: POSTPONE,
    schema: SCHEMA,
    #[cfg(feature = "flask")]
    casts: ["TEXT", "INTEGER", "TEXT"],
};

/// How long a write waits for those of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

fn is_busy(error: &SqlxError) -> bool {
    let code = error.as_database_error().and_then(code);
    code.is_some_and(|code| code == "5")
}

const LOOK: &str = "\
SELECT CASE WHEN tombstone THEN -version ELSE version END, expires_at, handle FROM {table} \
WHERE handle IN (SELECT value FROM json_each($1))";

/// Inserts the new record twice: under the new handle, and under the old one, where it conflicts with the old row and
/// becomes an update that leaves the tombstone.
const REGENERATE: &str = "\
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
SELECT CASE twice.n WHEN 1 THEN $8 ELSE $1 END, $9, $10, $11, $11, $12, $13 \
FROM {table} AS old CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS twice \
WHERE old.handle = $1 AND old.version = $2 AND NOT EXISTS (SELECT 1 FROM {table} WHERE handle = $8) \
ON CONFLICT (handle) DO UPDATE SET version = $3, user_id = $4, expires_at = $5, sweep_at = MIN(sweep_at, $5), \
tombstone = $6, record = $7";

const SWEEP: &str = "\
DELETE FROM {table} WHERE expires_at <= $1 AND handle IN \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)";

const POSTPONE: &str = "\
UPDATE {table} SET sweep_at = expires_at WHERE expires_at > $1 AND handle IN \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)";

const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS {table} (
    handle TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    user_id TEXT,
    expires_at INTEGER NOT NULL,
    sweep_at INTEGER NOT NULL,
    tombstone INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS {table}_user_id ON {table} (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS {table}_sweep_at ON {table} (sweep_at);
";
