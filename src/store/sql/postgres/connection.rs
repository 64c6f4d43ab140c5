use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, future::ready};
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
use tokio_postgres::{Client, Error as DriverError, Row, RowStream};

use super::{
    connector::Opened,
    failure::{CLOSED, Refusal},
    parameters::Parameter,
};

/// An open connection, used by all its callers in turn: a statement is sent when the one before it has been answered.
///
/// The driver would send them one behind the other, and so spare a round trip. But poolers in transaction mode lose the
/// thread then: PgBouncer before 1.21 hands the server to another client when a statement has been answered, though the
/// next one has been sent in part ([759](https://github.com/pgbouncer/pgbouncer/issues/759)), and Supavisor drops its
/// answer ([1061](https://github.com/supabase/supavisor/issues/1061)).
pub(super) struct Connection {
    client: Client,
    /// Closed when the connection is given up, or closed by us.
    turn: Semaphore,
    patience: Patience,
    driver: AbortHandle,
    end: Mutex<Option<JoinHandle<()>>>,
}

/// How long an answer may take: twice as long for each connection that was given up, sixteen times at the most.
#[derive(Clone)]
pub(super) struct Patience {
    first: Duration,
    /// In a row, without an answer. A server that accepts connections but answers no statement may be waiting for a lock,
    /// such as that of an `ALTER TABLE`: retries back off, so that connections do not pile up there.
    given_up: Arc<AtomicU32>,
}

impl Patience {
    pub(super) fn new(first: Duration) -> Self {
        Self {
            first,
            given_up: Arc::default(),
        }
    }

    fn limit(&self) -> Duration {
        self.first * (1 << self.given_up.load(Relaxed).min(4))
    }
}

impl Connection {
    /// Begins to drive it.
    pub(super) fn start(Opened { client, driver }: Opened, patience: Patience) -> Arc<Self> {
        // Notifications are ignored on this connection.
        let end = tokio::spawn(driver.for_each(|_| ready(())));
        Arc::new(Self {
            client,
            turn: Semaphore::new(1),
            patience,
            driver: end.abort_handle(),
            end: Mutex::new(Some(end)),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.turn.is_closed()
    }

    /// Waits until what was asked before has been answered.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let turn = self.turn.acquire().await;
        turn.map_err(|_| Refusal::lost(CLOSED))
    }

    /// What a statement answers. If that takes too long the server is frozen, or the network gone without a word: the
    /// connection is given up, and all who wait for a turn on it.
    pub(super) async fn answer<T>(
        &self,
        statement: impl Future<Output = Result<T, DriverError>>,
    ) -> Result<T, Refusal> {
        let mut unanswered = Unanswered(Some(self));
        let (mut statement, part) = (pin!(statement), self.patience.limit() / PARTS);
        for _ in 0..PARTS {
            let Ok(answer) = timeout(part, statement.as_mut()).await else {
                continue;
            };
            unanswered.0 = None;
            // A refusal is an answer too.
            if answer.as_ref().err().is_none_or(|error| !error.is_closed()) {
                self.patience.given_up.store(0, Relaxed);
            }
            return Ok(answer?);
        }
        self.patience.given_up.fetch_add(1, Relaxed);
        Err(Refusal::lost("the server does not answer"))
    }

    /// How many rows were changed.
    pub(super) async fn execute(
        &self,
        sql: &str,
        values: &[Parameter<'_>],
    ) -> Result<u64, DriverError> {
        let mut answer = pin!(self.send(sql, values).await?);
        whole(answer.as_mut()).await?;
        Ok(answer.rows_affected().unwrap_or_default())
    }

    pub(super) async fn fetch(
        &self,
        sql: &str,
        values: &[Parameter<'_>],
    ) -> Result<Vec<Row>, DriverError> {
        whole(pin!(self.send(sql, values).await?)).await
    }

    pub(super) async fn run_script(&self, sql: &str) -> Result<(), DriverError> {
        let answer = pin!(self.client.simple_query_raw(sql).await?);
        whole(answer).await.map(drop)
    }

    /// Says goodbye to the server, once what was asked has been answered. If that takes a second, it is left to the last
    /// who is answered.
    pub(super) async fn close(self: Arc<Self>) {
        let (driver, end) = (self.driver.clone(), self.end.lock().take());
        let Ok(turn) = timeout(CLOSE_TIMEOUT, self.turn.acquire()).await else {
            return;
        };
        self.turn.close();
        drop(turn);
        drop(self);
        // It fails if the runtime ends, which closes the connection too.
        if let Some(end) = end
            && timeout(CLOSE_TIMEOUT, end).await.is_err()
        {
            driver.abort();
        }
    }

    async fn send(&self, sql: &str, values: &[Parameter<'_>]) -> Result<RowStream, DriverError> {
        let values = values.iter().map(|(value, ty)| (*value, ty.clone()));
        let answer = self.client.query_typed_raw(sql, values).await;
        if answer
            .as_ref()
            .is_err_and(|error| error.as_db_error().is_some())
        {
            // It was refused before it began to run. The driver does not tell when that answer ends, but this one is
            // after it.
            let _ = self.client.batch_execute("").await;
        }
        answer
    }
}

/// In so many parts an answer is waited for. If this process was stopped, one is over before what has come is read.
const PARTS: u32 = 5;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A statement whose answer has not been read. Dropped, it closes the connection: the next answer on it would be this one.
struct Unanswered<'a>(Option<&'a Connection>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.turn.close();
            connection.driver.abort();
        }
    }
}

/// All of an answer, to the end, which comes after a refusal too.
async fn whole<T>(
    mut answer: Pin<&mut impl Stream<Item = Result<T, DriverError>>>,
) -> Result<Vec<T>, DriverError> {
    let parts = answer.by_ref().try_collect().await;
    if parts
        .as_ref()
        .is_err_and(|error: &DriverError| error.as_db_error().is_some())
    {
        let _end = answer.next().await;
    }
    parts
}
