use sqlx::{
    Executor as _, MySql, MySqlConnection, MySqlPool,
    error::DatabaseError,
    mysql::{MySqlDatabaseError, MySqlPoolOptions},
};

use super::{
    common::sql_store,
    pool::{Driver, SqlxPool, driver, into_error, pool_options},
    statements::LOAD,
    syntax::Syntax,
    table::SqlTable,
};
use crate::error::Error;

/// Keeps sessions in MariaDB (10.6 or newer) or MySQL (8.0 or newer): for applications on several machines, or that
/// already use it.
///
/// ```no_run
/// use wiz_session::{Key, WizSessionLayer, store::MySqlStore};
///
/// # async fn f() -> Result<(), wiz_session::Error> {
/// let store = MySqlStore::connect("mysql://app@localhost/app").await?;
/// store.migrate().await?;
/// let layer = WizSessionLayer::new(store, Key::generate());
/// # Ok(()) }
/// ```
///
/// For TLS add `sqlx` 0.9 to your dependencies with the feature `tls-rustls` or `tls-native-tls`. Run a
/// [`Sweeper`](crate::Sweeper) to delete expired sessions. The server's `max_allowed_packet` limits a session's size if
/// it is smaller than the layer's `max_bytes`. Clones share the connection pool. It takes Rust 1.94, which sqlx 0.9
/// needs.
///
/// The first use of a statement on a connection takes one more round trip to prepare it. sqlx adds a ping, after the
/// answer, to every use of a connection. Its MySQL driver is not cancel-safe: if a client disconnects while a statement
/// is in flight, the connection is closed, and the pool opens another when it needs one.
///
/// # Durability
///
/// What was answered survives a crash of the server with `innodb_flush_log_at_trx_commit=1`, its default. Turn the binary
/// log on too (`log_bin`, with `sync_binlog=1`), which is the default of MySQL and not of MariaDB. Without it other
/// connections see a commit before it is on disk ([MySQL bug 74303](https://bugs.mysql.com/bug.php?id=74303)), and a crash
/// at that moment takes it back: a session that another request found ended is there again, and a commit whose answer was
/// lost, and which the look-up found, is lost.
///
#[doc = include_str!("table.md")]
#[derive(Clone)]
pub struct MySqlStore {
    table: SqlTable<SqlxPool<MySql>>,
}

/// Connecting.
impl MySqlStore {
    /// Connects to the database at an address such as `mysql://user:password@host/database`, with the settings of
    /// [`pool_options`](Self::pool_options).
    ///
    /// # Errors
    /// [`Error::is_store`], if the address is invalid, or the server refuses or does not answer within three seconds.
    ///
    /// # Cancel safety
    /// Dropped midway, it closes what it has opened.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), wiz_session::Error> {
    /// let store = wiz_session::MySqlStore::connect("mysql://app@localhost/app").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let pool = Self::pool_options().connect(url).await;
        pool.map(Self::from_pool).map_err(into_error)
    }

    /// Uses a pool of [sqlx](crate::store::sqlx) 0.9, which the rest of the application may share. For the table see
    /// [`migrate`](Self::migrate).
    ///
    /// The pool decides how long to wait for a connection, and whether to ping it before use, which costs every
    /// statement another round trip. sqlx's defaults are 30 seconds and a ping. The settings of the store's own pools
    /// are [`pool_options`](Self::pool_options). A pool with `autocommit` off is refused at its first write, of which
    /// nothing would be kept.
    ///
    /// ```no_run
    /// use wiz_session::store::MySqlStore;
    ///
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = MySqlStore::pool_options().max_connections(40).connect("mysql://app@localhost/app").await?;
    /// let store = MySqlStore::from_pool(pool).with_table("app_sessions")?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn from_pool(pool: MySqlPool) -> Self {
        Self {
            table: SqlTable::new(SqlxPool::new(pool)),
        }
    }

    /// The connection pool.
    ///
    /// ```no_run
    /// # async fn f(store: wiz_session::MySqlStore) {
    /// store.pool().close().await;
    /// # }
    /// ```
    #[must_use]
    pub fn pool(&self) -> &MySqlPool {
        self.table.executor().pool()
    }

    /// The settings of the pool that [`connect`](Self::connect) opens: up to ten connections with `autocommit` on, three
    /// seconds to wait for one, and a ping before use if it was idle for a second.
    ///
    /// ```
    /// let settings = wiz_session::MySqlStore::pool_options().max_connections(40);
    /// ```
    #[must_use]
    pub fn pool_options() -> MySqlPoolOptions {
        pool_options()
            .max_connections(10)
            .after_connect(|connection: &mut MySqlConnection, _| {
                Box::pin(async move { connection.execute("SET autocommit = 1").await.map(drop) })
            })
    }
}

sql_store!(MySqlStore);

impl Driver for MySql {
    const SYNTAX: Syntax = SYNTAX;

    /// sqlx's MySQL driver is not cancel-safe: dropped between a packet's length and its body it loses synchronisation,
    /// and the next query could read another session's record.
    const CANCEL_SAFE: bool = false;

    /// Without it each write is undone when its connection closes, or the pool hands it on.
    const REQUIRED: Option<(&'static str, &'static str)> = Some((
        "SELECT @@autocommit",
        "turn `autocommit` on for the pool's connections, or no write is kept",
    ));

    driver!();

    fn is_duplicate_key(error: &dyn DatabaseError) -> bool {
        [DUPLICATE_ENTRY, OUT_OF_RANGE].contains(&number(error))
    }

    fn is_rolled_back(error: &dyn DatabaseError) -> bool {
        [DEADLOCK, RECORD_CHANGED].contains(&number(error))
    }

    fn is_denied(error: &dyn DatabaseError) -> bool {
        [DATABASE_DENIED, TABLE_DENIED].contains(&number(error))
    }
}

pub(super) const SYNTAX: Syntax = Syntax {
    numbered: false,
    least: "LEAST",
    no_wait: "",
    load: LOAD,
    replace_several: "",
    look: LOOK,
    delete: "{delete}",
    delete_user: "{delete_user}",
    regenerate: REGENERATE,
    sweep: SWEEP,
    sweep_batch: u64::MAX,
    postpone: POSTPONE,
    schema: SCHEMA,
    #[cfg(feature = "flask")]
    casts: ["CHAR", "SIGNED", "DATETIME(6)"],
};

/// A join, which begins with what is asked for, as a subquery would be run for each row of the table. In the column's own
/// character set, or its index would not be used.
const LOOK: &str = "\
SELECT CASE WHEN tombstone THEN -version ELSE version END, expires_at, {table}.handle \
FROM JSON_TABLE($1, '$[*]' COLUMNS (handle CHAR(32) PATH '$')) AS asked \
STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.handle = CONVERT(asked.handle USING ascii) COLLATE ascii_bin";

fn number(error: &dyn DatabaseError) -> u16 {
    error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number)
}

const DATABASE_DENIED: u16 = 1044;
const TABLE_DENIED: u16 = 1142;
const RECORD_CHANGED: u16 = 1020;
const DUPLICATE_ENTRY: u16 = 1062;
const DEADLOCK: u16 = 1213;
const OUT_OF_RANGE: u16 = 1690;

/// Inserts the new record twice: under the new handle, and under the old one, where it conflicts with the old row and
/// becomes an update that leaves the tombstone. If the new handle is in use, the first row conflicts too; its update
/// overflows `version`, and [`OUT_OF_RANGE`] fails the whole statement.
const REGENERATE: &str = "\
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
SELECT CASE twice.n WHEN 1 THEN $8 ELSE $1 END, $9, $10, $11, $11, $12, $13 \
FROM {table} AS old CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS twice \
WHERE old.handle = $1 AND old.version = $2 FOR UPDATE \
ON DUPLICATE KEY UPDATE \
version = CASE {table}.handle WHEN $1 THEN $3 ELSE {table}.version + 9223372036854775807 END, \
user_id = $4, expires_at = $5, sweep_at = LEAST({table}.sweep_at, $5), tombstone = $6, record = $7";

/// A join, as MariaDB would run a subquery again for every row. `STRAIGHT_JOIN` begins with the due rows, as a scan of
/// the table would wait for every row that is locked.
const SWEEP: &str = "\
DELETE {table} FROM \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due \
STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.handle = due.handle WHERE expires_at <= $1";

const POSTPONE: &str = "\
UPDATE \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due \
STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.handle = due.handle SET sweep_at = expires_at WHERE expires_at > $1";

/// `user_id` is binary: no collation that MySQL and MariaDB share tells `alice` from `alice ` with a trailing space.
const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS {table} (
    handle CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id VARBINARY(255),
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    tombstone BOOLEAN NOT NULL,
    record LONGTEXT NOT NULL,
    INDEX {table}_user_id (user_id),
    INDEX {table}_sweep_at (sweep_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4
";
