//! Calls in parallel, as far as the runtime has threads.

use tokio::task::JoinSet;

use super::subject::Subject;
use crate::store::SessionStore;

/// How many run at once where many are to be done.
const AT_ONCE: usize = 32;

/// Runs a check for each of these, some at once. The first that fails ends the suite.
pub(super) async fn in_parallel<S, I, T, F>(
    store: &Subject<S>,
    items: impl IntoIterator<Item = I>,
    run: impl Fn(Subject<S>, I) -> F,
) -> Vec<T>
where
    S: SessionStore,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (mut tasks, mut answers) = (JoinSet::new(), Vec::new());
    for item in items {
        if tasks.len() == AT_ONCE {
            answers.extend(next(&mut tasks).await);
        }
        tasks.spawn(run(store.clone(), item));
    }
    while let Some(answer) = next(&mut tasks).await {
        answers.push(answer);
    }
    answers
}

async fn next<T: 'static>(tasks: &mut JoinSet<T>) -> Option<T> {
    let joined = tasks.join_next().await?;
    match joined.map_err(tokio::task::JoinError::into_panic) {
        Ok(answer) => Some(answer),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
