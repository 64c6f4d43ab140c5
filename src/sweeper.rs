use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

use crate::{
    error::{ConfigError, Error},
    expiry::GRACE,
    id,
    observe::{self, Timer},
    store::SessionStore,
    time::Clock,
};

/// Deletes expired sessions in the background, for stores whose engine does not: the SQL stores, and possibly your own.
///
/// The sweeper stops when it is dropped, so keep it for as long as the application serves.
///
/// ```
/// use wiz_session::{Key, MemoryStore, Sweeper, WizSessionLayer};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store = MemoryStore::new();
/// let layer = WizSessionLayer::new(store.clone(), Key::generate());
/// let sweeper = Sweeper::spawn(store);
/// // … serve …
/// drop(sweeper);
/// # }
/// ```
///
/// With other settings:
///
/// ```
/// # use wiz_session::{MemoryStore, Sweeper};
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), wiz_session::ConfigError> {
/// # let store = MemoryStore::new();
/// let sweeper = Sweeper::builder(store).interval(Duration::from_secs(60)).batch(200).spawn()?;
/// # Ok(()) }
/// ```
///
/// # Behaviour
///
/// Sweeping only frees space: expiry is checked whenever a session is read, swept or not. One sweeping process is
/// enough, and any number may. A sweep deletes in batches and pauses after each for as long as the batch took. The first
/// sweep starts at a random moment within the interval, so that processes started together do not sweep together.
///
/// A session is deleted five minutes after it expired, so that a request that found it alive can still commit.
///
/// If the store fails, the sweeper retries after one second, then two, four and so on, up to the interval. Each failure
/// is an event, and so is each sweep that deleted something.
///
/// # Cancel safety
///
/// Dropping the sweeper aborts its task at the next await. A batch in flight is deleted completely or not at all, as the
/// store's `delete_expired` promises.
#[derive(Debug)]
#[must_use = "it stops when it is dropped"]
pub struct Sweeper {
    task: AbortHandle,
}

impl Sweeper {
    /// How long an expired session is left in the store: five minutes, so that a request that found it alive can still
    /// commit.
    pub const GRACE: Duration = GRACE;

    /// Starts sweeping with the defaults: every five minutes, a thousand sessions per batch.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    pub fn spawn(store: impl SessionStore) -> Self {
        Self::start(Self::builder(store))
    }

    /// A builder, to change the defaults.
    pub fn builder<S: SessionStore>(store: S) -> SweeperBuilder<S> {
        SweeperBuilder {
            store,
            interval: Duration::from_secs(5 * 60),
            batch: 1_000,
            clock: Clock::system(),
        }
    }

    fn start(sweep: SweeperBuilder<impl SessionStore>) -> Self {
        Self {
            task: tokio::spawn(sweep.run()).abort_handle(),
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The settings of a [`Sweeper`], from [`Sweeper::builder`].
#[must_use = "nothing is swept before `spawn`"]
pub struct SweeperBuilder<S> {
    store: S,
    interval: Duration,
    batch: usize,
    clock: Clock,
}

impl<S: SessionStore> SweeperBuilder<S> {
    /// How long to wait between two sweeps. From one second to a year. Defaults to 5 minutes.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How many sessions to delete per batch. While a batch runs, an engine may make other statements wait. At least 1.
    /// Defaults to 1000.
    pub fn batch(mut self, sessions: usize) -> Self {
        self.batch = sessions;
        self
    }

    /// The clock to judge expiry by. Defaults to the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Starts sweeping.
    ///
    /// # Errors
    /// If a setting is out of bounds.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    pub fn spawn(self) -> Result<Sweeper, ConfigError> {
        if !(FIRST_PAUSE..=LONGEST).contains(&self.interval) {
            return Err(ConfigError::new(format!(
                "interval is {:?}: give `.interval(…)` from a second to a year",
                self.interval
            )));
        }
        if self.batch == 0 {
            return Err(ConfigError::new(
                "batch is zero: give `.batch(…)` at least one session",
            ));
        }
        Ok(Sweeper::start(self))
    }

    async fn run(self) {
        let this = Arc::new(self);
        let mut failures = 0;
        sleep(part_of(this.interval)).await;
        loop {
            match Self::sweep_apart(Arc::clone(&this)).await {
                Ok(0) => failures = 0,
                Ok(sessions) => {
                    failures = 0;
                    observe::swept(sessions);
                }
                Err(error) => {
                    failures += 1;
                    observe::sweep_failed(&error);
                }
            }
            sleep(pause(this.interval, failures)).await;
        }
    }

    /// Sweeps in a task of its own, so that a panic of the store ends that task and not the sweeper.
    async fn sweep_apart(self: Arc<Self>) -> Result<u64, Error> {
        let mut task = JoinSet::new();
        task.spawn(async move { self.sweep().await });
        match task.join_next().await {
            Some(Ok(answer)) => answer,
            _ => Err(Error::store("it panicked")),
        }
    }

    /// Deletes all sessions that are due, batch by batch.
    async fn sweep(&self) -> Result<u64, Error> {
        let mut swept = 0;
        loop {
            let start = Instant::now();
            let timer = Timer::start("delete_expired");
            // A request that found the session alive may still commit to it.
            let until = self.clock.timestamp().saturating_sub(GRACE);
            let batch = self.store.delete_expired(until.into(), self.batch);
            let answer = timeout(BATCH_TIMEOUT, batch).await;
            let answer = answer.unwrap_or_else(|_| Err(Error::timeout(BATCH_TIMEOUT)));
            let deleted = timer.stop(answer)?;
            swept += deleted;
            if deleted < self.batch as u64 {
                return Ok(swept);
            }
            sleep(start.elapsed()).await;
        }
    }
}

impl<S> fmt::Debug for SweeperBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SweeperBuilder")
            .field("interval", &self.interval)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// A longer interval is treated as a mistake.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// After the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A store that takes longer than this for a batch is considered unreachable.
const BATCH_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait after this many consecutive failures.
fn pause(interval: Duration, failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => interval,
        Some(doublings) => interval.min(FIRST_PAUSE.saturating_mul(1 << doublings.min(30))),
    }
}

/// A random part of the interval.
fn part_of(interval: Duration) -> Duration {
    let [first, second, ..] = id::random();
    interval.mul_f64(f64::from(u16::from_ne_bytes([first, second])) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::SystemTime,
    };

    use super::*;
    use crate::{forward_session_store, store::MemoryStore};

    const MINUTE: Duration = Duration::from_secs(60);

    /// Answers its sweeps from a script, then that there is nothing left, and notes when it was asked.
    #[derive(Clone, Default)]
    struct Script {
        sessions: MemoryStore,
        answers: Arc<Mutex<Vec<Result<u64, Error>>>>,
        asked: Arc<Mutex<Vec<Instant>>>,
    }

    impl Script {
        fn new(answers: impl IntoIterator<Item = Result<u64, Error>>) -> Self {
            let mut answers: Vec<_> = answers.into_iter().collect();
            answers.reverse();
            Self {
                answers: Arc::new(Mutex::new(answers)),
                ..Self::default()
            }
        }

        /// The time between each sweep and the next.
        fn pauses(&self) -> Vec<u64> {
            let asked = self.asked.lock().unwrap();
            asked
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).as_secs())
                .collect()
        }
    }

    impl SessionStore for Script {
        forward_session_store!(self => self.sessions, except [delete_expired]);

        async fn delete_expired(&self, _now: SystemTime, _limit: usize) -> Result<u64, Error> {
            self.asked.lock().unwrap().push(Instant::now());
            self.answers.lock().unwrap().pop().unwrap_or(Ok(0))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_after_failures() {
        let fails = || Err(Error::store("the database is being restarted"));
        let store = Script::new([fails(), fails(), fails(), Ok(7)]);
        let _sweeper = Sweeper::builder(store.clone()).interval(MINUTE).spawn();
        sleep(5 * MINUTE).await;
        assert_eq!(store.pauses()[..4], [1, 2, 4, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_sweeps_batches_until_nothing_is_left() {
        let store = Script::new([Ok(10), Ok(10), Ok(3)]);
        let _sweeper = Sweeper::builder(store.clone())
            .interval(MINUTE)
            .batch(10)
            .spawn();
        sleep(3 * MINUTE).await;
        assert_eq!(store.pauses()[..3], [0, 0, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_begins_within_an_interval_and_at_no_fixed_time() {
        let mut beginnings = std::collections::HashSet::new();
        for _ in 0..10 {
            let (store, start) = (Script::default(), Instant::now());
            let sweeper = Sweeper::spawn(store.clone());
            sleep(5 * MINUTE).await;
            drop(sweeper);
            let asked = store.asked.lock().unwrap();
            beginnings.insert(asked.first().expect("it has begun").duration_since(start));
        }
        assert!(beginnings.len() > 5, "{beginnings:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_when_it_is_dropped() {
        let store = Script::default();
        let sweeper = Sweeper::spawn(store.clone());
        sleep(20 * MINUTE).await;
        drop(sweeper);
        let asked = store.asked.lock().unwrap().len();
        sleep(60 * MINUTE).await;
        assert_eq!(store.asked.lock().unwrap().len(), asked);
        assert_eq!(Arc::strong_count(&store.asked), 1, "its task is gone");
    }

    #[test]
    fn pauses_double_up_to_the_interval() {
        let pauses = [0, 1, 2, 3, 6, 7, 1_000].map(|failures| pause(MINUTE, failures).as_secs());
        assert_eq!(pauses, [60, 1, 2, 4, 32, 60, 60]);
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        let builder = || Sweeper::builder(Script::default());
        assert!(
            builder()
                .interval(Duration::from_millis(999))
                .spawn()
                .is_err()
        );
        assert!(builder().batch(0).spawn().is_err());
    }
}
