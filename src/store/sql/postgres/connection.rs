use std::{
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::{ready, select},
};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error as DriverError, Row};

use super::{connector::Opened, parameters::Parameter};

/// An open connection, used by all its callers at once: each statement is sent at once, and they are answered in turn.
///
/// A caller that is dropped leaves the connection fit: its answer is read and thrown away. A caller that panics drops.
pub(super) struct Connection {
    client: Client,
    traffic: Arc<Traffic>,
    driver: Mutex<Option<JoinHandle<()>>>,
}

/// Counters for the watchdog.
#[derive(Default)]
struct Traffic {
    sent: AtomicUsize,
    answered: AtomicUsize,
    waiting: AtomicUsize,
}

/// How long a connection may be silent.
#[derive(Clone)]
pub(super) struct Patience {
    /// In [`TICK`]s.
    ticks: u32,
    /// How many connections were given up in a row without an answer. A server that accepts connections but answers no
    /// statement may be waiting for a lock, such as that of an `ALTER TABLE`: retries back off, so that connections do
    /// not pile up there.
    given_up: Arc<AtomicU32>,
}

const TICK: Duration = Duration::from_millis(500);

/// Silence after which the server is asked for a sign of life, and after which a connection is given up.
const PROBE_AT: u32 = 2;
pub(super) const GIVE_UP_AT: u32 = 5;

impl Patience {
    pub(super) fn new(ticks: u32) -> Self {
        Self {
            ticks,
            given_up: Arc::default(),
        }
    }

    fn limit(&self) -> u32 {
        self.ticks << self.given_up.load(Relaxed).min(4)
    }
}

impl Connection {
    /// Begins to drive it.
    pub(super) fn start(Opened { client, driver }: Opened, patience: Patience) -> Arc<Self> {
        let connection = Arc::new(Self {
            client,
            traffic: Arc::default(),
            driver: Mutex::default(),
        });
        let watched = watch(
            Arc::downgrade(&connection),
            Arc::clone(&connection.traffic),
            patience,
        );
        let task = tokio::spawn(async move {
            // The first to end drops the other: the socket is closed, and waiting callers get an error. Notifications
            // are ignored on this connection.
            let driver = driver.for_each(|_| ready(()));
            select(driver, pin!(watched)).await;
        });
        *connection.driver.lock() = Some(task);
        connection
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) async fn execute(
        &self,
        sql: &str,
        values: &[Parameter<'_>],
    ) -> Result<u64, DriverError> {
        let call = self.traffic.call();
        let changed = self.client.execute_typed(sql, values).await;
        call.answered(&changed);
        changed
    }

    pub(super) async fn fetch(
        &self,
        sql: &str,
        values: &[Parameter<'_>],
    ) -> Result<Vec<Row>, DriverError> {
        let call = self.traffic.call();
        let rows = self.client.query_typed(sql, values).await;
        call.answered(&rows);
        rows
    }

    pub(super) async fn run_script(&self, sql: &str) -> Result<(), DriverError> {
        let call = self.traffic.call();
        let done = self.client.batch_execute(sql).await;
        call.answered(&done);
        done
    }

    /// Says goodbye to the server, once what is in flight has been answered.
    pub(super) async fn close(self: Arc<Self>) {
        let driver = self.driver.lock().take();
        drop(self);
        if let Some(driver) = driver {
            // It fails if the runtime ends, which closes the connection too.
            let _ = tokio::time::timeout(Duration::from_secs(1), driver).await;
        }
    }
}

impl Traffic {
    fn call(&self) -> Call<'_> {
        self.sent.fetch_add(1, Relaxed);
        self.waiting.fetch_add(1, Relaxed);
        Call(self)
    }
}

/// A caller who waits.
struct Call<'a>(&'a Traffic);

impl Call<'_> {
    /// An error is an answer too, unless it is the connection's end.
    fn answered<T>(&self, answer: &Result<T, DriverError>) {
        if answer.as_ref().err().is_none_or(|error| !error.is_closed()) {
            self.0.answered.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// Returns when something has been in flight for too long while nothing was answered: the server is frozen, or the
/// network gone without a word.
///
/// Of callers who went away it is not known whether they were answered. So after a while of silence it asks for a sign
/// of life itself, in the same line.
async fn watch(connection: Weak<Connection>, traffic: Arc<Traffic>, patience: Patience) {
    let (mut sent, mut answered, mut silent) = (0, 0, 0);
    loop {
        tokio::time::sleep(TICK).await;
        let now_answered = traffic.answered.load(Relaxed);
        let now_sent = traffic.sent.load(Relaxed);
        if now_answered != answered {
            silent = 0;
            patience.given_up.store(0, Relaxed);
        } else if silent > 0 || now_sent != sent || traffic.waiting.load(Relaxed) > 0 {
            silent += 1;
        }
        (sent, answered) = (now_sent, now_answered);
        if silent == PROBE_AT {
            if let Some(connection) = connection.upgrade() {
                // Not waited for here: its answer counts as traffic.
                tokio::spawn(async move { connection.run_script("").await });
            }
        } else if silent >= patience.limit() {
            patience.given_up.fetch_add(1, Relaxed);
            return;
        }
    }
}
