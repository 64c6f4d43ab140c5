use std::{io, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use redis::{
    Cmd, Pipeline, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::{sync::oneshot, task::yield_now, time::timeout};

/// A connection to one server, over which commands that are there at once leave together.
///
/// By itself the `redis` crate's connection makes a system call for nearly each, which costs more than what the server
/// does. Here the first to wait starts a task that lets all others run which can, and then takes along what these want
/// to send, unless that has become enough to leave before. Nobody waits for time to pass.
#[derive(Clone)]
pub(super) struct Batched {
    connection: MultiplexedConnection,
    waiting: Arc<Waiting>,
    limit: Duration,
}

/// How many leave together. Where all do, the server has nothing to do while they are made, nor the application while
/// they are answered.
const MOST: usize = 16;

/// Commands that leave next.
#[derive(Default)]
struct Waiting(Mutex<Vec<Sent>>);

/// Where a command stands among those that wait.
enum Place {
    First,
    Between,
    /// This many leave now.
    Last(Vec<Sent>),
}

struct Sent {
    command: Cmd,
    answer: oneshot::Sender<RedisResult<Value>>,
}

impl Batched {
    /// Fails what takes longer than the limit.
    pub(super) fn over(connection: MultiplexedConnection, limit: Duration) -> Self {
        Self {
            connection,
            waiting: Arc::default(),
            limit,
        }
    }

    pub(super) async fn ask(&self, command: Cmd) -> RedisResult<Value> {
        let (answer, answered) = oneshot::channel();
        match self.waiting.push(Sent { command, answer }) {
            Place::First => {
                let boarding = Boarding(Some(Arc::clone(&self.waiting)));
                let connection = self.connection.clone();
                tokio::spawn(async move { leave(boarding.end().await, connection).await });
            }
            Place::Last(batch) => drop(tokio::spawn(leave(batch, self.connection.clone()))),
            Place::Between => {}
        }
        match timeout(self.limit, answered).await {
            Ok(Ok(answer)) => answer,
            // The runtime that the task was on has ended.
            Ok(Err(_)) => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            // Or nobody runs it any more.
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// The connection itself, for what leaves by itself.
    pub(super) fn alone(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

async fn leave(mut batch: Vec<Sent>, mut connection: MultiplexedConnection) {
    // Who stopped waiting before anything was sent wants nothing done.
    batch.retain(|sent| !sent.answer.is_closed());
    let mut commands = Pipeline::with_capacity(batch.len());
    let mut answers = Vec::with_capacity(batch.len());
    for Sent { command, answer } in batch {
        commands.add_command(command);
        answers.push(answer);
    }
    if answers.is_empty() {
        return;
    }
    let values = connection.req_packed_commands(&commands, 0, answers.len());
    let values = match values.await {
        Ok(values) => values.into_iter().map(Value::extract_error).collect(),
        Err(error) => vec![Err(error); answers.len()],
    };
    for (answer, value) in answers.into_iter().zip(values) {
        // Whoever asked may have stopped waiting.
        let _ = answer.send(value);
    }
}

impl Waiting {
    fn push(&self, sent: Sent) -> Place {
        let mut waiting = self.0.lock();
        waiting.push(sent);
        match waiting.len() {
            1 => Place::First,
            len if len >= MOST => Place::Last(mem::take(&mut waiting)),
            _ => Place::Between,
        }
    }

    fn take(&self) -> Vec<Sent> {
        mem::take(&mut self.0.lock())
    }
}

/// The time until a batch leaves. If that is cut short, by the end of a runtime, nobody is left waiting.
struct Boarding(Option<Arc<Waiting>>);

impl Boarding {
    async fn end(mut self) -> Vec<Sent> {
        yield_now().await;
        self.0
            .take()
            .map_or_else(Vec::new, |waiting| waiting.take())
    }
}

impl Drop for Boarding {
    fn drop(&mut self) {
        if let Some(waiting) = &self.0 {
            drop(waiting.take());
        }
    }
}
