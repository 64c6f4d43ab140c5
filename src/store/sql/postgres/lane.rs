use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use super::{
    connection::{Connection, Patience},
    connector::{Connector, OPEN_TIMEOUT},
    failure::Refusal,
};

/// A place for one connection: opened by its first caller, and opened anew by the next one after it broke.
pub(super) struct Lane {
    connector: Connector,
    patience: Patience,
    state: Mutex<State>,
    in_flight: AtomicUsize,
    /// How many callers went away before they were answered, and how many of them when the last statement that has been
    /// answered was sent.
    abandoned: AtomicUsize,
    settled: AtomicUsize,
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
            in_flight: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            settled: AtomicUsize::new(0),
        }
    }

    /// How many statements wait here for their answers.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Whether a statement whose caller went away may still take effect. One that is sent now is run after it.
    pub(super) fn may_have_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed) > self.settled.load(Relaxed)
    }

    /// Counts a statement that is about to be sent, until it is answered or its caller goes away.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight {
            lane: self,
            abandoned_before: self.abandoned.load(Relaxed),
            is_answered: false,
        }
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
                Ok(_) => {}
                // An earlier caller's attempt, near its end: the server may be there by now.
                Err(refusal)
                    if refusal.may_pass && !is_own && since.elapsed() < OPEN_TIMEOUT / 3 => {}
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Lets go of a connection, unless that has been done.
    pub(super) fn leave(&self, connection: &Arc<Connection>) {
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
        let opened = async move { task.await.unwrap_or_else(|_| Err(Refusal::abandoned())) };
        opened.boxed().shared()
    }
}

pub(super) struct InFlight<'a> {
    lane: &'a Lane,
    abandoned_before: usize,
    is_answered: bool,
}

impl InFlight<'_> {
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.lane.in_flight.fetch_sub(1, Relaxed);
        match self.is_answered {
            true => drop(self.lane.settled.fetch_max(self.abandoned_before, Relaxed)),
            false => drop(self.lane.abandoned.fetch_add(1, Relaxed)),
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
