use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::{record::Version, store::Ended, time::Timestamp};

/// What is known of a session that is watched, and who waits for news of it.
pub(super) struct Watched {
    /// The highest version that was heard of; 0 is none yet.
    version: AtomicU64,
    /// The latest expiry that was heard of.
    expires_at: AtomicU64,
    /// 0 while it lives.
    ended: AtomicU8,
    /// How many revocations of it are under way here.
    revocations: AtomicU16,
    /// One had no answer.
    may_be_revoked: AtomicBool,
    news: Notify,
}

const REASONS: [Ended; 4] = [
    Ended::LoggedOut,
    Ended::Revoked,
    Ended::Moved,
    Ended::Expired,
];

impl Watched {
    pub(super) fn new(expires_at: Option<Timestamp>) -> Self {
        Self {
            version: AtomicU64::new(0),
            expires_at: AtomicU64::new(expires_at.map_or(u64::MAX, Timestamp::as_millis)),
            ended: AtomicU8::new(0),
            revocations: AtomicU16::new(0),
            may_be_revoked: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        let reason = usize::from(self.ended.load(Ordering::Acquire));
        REASONS.get(reason.checked_sub(1)?).copied()
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at.load(Ordering::Acquire))
    }

    /// It is over. The first reason is the one that counts.
    pub(super) fn end(&self, mut why: Ended) {
        if why == Ended::LoggedOut && self.is_being_revoked() {
            why = Ended::Revoked;
        }
        let reason = REASONS.iter().position(|one| *one == why);
        let reason = u8::try_from(reason.map_or(1, |reason| reason + 1)).unwrap_or(1);
        let first = self
            .ended
            .compare_exchange(0, reason, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.news.notify_waiters();
        }
    }

    pub(super) fn begin_revocation(&self) {
        self.revocations.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end_revocation(&self) {
        self.revocations.fetch_sub(1, Ordering::AcqRel);
    }

    /// Until it is [seen alive](Self::is_alive).
    pub(super) fn doubt_revocation(&self) {
        self.may_be_revoked.store(true, Ordering::Release);
    }

    fn is_being_revoked(&self) -> bool {
        self.revocations.load(Ordering::Acquire) > 0 || self.may_be_revoked.load(Ordering::Acquire)
    }

    /// It has this version. Of a report that comes late nothing is learnt.
    pub(super) fn change(&self, version: Version) {
        if self.version.fetch_max(version.get(), Ordering::AcqRel) < version.get() {
            self.news.notify_waiters();
        }
    }

    /// A look has found it, and that it lives until then.
    pub(super) fn is_alive(&self, until: Timestamp) {
        self.may_be_revoked.store(false, Ordering::Release);
        self.expires_at.store(until.as_millis(), Ordering::Release);
    }

    /// Has those who wait look again.
    pub(super) fn wake(&self) {
        self.news.notify_waiters();
    }

    /// Waits until this says something, and again after each piece of news.
    pub(super) async fn wait_for<T>(&self, mut news: impl FnMut(&Self) -> Option<T>) -> T {
        loop {
            // Before the look, so that nothing falls in between.
            let told = self.news.notified();
            if let Some(found) = news(self) {
                return found;
            }
            told.await;
        }
    }
}
