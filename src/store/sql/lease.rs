use std::time::Duration;

use sqlx::{
    Connection, Database, Error, Pool,
    pool::{PoolConnection, PoolOptions},
};
use tokio::time::timeout;

use super::dialect::Dialect;

/// A pool's connection for one statement.
///
/// sqlx asks a connection that comes back for a sign of life, after it has read the rest of an answer whose future was
/// dropped. From a server that is frozen or out of reach none comes, and the pool would be short of that connection
/// until TCP gives up, a quarter of an hour later. So one that keeps us waiting then is dropped.
pub(super) struct Lease<DB: Dialect> {
    /// There until it goes back.
    connection: Option<PoolConnection<DB>>,
    waiting: bool,
}

/// Longer than a sign of life takes, unless the server is overloaded or out of reach.
const PATIENCE: Duration = Duration::from_secs(1);

impl<DB: Dialect> Lease<DB> {
    pub(super) async fn acquire(pool: &Pool<DB>) -> Result<Self, Error> {
        let connection = pool.acquire().await?;
        Ok(Self {
            connection: Some(connection),
            waiting: true,
        })
    }

    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("it goes back at the end")
    }

    /// The answer is here, good or bad.
    pub(super) fn give_back(mut self) {
        self.waiting = false;
    }
}

impl<DB: Dialect> Drop for Lease<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if self.waiting && !DB::READS_ON {
            return connection.close_on_drop();
        }
        tokio::spawn(timeout(PATIENCE, connection.return_to_pool()));
    }
}

/// The settings of the pools that the stores open.
///
/// A connection that was idle for a while is tried before it is used: its server may have gone and come back. One
/// that was just in use is not, which spares a round trip where requests are many.
pub(super) fn pool_options<DB: Database>() -> PoolOptions<DB> {
    PoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection: &mut DB::Connection, meta| {
            Box::pin(async move {
                if meta.idle_for < PATIENCE {
                    return Ok(true);
                }
                match timeout(PATIENCE, connection.ping()).await {
                    Ok(answer) => answer.map(|()| true),
                    // An error, so that sqlx drops the connection instead of taking leave of a server that is silent.
                    Err(_) => Err(Error::Io(std::io::ErrorKind::TimedOut.into())),
                }
            })
        })
}

/// Shorter than a layer's `store_timeout`, so that the log tells a pool in want of connections from a slow statement.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
