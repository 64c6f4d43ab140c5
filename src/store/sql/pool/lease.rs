use std::time::Duration;

use sqlx::{
    Connection, Database, Error, Pool,
    pool::{PoolConnection, PoolOptions},
};
use tokio::time::timeout;

/// A pooled connection, leased for one statement.
///
/// When a connection returns to its pool, sqlx reads what is left of an answer whose future was dropped, then pings.
/// A frozen or unreachable server answers neither, and the pool would be one connection short until TCP gives up after
/// a quarter of an hour. So a connection that does not return within [`PING_TIMEOUT`] is dropped.
///
/// A driver that is not cancel-safe cannot read the rest of an answer. A lease that is dropped while a statement is in
/// flight then closes its connection.
pub(crate) struct Lease<DB: Database> {
    /// `None` once `drop` has taken it.
    connection: Option<PoolConnection<DB>>,
    cancel_safe: bool,
    /// Whether a statement may have been sent whose answer has not been read.
    in_flight: bool,
}

/// Long enough for any ping, unless the server is overloaded or unreachable.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

impl<DB: Database> Lease<DB> {
    /// `cancel_safe` is [`Driver::CANCEL_SAFE`](super::driver::Driver::CANCEL_SAFE).
    pub(crate) async fn acquire(pool: &Pool<DB>, cancel_safe: bool) -> Result<Self, Error> {
        let connection = pool.acquire().await?;
        Ok(Self {
            connection: Some(connection),
            cancel_safe,
            in_flight: true,
        })
    }

    pub(crate) fn connection(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("only `drop` takes it")
    }

    /// The statement has been answered, with rows or an error: nothing is in flight any more.
    pub(crate) fn finish(mut self) {
        self.in_flight = false;
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if self.in_flight && !self.cancel_safe {
            return connection.close_on_drop();
        }
        tokio::spawn(timeout(PING_TIMEOUT, connection.return_to_pool()));
    }
}

/// The settings of the pools that the stores open.
///
/// A connection that was idle for a while is pinged before use, as the server may have restarted meanwhile. One that
/// was in use a moment ago is not, which saves a round trip under load.
pub(crate) fn pool_options<DB: Database>() -> PoolOptions<DB> {
    PoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection: &mut DB::Connection, meta| {
            Box::pin(async move {
                if meta.idle_for < PING_TIMEOUT {
                    return Ok(true);
                }
                match timeout(PING_TIMEOUT, connection.ping()).await {
                    Ok(answer) => answer.map(|()| true),
                    // For `Ok(false)` sqlx would close the connection gracefully and wait for the silent server; on an
                    // error it drops the connection.
                    Err(_) => Err(Error::Io(std::io::ErrorKind::TimedOut.into())),
                }
            })
        })
}

/// Below a layer's `store_timeout`, so that the log tells an exhausted pool from a slow statement.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
