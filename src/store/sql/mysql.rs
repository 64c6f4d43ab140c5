use sqlx::{
    MySql,
    error::DatabaseError,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions},
};

use super::{
    SqlStore,
    dialect::{Dialect, Syntax, driver},
    failure, lease,
};
use crate::error::Error;

/// Keeps sessions in MariaDB (10.6 or newer) or MySQL (8.0 or newer): for applications on several machines, or whose
/// database it is already.
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
/// For TLS add `sqlx` to your dependencies with the feature `tls-rustls` or `tls-native-tls`. Run a
/// [`Sweeper`](crate::Sweeper) to delete what has expired. The server's `max_allowed_packet` bounds a session's size
/// where it is less than the layer's `max_bytes`.
///
/// The table and the round trips are described at [`SqlStore`]. sqlx adds a ping, after the answer, to every use of a
/// connection. One whose answer nobody waits for any more, as the client went away, is closed, and opened anew when it
/// is needed.
pub type MySqlStore = SqlStore<MySql>;

impl SqlStore<MySql> {
    /// Connects to the server at this address, with up to ten connections.
    ///
    /// # Errors
    /// [`Error::is_store`], if the address makes no sense, or the server refuses or does not answer within three seconds.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let options: MySqlConnectOptions = url.parse().map_err(failure::of)?;
        let pool = Self::pool_options()
            .connect_with(options)
            .await
            .map_err(failure::of)?;
        Ok(Self::from_pool(pool))
    }

    /// The settings of the pool that [`connect`](Self::connect) opens: it waits three seconds for a connection, and
    /// tests one that was idle for a second.
    #[must_use]
    pub fn pool_options() -> MySqlPoolOptions {
        lease::pool_options()
    }
}

impl Dialect for MySql {
    const SYNTAX: Syntax = Syntax {
        numbered: false,
        least: "LEAST",
        regenerate: REGENERATE,
        sweep: SWEEP,
        postpone: POSTPONE,
        schema: SCHEMA,
    };

    /// It loses its place between the length of a packet and the packet: what it took for the next answer would be
    /// somebody's record.
    const READS_ON: bool = false;

    driver!();

    fn is_taken(error: &dyn DatabaseError) -> bool {
        [DUPLICATE_ENTRY, OUT_OF_RANGE].contains(&number(error))
    }

    fn is_victim(error: &dyn DatabaseError) -> bool {
        [DEADLOCK, RECORD_CHANGED].contains(&number(error))
    }
}

fn number(error: &dyn DatabaseError) -> u16 {
    error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number)
}

const RECORD_CHANGED: u16 = 1020;
const DUPLICATE_ENTRY: u16 = 1062;
const DEADLOCK: u16 = 1213;
const OUT_OF_RANGE: u16 = 1690;

/// Two rows of the new record, of which the second has the old handle: that one meets the old record, and becomes
/// the update of it. If the new handle is in use, the first one meets a record too: then no version fits, which fails
/// the whole statement.
const REGENERATE: &str = "\
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
SELECT CASE twice.n WHEN 1 THEN $8 ELSE $1 END, $9, $10, $11, $11, $12, $13 \
FROM {table} AS old CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) AS twice \
WHERE old.handle = $1 AND old.version = $2 FOR UPDATE \
ON DUPLICATE KEY UPDATE \
version = CASE {table}.handle WHEN $1 THEN $3 ELSE {table}.version + 9223372036854775807 END, \
user_id = $4, expires_at = $5, sweep_at = LEAST({table}.sweep_at, $5), tombstone = $6, record = $7";

/// A join, as MariaDB would look a subquery up again for every record; and in this order, as a look through all records
/// would wait for each that somebody has locked.
const SWEEP: &str = "\
DELETE {table} FROM \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due \
STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.handle = due.handle WHERE expires_at <= $1";

const POSTPONE: &str = "\
UPDATE \
(SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due \
STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.handle = due.handle SET sweep_at = expires_at WHERE expires_at > $1";

/// Bytes, as no collation that MySQL and MariaDB share tells `alice` from `alice ` with a space.
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
