use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Notify;

/// Milliseconds since 1970: half the size of a `SystemTime`, and what a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(
    /// One more, so that an `Option` of it takes no more memory: each session has one.
    NonZeroU64,
);

impl Timestamp {
    pub(crate) const fn from_millis(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(millis))
    }

    pub(crate) const fn as_millis(self) -> u64 {
        self.0.get() - 1
    }

    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        Self::from_millis(
            self.as_millis()
                .saturating_add(millis(duration))
                .min(Self::LATEST),
        )
    }

    pub(crate) fn saturating_sub(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(millis(duration)))
    }

    /// Zero if `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.millis_since(earlier))
    }

    /// [`since`](Self::since) in milliseconds.
    pub(crate) fn millis_since(self, earlier: Self) -> u64 {
        self.as_millis().saturating_sub(earlier.as_millis())
    }

    /// The end of the year 9999: every platform's `SystemTime` and every database's integer holds it.
    pub(crate) const LATEST: u64 = 253_402_300_799_999;
}

impl From<SystemTime> for Timestamp {
    /// A time before 1970 counts as 1970.
    fn from(time: SystemTime) -> Self {
        let since = millis(time.duration_since(UNIX_EPOCH).unwrap_or_default());
        Self::from_millis(since.min(Self::LATEST))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(time.as_millis().min(Timestamp::LATEST))
    }
}

/// As [`Duration::as_millis`], but without its 128 bits: each request does this a few times.
pub(crate) fn millis(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(1_000);
    whole.saturating_add(u64::from(duration.subsec_millis()))
}

/// The clock that a layer's timeouts go by: the system's, or one that a test moves.
///
/// ```
/// use std::time::Duration;
/// use wiz_session::{Clock, Key, MemoryStore, WizSessionLayer};
///
/// let clock = Clock::manual();
/// let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate()).clock(clock.clone()).build()?;
/// clock.advance(Duration::from_secs(31 * 60)); // every idle session has expired now
/// # Ok::<(), wiz_session::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Manual>>);

#[derive(Debug)]
struct Manual {
    millis: AtomicU64,
    moved: Notify,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock for tests. It stands still at the current time until it is [advanced](Self::advance). Clones share it.
    #[must_use]
    pub fn manual() -> Self {
        let now = Timestamp::from(SystemTime::now()).as_millis();
        Self(Some(Arc::new(Manual {
            millis: AtomicU64::new(now),
            moved: Notify::new(),
        })))
    }

    /// Moves a manual clock, and all its clones, forward.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wiz_session::Clock;
    /// let clock = Clock::manual();
    /// clock.advance(Duration::from_secs(60));
    /// ```
    ///
    /// # Panics
    /// If this is the system's clock.
    pub fn advance(&self, by: Duration) {
        let Some(Manual { millis, moved }) = self.0.as_deref() else {
            panic!("the system's clock cannot be moved: give the layer a `Clock::manual()`");
        };
        let move_on = |now| Some(Timestamp::from_millis(now).saturating_add(by).as_millis());
        let _always = millis.fetch_update(Ordering::Relaxed, Ordering::Relaxed, move_on);
        moved.notify_waiters();
    }

    /// The clock's current time: for code that compares with a session's times, such as
    /// [`authenticated_at`](crate::WizSession::authenticated_at), and has to move with the tests.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiz_session::Clock;
    ///
    /// let clock = Clock::manual();
    /// let before = clock.now();
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(clock.now(), before + Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.timestamp().into()
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::from(SystemTime::now()),
            Some(manual) => Timestamp::from_millis(manual.millis.load(Ordering::Relaxed)),
        }
    }

    /// Waits until a manual clock is moved after this call; for ever, if it is the system's.
    pub(crate) fn moved(&self) -> impl Future<Output = ()> {
        let moved = self.0.as_ref().map(|manual| manual.moved.notified());
        async move {
            match moved {
                Some(moved) => moved.await,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_timestamp_takes_no_more() {
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<u64>());
    }

    #[test]
    fn timestamps_saturate() {
        let latest = Timestamp::from_millis(5).saturating_add(Duration::MAX);
        assert_eq!(latest, Timestamp::from(SystemTime::from(latest)));
        assert_eq!(
            Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)),
            Timestamp::from_millis(0)
        );
        assert_eq!(
            Timestamp::from_millis(3).since(Timestamp::from_millis(7)),
            Duration::ZERO
        );
    }

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual();
        let start = clock.timestamp();
        let clone = clock.clone();
        clone.advance(Duration::from_secs(2));
        assert_eq!(clock.timestamp().since(start), Duration::from_secs(2));
    }
}
