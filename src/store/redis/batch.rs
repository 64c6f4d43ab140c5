use std::{io, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use redis::{
    Cmd, Pipeline, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::{sync::oneshot, task::yield_now, time::timeout};

/// A connection to one server that pipelines concurrent commands, many to a system call.
///
/// By itself the `redis` crate's connection makes a system call for nearly each command, which costs more than the
/// server's work. Here the first command to be queued spawns a task, which yields once to let other ready tasks queue
/// theirs, and then flushes the queue. A queue that is full before that is flushed at once. No timer is involved.
#[derive(Clone)]
pub(super) struct BatchedConnection {
    connection: MultiplexedConnection,
    queue: Arc<Queue>,
    limit: Duration,
}

/// The limit keeps both sides busy: in one large batch the server would idle while the application encodes, and the
/// application while the server runs it.
const MAX_BATCH: usize = 16;

/// The commands of the next batch.
#[derive(Default)]
struct Queue(Mutex<Vec<Queued>>);

/// What the caller has to do after it queued a command.
enum Enqueued {
    /// The queue was empty: spawn a flush.
    First,
    /// A flush is on its way.
    Joined,
    /// The queue was full: flush this batch.
    Full(Vec<Queued>),
}

struct Queued {
    command: Cmd,
    reply: oneshot::Sender<RedisResult<Value>>,
}

impl BatchedConnection {
    /// A command that takes longer than the limit fails.
    pub(super) fn new(connection: MultiplexedConnection, limit: Duration) -> Self {
        Self {
            connection,
            queue: Arc::default(),
            limit,
        }
    }

    pub(super) async fn send(&self, command: Cmd) -> RedisResult<Value> {
        let (reply, replied) = oneshot::channel();
        match self.queue.push(Queued { command, reply }) {
            Enqueued::First => {
                let guard = FlushGuard(Some(Arc::clone(&self.queue)));
                let connection = self.connection.clone();
                tokio::spawn(async move { flush(guard.batch().await, connection).await });
            }
            Enqueued::Full(batch) => drop(tokio::spawn(flush(batch, self.connection.clone()))),
            Enqueued::Joined => {}
        }
        match timeout(self.limit, replied).await {
            Ok(Ok(reply)) => reply,
            // The task was dropped with its runtime.
            Ok(Err(_)) => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            // Its runtime may exist, and no thread drive it.
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// The connection without the queue, for pipelines of one's own.
    pub(super) fn raw(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

async fn flush(mut batch: Vec<Queued>, mut connection: MultiplexedConnection) {
    // A caller that was cancelled while its command was queued has sent nothing.
    batch.retain(|queued| !queued.reply.is_closed());
    let mut commands = Pipeline::with_capacity(batch.len());
    let mut replies = Vec::with_capacity(batch.len());
    for Queued { command, reply } in batch {
        commands.add_command(command);
        replies.push(reply);
    }
    if replies.is_empty() {
        return;
    }
    let values = connection.req_packed_commands(&commands, 0, replies.len());
    let values = match values.await {
        Ok(values) => values.into_iter().map(Value::extract_error).collect(),
        Err(error) => vec![Err(error); replies.len()],
    };
    for (reply, value) in replies.into_iter().zip(values) {
        // Its caller may have been cancelled.
        let _ = reply.send(value);
    }
}

impl Queue {
    fn push(&self, command: Queued) -> Enqueued {
        let mut queue = self.0.lock();
        queue.push(command);
        match queue.len() {
            1 => Enqueued::First,
            len if len >= MAX_BATCH => Enqueued::Full(mem::take(&mut queue)),
            _ => Enqueued::Joined,
        }
    }

    fn take(&self) -> Vec<Queued> {
        mem::take(&mut self.0.lock())
    }
}

/// The duty to flush a queue. If its task is dropped, with a runtime, the queued commands fail instead of waiting for
/// a flush that never comes.
struct FlushGuard(Option<Arc<Queue>>);

impl FlushGuard {
    /// Lets other tasks join the batch first.
    async fn batch(mut self) -> Vec<Queued> {
        yield_now().await;
        self.0.take().map_or_else(Vec::new, |queue| queue.take())
    }
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        if let Some(queue) = &self.0 {
            drop(queue.take());
        }
    }
}
