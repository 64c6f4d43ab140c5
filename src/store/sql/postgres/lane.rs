use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use parking_lot::Mutex;
use tokio::{
    task::AbortHandle,
    time::{sleep, timeout},
};
use tokio_postgres::Error as DriverError;

use super::{
    connection::{Connection, Patience},
    connector::{Connector, OPEN_TIMEOUT},
    failure::{CLOSED, READ_ONLY, Refusal},
    statement::{Abandoned, Progress, Running},
};
use crate::id::Handle;

/// A place for one connection: opened by its first caller, and opened anew by the next one after it broke.
pub(super) struct Lane {
    connector: Connector,
    patience: Patience,
    state: Mutex<State>,
    asked: AtomicUsize,
    /// A load of such a session is to be asked here, and so is run after the change.
    pub(super) abandoned: Abandoned,
}

enum State {
    Closed,
    /// All who come meanwhile wait for the one attempt.
    Opening(Attempt),
    Open(Arc<Connection>),
}

type Attempt = Shared<BoxFuture<'static, Result<Arc<Connection>, Refusal>>>;

impl Lane {
    pub(super) fn new(connector: Connector, patience: Patience) -> Self {
        Self {
            connector,
            patience,
            state: Mutex::new(State::Closed),
            asked: AtomicUsize::new(0),
            abandoned: Abandoned::default(),
        }
    }

    /// How many statements have been asked here and not been answered.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }

    /// Runs a statement, when those before it have been answered. A task does it, so that a future that is not polled
    /// blocks no other request. A future that is dropped takes back a statement that has not been sent; one that has been,
    /// and changes a session, is abandoned.
    pub(super) async fn run<T, F>(
        self: &Arc<Self>,
        progress: Arc<Progress>,
        changes: Option<Handle>,
        statement: impl FnOnce(Arc<Connection>) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, DriverError>> + Send,
        T: Send + 'static,
    {
        let (asked, running) = (Queued::new(self), Running(Arc::clone(&progress)));
        let task = tokio::spawn(async move {
            let (lane, running) = (&asked.0, running);
            let connection = lane.connection().await?;
            let _turn = connection.turn().await?;
            if !running.0.begin() {
                return Err(Refusal::lost(CLOSED));
            }
            let answer = connection.answer(statement(Arc::clone(&connection))).await;
            if let Err(refusal) = &answer
                && refusal.code() == Some(READ_ONLY)
                && lane.connector.wants_primary
            {
                // It was the primary when it was connected to.
                lane.leave(&connection);
            }
            answer
        });
        let _caller = Caller {
            lane: self,
            task: task.abort_handle(),
            progress,
            changes,
        };
        task.await.unwrap_or_else(|_| Err(Refusal::lost(CLOSED)))
    }

    /// The connection, once it is open.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, Refusal> {
        let since = Instant::now();
        loop {
            let (attempt, is_own) = match self.open_or_attempt() {
                Ok(connection) => return Ok(connection),
                Err(attempt) => attempt,
            };
            let opened = attempt.clone().await;
            self.settle(&attempt, &opened);
            match opened {
                Ok(connection) if !connection.is_closed() => return Ok(connection),
                // It closed before it was used.
                Ok(_) if since.elapsed() < OPEN_TIMEOUT => {}
                Ok(_) => return Err(Refusal::lost(CLOSED)),
                // An earlier caller's attempt, near its end: the server may be there by now.
                Err(refusal)
                    if refusal.may_pass && !is_own && since.elapsed() < OPEN_TIMEOUT / 3 => {}
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Lets go of a connection, unless that has been done.
    fn leave(&self, connection: &Arc<Connection>) {
        let mut state = self.state.lock();
        if matches!(&*state, State::Open(current) if Arc::ptr_eq(current, connection)) {
            *state = State::Closed;
        }
    }

    pub(super) async fn close(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Closed);
        if let State::Open(connection) = state {
            connection.close().await;
        }
    }

    /// The connection, or the attempt to open one and whether it was begun just now.
    fn open_or_attempt(&self) -> Result<Arc<Connection>, (Attempt, bool)> {
        let mut state = self.state.lock();
        match &*state {
            State::Open(connection) if !connection.is_closed() => Ok(Arc::clone(connection)),
            // A failed attempt without callers is out of date.
            State::Opening(attempt) if !matches!(attempt.peek(), Some(Err(_))) => {
                Err((attempt.clone(), false))
            }
            _ => {
                let attempt = self.attempt();
                *state = State::Opening(attempt.clone());
                Err((attempt, true))
            }
        }
    }

    fn settle(&self, attempt: &Attempt, opened: &Result<Arc<Connection>, Refusal>) {
        let mut state = self.state.lock();
        if matches!(&*state, State::Opening(current) if current.ptr_eq(attempt)) {
            *state = match opened {
                Ok(connection) => State::Open(Arc::clone(connection)),
                Err(_) => State::Closed,
            };
        }
    }

    /// A task, so that it goes on when its first caller goes away.
    fn attempt(&self) -> Attempt {
        let task = tokio::spawn(open(self.connector.clone(), self.patience.clone()));
        let opened = async move { task.await.unwrap_or_else(|_| Err(Refusal::lost(CLOSED))) };
        opened.boxed().shared()
    }
}

/// Counts a statement until it has been answered.
struct Queued(Arc<Lane>);

impl Queued {
    fn new(lane: &Arc<Lane>) -> Self {
        lane.asked.fetch_add(1, Relaxed);
        Self(Arc::clone(lane))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Relaxed);
    }
}

/// Waits for an answer.
struct Caller<'a> {
    lane: &'a Lane,
    task: AbortHandle,
    progress: Arc<Progress>,
    changes: Option<Handle>,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if self.progress.take_back() {
            self.task.abort();
        } else if let Some(session) = self.changes {
            self.lane.abandoned.add(session, &self.progress);
        }
    }
}

/// Retries for a while: a server that is starting, or has no connection to spare, may accept one soon.
async fn open(connector: Connector, patience: Patience) -> Result<Arc<Connection>, Refusal> {
    let (since, mut pause) = (Instant::now(), Duration::from_millis(20));
    let mut last = None;
    loop {
        let left = OPEN_TIMEOUT.saturating_sub(since.elapsed());
        let refusal = match timeout(left, connector.open()).await {
            Ok(Ok(opened)) => return Ok(Connection::start(opened, patience)),
            Ok(Err(refusal)) => refusal,
            Err(_) => return Err(last.unwrap_or_else(Refusal::timed_out)),
        };
        if !refusal.may_pass || since.elapsed() + pause >= OPEN_TIMEOUT {
            return Err(refusal);
        }
        last = Some(refusal);
        sleep(pause).await;
        pause = (2 * pause).min(Duration::from_millis(300));
    }
}
