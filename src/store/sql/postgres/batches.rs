// Over 250 lines: two thirds are tests.

use std::{mem, sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _, Shared, WeakShared},
    stream::FuturesUnordered,
};
use parking_lot::Mutex;
use tokio::{sync::Semaphore, task::yield_now, time::timeout};

use super::{failure::Refusal, statement::Progress};

/// Gathers what is asked at the same moment into one statement, which costs the server little more than one of them
/// would, and a write's wait for the disk once.
///
/// The first caller opens a batch and yields once, so that other ready tasks may join; then the batch is sent. While
/// others are in flight it stays open a little longer, and grows with the load of the server. All its callers drive a
/// batch together, so any of them may be dropped.
pub(super) struct Batches<T, A> {
    open: Mutex<Option<Batch<T, A>>>,
    in_flight: Arc<Semaphore>,
}

struct Batch<T, A> {
    /// That of a table: clones of a store may use another one.
    sql: Arc<str>,
    items: Arc<Pending<T>>,
    answer: WeakShared<Answer<A>>,
}

type Answer<A> = BoxFuture<'static, Result<A, Refusal>>;

/// What a batch asks for. Empty once it has been taken to be sent.
pub(super) struct Pending<T> {
    items: Mutex<Vec<T>>,
    pub(super) progress: Arc<Progress>,
}

/// What a caller has asked for, and the answer to its batch.
pub(super) struct Asked<T, A> {
    pub(super) items: Arc<Pending<T>>,
    pub(super) answer: Shared<Answer<A>>,
}

/// What one statement can ask for: everything but the same thing twice.
pub(super) trait Item: Send + 'static {
    fn meets(&self, other: &Self) -> bool;
}

const MAX_BATCH: usize = 64;

/// How long a batch stays open at most while others are in flight: they may be on a long way.
const LINGER: Duration = Duration::from_millis(1);

impl<T: Item, A: Clone + Send + Sync + 'static> Batches<T, A> {
    /// With this many in flight at once the server and the application are busy; more would only be smaller.
    pub(super) fn new(in_flight: usize) -> Self {
        Self {
            open: Mutex::new(None),
            in_flight: Arc::new(Semaphore::new(in_flight)),
        }
    }

    /// Asks for it. A batch is sent by the `send` of its first caller, which takes what there is when it is about to.
    pub(super) fn ask<F>(
        &self,
        sql: &Arc<str>,
        item: T,
        send: impl FnOnce(Arc<Pending<T>>) -> F + Send + 'static,
    ) -> Asked<T, A>
    where
        F: Future<Output = Result<A, Refusal>> + Send,
    {
        let mut open = self.open.lock();
        let item = match &*open {
            Some(batch) => match batch.join(sql, item) {
                Ok(joined) => return joined,
                Err(item) => item,
            },
            None => item,
        };
        let items = Arc::new(Pending {
            items: Mutex::new(vec![item]),
            progress: Arc::default(),
        });
        let (in_flight, asked) = (Arc::clone(&self.in_flight), Arc::clone(&items));
        let answer = async move {
            yield_once().await;
            let _permit = timeout(LINGER, in_flight.acquire()).await;
            send(asked).await
        };
        let answer = answer.boxed().shared();
        *open = Some(Batch {
            sql: Arc::clone(sql),
            items: Arc::clone(&items),
            answer: answer.downgrade().expect("it has not been polled"),
        });
        Asked { items, answer }
    }
}

impl<T: Item, A> Batch<T, A> {
    /// Adds an item, unless the batch is of another table, has one like it, or is full, sent, failed or abandoned.
    fn join(&self, sql: &Arc<str>, item: T) -> Result<Asked<T, A>, T> {
        let Some(answer) = self.answer.upgrade() else {
            return Err(item);
        };
        let mut items = self.items.items.lock();
        let is_open = Arc::ptr_eq(&self.sql, sql)
            && (1..MAX_BATCH).contains(&items.len())
            && !self.items.progress.is_over();
        if !is_open || items.iter().any(|other| other.meets(&item)) {
            return Err(item);
        }
        items.push(item);
        drop(items);
        Ok(Asked {
            items: Arc::clone(&self.items),
            answer,
        })
    }
}

impl<T> Pending<T> {
    /// What is asked for. Nothing can be added any more.
    pub(super) fn take(&self) -> Vec<T> {
        mem::take(&mut *self.items.lock())
    }

    /// Takes an item back. `false` if it has been taken to be sent.
    pub(super) fn take_back(&self, is_it: impl Fn(&T) -> bool) -> bool {
        let mut items = self.items.lock();
        let before = items.len();
        items.retain(|item| !is_it(item));
        items.len() < before
    }
}

/// Tokio's yields until it is polled again, which the next caller of the batch does at once. This waits to be woken.
async fn yield_once() {
    let mut yielded = FuturesUnordered::from_iter([yield_now()]);
    yielded.next().await;
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};

    use futures_util::future::{join_all, poll_immediate};
    use tokio::time::Instant;

    use super::*;

    /// Text, which names the batch that it came in.
    impl Item for &'static str {
        fn meets(&self, other: &Self) -> bool {
            self == other && *self == "own batch"
        }
    }

    /// A server that answers with what it was asked.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<Vec<Vec<&'static str>>>>);

    type Texts = Batches<&'static str, Arc<Vec<&'static str>>>;

    impl Server {
        async fn answer(
            self,
            items: Arc<Pending<&'static str>>,
        ) -> Result<Arc<Vec<&'static str>>, Refusal> {
            let items = items.take();
            self.0.lock().push(items.clone());
            if items.contains(&"frozen") {
                pending::<()>().await;
            }
            match items.contains(&"refused") {
                true => Err(Refusal::timed_out()),
                false => Ok(Arc::new(items)),
            }
        }

        fn ask(
            &self,
            texts: &Texts,
            sql: &Arc<str>,
            item: &'static str,
        ) -> Asked<&'static str, Arc<Vec<&'static str>>> {
            let server = self.clone();
            texts.ask(sql, item, move |items| server.answer(items))
        }

        fn load(
            &self,
            texts: &Texts,
            sql: &Arc<str>,
            item: &'static str,
        ) -> impl Future<Output = Result<(), Refusal>> + use<> {
            let asked = self.ask(texts, sql, item);
            async move {
                let answer = asked.answer.await?;
                assert!(answer.contains(&item), "{item} among {answer:?}");
                Ok(())
            }
        }

        fn batches(&self) -> Vec<usize> {
            mem::take(&mut *self.0.lock())
                .iter()
                .map(Vec::len)
                .collect()
        }
    }

    const IN_FLIGHT: usize = 2;

    fn setup() -> (Server, Texts, Arc<str>) {
        (Server::default(), Batches::new(IN_FLIGHT), "SELECT".into())
    }

    #[tokio::test]
    async fn what_is_asked_at_one_moment_is_one_statement_and_each_gets_its_answer() {
        let (server, texts, sql) = setup();
        let load = |item| server.load(&texts, &sql, item);
        let answers = join_all(["a", "b", "c", "a"].map(load)).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(server.batches(), [4]);
        for item in ["a", "b"] {
            load(item).await.unwrap();
        }
        assert_eq!(server.batches(), [1, 1]);
    }

    #[tokio::test]
    async fn what_cannot_be_asked_for_twice_by_one_statement_is_asked_for_by_two() {
        let (server, texts, sql) = setup();
        let load = |item| server.load(&texts, &sql, item);
        let answers = join_all(["own batch", "a", "own batch", "b"].map(load)).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(server.batches(), [2, 2]);
    }

    #[tokio::test]
    async fn a_full_batch_is_followed_by_another() {
        let (server, texts, sql) = setup();
        let mut all = Vec::new();
        for _ in 0..MAX_BATCH + 3 {
            let mut load = Box::pin(server.load(&texts, &sql, "a"));
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
        let (server, texts, sql) = setup();
        let other = "SELECT FROM other".into();
        let (a, b, c) = tokio::join!(
            server.load(&texts, &sql, "a"),
            server.load(&texts, &other, "b"),
            server.load(&texts, &sql, "c"),
        );
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert_eq!(server.batches(), [1, 1, 1]);
    }

    #[tokio::test]
    async fn an_error_is_given_to_each_caller_and_to_no_later_one() {
        let (server, texts, sql) = setup();
        let load = |item| server.load(&texts, &sql, item);
        let answers = join_all(["a", "refused"].map(load)).await;
        assert!(answers.iter().all(Result::is_err));
        assert!(load("a").await.is_ok());
    }

    #[tokio::test]
    async fn a_caller_that_is_dropped_takes_no_other_along() {
        let (server, texts, sql) = setup();
        let mut first = Box::pin(server.load(&texts, &sql, "a"));
        let mut second = Box::pin(server.load(&texts, &sql, "b"));
        assert!(poll_immediate(&mut first).await.is_none());
        assert!(poll_immediate(&mut second).await.is_none());
        drop(first);
        assert!(second.await.is_ok());
        // Of one that is dropped by all, nothing is left.
        let mut abandoned = Box::pin(server.load(&texts, &sql, "frozen"));
        assert!(poll_immediate(&mut abandoned).await.is_none());
        drop(abandoned);
        server.batches();
        assert!(server.load(&texts, &sql, "a").await.is_ok());
        assert_eq!(server.batches(), [1]);
    }

    #[tokio::test]
    async fn what_has_not_been_sent_can_be_taken_back() {
        let (server, texts, sql) = setup();
        let [first, second] = ["a", "b"].map(|item| server.ask(&texts, &sql, item));
        assert!(first.items.take_back(|item| *item == "a"));
        assert!(!first.items.take_back(|item| *item == "a"));
        assert_eq!(*second.answer.await.unwrap(), ["b"]);
        assert!(!second.items.take_back(|item| *item == "b"));
    }

    #[tokio::test]
    async fn a_silent_server_keeps_a_batch_open_for_a_moment_only() {
        let (server, texts, sql) = setup();
        let mut frozen = Vec::new();
        for _ in 0..IN_FLIGHT {
            let mut load = Box::pin(server.load(&texts, &sql, "frozen"));
            for _ in 0..10 {
                assert!(poll_immediate(&mut load).await.is_none());
                yield_now().await;
            }
            frozen.push(load);
        }
        assert_eq!(server.batches(), [1; IN_FLIGHT]);
        let since = Instant::now();
        assert!(server.load(&texts, &sql, "a").await.is_ok());
        assert!(since.elapsed() >= LINGER, "it was not kept open");
        assert_eq!(server.batches(), [1]);
        // Nor are those that went away in flight.
        frozen.clear();
        let since = Instant::now();
        assert!(server.load(&texts, &sql, "a").await.is_ok());
        assert!(since.elapsed() < LINGER, "a permit was lost");
    }
}
