use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _, Shared, WeakShared},
    stream::FuturesUnordered,
};
use parking_lot::Mutex;
use tokio::{sync::Semaphore, task::yield_now, time::timeout};

use super::failure::Refusal;

/// Gathers loads that are made at the same moment into one statement, which costs the server little more than one of
/// them would.
///
/// The first load opens a batch and yields once, so that other ready tasks may join; then the batch is sent. While
/// others are in flight it stays open a little longer, and grows with the load of the server. All its callers drive a
/// batch together, so any of them may be dropped.
pub(super) struct Loads<R> {
    open: Mutex<Option<Batch<R>>>,
    in_flight: Arc<Semaphore>,
}

struct Batch<R> {
    /// That of a table: clones of a store may use another one.
    sql: Arc<str>,
    handles: Handles,
    answer: WeakShared<Answer<R>>,
}

/// Those of a batch, as text. Empty once it has been sent.
type Handles = Arc<Mutex<Vec<String>>>;
type Answer<R> = BoxFuture<'static, Result<Rows<R>, Refusal>>;

/// The rows that were found, by handle.
pub(super) type Rows<R> = Arc<HashMap<String, Arc<R>>>;

const MAX_BATCH: usize = 64;

/// Two keep the server and the application busy; more would only be smaller.
const IN_FLIGHT: usize = 2;

/// How long a batch stays open at most while others are in flight: they may be on a long way.
const LINGER: Duration = Duration::from_millis(1);

impl<R: Send + Sync + 'static> Loads<R> {
    pub(super) fn new() -> Self {
        Self {
            open: Mutex::new(None),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
        }
    }

    /// The row with this handle. A batch is sent by the `send` of its first caller.
    pub(super) async fn load<F>(
        &self,
        sql: &Arc<str>,
        handle: String,
        send: impl FnOnce(Vec<String>) -> F + Send + 'static,
    ) -> Result<Option<Arc<R>>, Refusal>
    where
        F: Future<Output = Result<Rows<R>, Refusal>> + Send,
    {
        let rows = self.join(sql, &handle, send).await?;
        Ok(rows.get(&handle).cloned())
    }

    fn join<F>(
        &self,
        sql: &Arc<str>,
        handle: &str,
        send: impl FnOnce(Vec<String>) -> F + Send + 'static,
    ) -> Shared<Answer<R>>
    where
        F: Future<Output = Result<Rows<R>, Refusal>> + Send,
    {
        let mut open = self.open.lock();
        if let Some(batch) = &*open
            && let Some(answer) = batch.join(sql, handle)
        {
            return answer;
        }
        let handles = Arc::new(Mutex::new(vec![handle.to_owned()]));
        let (in_flight, joined) = (Arc::clone(&self.in_flight), Arc::clone(&handles));
        let answer = async move {
            yield_once().await;
            let _permit = timeout(LINGER, in_flight.acquire()).await;
            let handles = mem::take(&mut *joined.lock());
            send(handles).await
        };
        let answer = answer.boxed().shared();
        *open = Some(Batch {
            sql: Arc::clone(sql),
            handles,
            answer: answer.downgrade().expect("it has not been polled"),
        });
        answer
    }
}

impl<R> Batch<R> {
    /// Adds a load, unless the batch is of another table, full, sent or abandoned.
    fn join(&self, sql: &Arc<str>, handle: &str) -> Option<Shared<Answer<R>>> {
        let answer = self.answer.upgrade()?;
        let mut handles = self.handles.lock();
        if !Arc::ptr_eq(&self.sql, sql) || !(1..MAX_BATCH).contains(&handles.len()) {
            return None;
        }
        handles.push(handle.to_owned());
        Some(answer)
    }
}

/// Tokio's yields until it is polled again, which the next caller of the batch does at once. This waits to be woken.
async fn yield_once() {
    let mut yielded = FuturesUnordered::from_iter([yield_now()]);
    yielded.next().await;
}

#[cfg(test)]
mod tests {
    use futures_util::future::{join_all, pending, poll_immediate};
    use tokio::time::Instant;

    use super::*;

    /// A server whose rows say which batch they came in, and that has no row for "none".
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<Vec<Vec<String>>>>);

    impl Server {
        async fn answer(self, handles: Vec<String>) -> Result<Rows<String>, Refusal> {
            self.0.lock().push(handles.clone());
            if handles.iter().any(|handle| handle == "frozen") {
                pending::<()>().await;
            }
            if handles.iter().any(|handle| handle == "refused") {
                return Err(Refusal::timed_out());
            }
            let found = handles.into_iter().filter(|handle| handle != "none");
            let rows = found.map(|handle| (handle.clone(), Arc::new(handle)));
            Ok(Arc::new(rows.collect()))
        }

        async fn load(
            &self,
            loads: &Loads<String>,
            sql: &Arc<str>,
            handle: &str,
        ) -> Result<Option<String>, Refusal> {
            let server = self.clone();
            let send = move |handles| server.answer(handles);
            let row = loads.load(sql, handle.to_owned(), send).await?;
            Ok(row.map(|row| row.to_string()))
        }

        fn batches(&self) -> Vec<usize> {
            mem::take(&mut *self.0.lock())
                .iter()
                .map(Vec::len)
                .collect()
        }
    }

    fn setup() -> (Server, Loads<String>, Arc<str>) {
        (Server::default(), Loads::new(), "SELECT".into())
    }

    #[tokio::test]
    async fn loads_of_one_moment_are_one_statement_and_each_gets_its_row() {
        let (server, loads, sql) = setup();
        let load = |handle| server.load(&loads, &sql, handle);
        let answers = join_all(["a", "b", "none", "a"].map(load)).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let [a, b] = ["a", "b"].map(|row| Some(row.to_owned()));
        assert_eq!(answers, [a.clone(), b, None, a]);
        assert_eq!(server.batches(), [4]);
        for handle in ["a", "b"] {
            load(handle).await.unwrap();
        }
        assert_eq!(server.batches(), [1, 1]);
    }

    #[tokio::test]
    async fn a_full_batch_is_followed_by_another() {
        let (server, loads, sql) = setup();
        let mut all = Vec::new();
        for _ in 0..MAX_BATCH + 3 {
            let mut load = Box::pin(server.load(&loads, &sql, "a"));
            assert!(poll_immediate(&mut load).await.is_none());
            all.push(load);
        }
        for load in all {
            assert!(load.await.is_ok());
        }
        assert_eq!(server.batches(), [MAX_BATCH, 3]);
    }

    #[tokio::test]
    async fn tables_are_not_mixed() {
        let (server, loads, sql) = setup();
        let other = "SELECT FROM other".into();
        let (a, b, c) = tokio::join!(
            server.load(&loads, &sql, "a"),
            server.load(&loads, &other, "b"),
            server.load(&loads, &sql, "c"),
        );
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert_eq!(server.batches(), [1, 1, 1]);
    }

    #[tokio::test]
    async fn an_error_is_given_to_each_caller_and_to_no_later_one() {
        let (server, loads, sql) = setup();
        let load = |handle| server.load(&loads, &sql, handle);
        let answers = join_all(["a", "refused"].map(load)).await;
        assert!(answers.iter().all(Result::is_err));
        assert!(load("a").await.is_ok());
    }

    #[tokio::test]
    async fn a_caller_that_is_dropped_takes_no_other_along() {
        let (server, loads, sql) = setup();
        let mut first = Box::pin(server.load(&loads, &sql, "a"));
        let mut second = Box::pin(server.load(&loads, &sql, "b"));
        assert!(poll_immediate(&mut first).await.is_none());
        assert!(poll_immediate(&mut second).await.is_none());
        drop(first);
        assert_eq!(second.await.unwrap().as_deref(), Some("b"));
        // Of one that is dropped by all, nothing is left.
        let mut abandoned = Box::pin(server.load(&loads, &sql, "frozen"));
        assert!(poll_immediate(&mut abandoned).await.is_none());
        drop(abandoned);
        server.batches();
        assert!(server.load(&loads, &sql, "a").await.is_ok());
        assert_eq!(server.batches(), [1]);
    }

    #[tokio::test]
    async fn a_silent_server_keeps_a_batch_open_for_a_moment_only() {
        let (server, loads, sql) = setup();
        let mut frozen = Vec::new();
        for _ in 0..IN_FLIGHT {
            let mut load = Box::pin(server.load(&loads, &sql, "frozen"));
            for _ in 0..10 {
                assert!(poll_immediate(&mut load).await.is_none());
                yield_now().await;
            }
            frozen.push(load);
        }
        assert_eq!(server.batches(), [1; IN_FLIGHT]);
        let since = Instant::now();
        assert!(server.load(&loads, &sql, "a").await.is_ok());
        assert!(since.elapsed() >= LINGER, "it was not kept open");
        assert_eq!(server.batches(), [1]);
        // Nor are those that went away in flight.
        frozen.clear();
        let since = Instant::now();
        assert!(server.load(&loads, &sql, "a").await.is_ok());
        assert!(since.elapsed() < LINGER, "a permit was lost");
    }
}
