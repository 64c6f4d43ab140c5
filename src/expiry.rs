use std::time::Duration;

use crate::{
    record::Record,
    time::{Timestamp, millis},
};

/// How long a store that sweeps by itself keeps a record after it expired. A request that found its session alive has its
/// changes stored, though the session expires while its handler works.
pub(crate) const GRACE: Duration = Duration::from_secs(5 * 60);

/// How long sessions live. Pure arithmetic: the time is always an argument.
#[derive(Debug, Clone)]
pub(crate) struct Expiry {
    pub(crate) idle_timeout: Duration,
    pub(crate) absolute_timeout: Duration,
    /// For how long a session can be remembered, from its login.
    pub(crate) remember_limit: Duration,
    /// How much later a session must expire for a touch to be worth a store call. Unset: a tenth of the idle timeout.
    pub(crate) touch_threshold: Option<Duration>,
}

/// By how much the clocks of servers may differ.
pub(crate) const SKEW: Duration = Duration::from_secs(5 * 60);

impl Default for Expiry {
    /// The limits of NIST SP 800-63B §4.2.3 (AAL2), and the longest life of a cookie (RFC 6265bis §5.5).
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30 * 60),
            absolute_timeout: Duration::from_secs(12 * 60 * 60),
            remember_limit: Duration::from_secs(400 * 24 * 60 * 60),
            touch_threshold: None,
        }
    }
}

impl Expiry {
    /// The end that no activity moves, of a session that begins or logs in at this time.
    pub(crate) fn deadline(&self, began: Timestamp, remember: Option<Duration>) -> Timestamp {
        began.saturating_add(match remember {
            Some(_) => self.remember_limit,
            None => self.absolute_timeout,
        })
    }

    /// The end of a session that is used now and then no more.
    pub(crate) fn expires_at(
        &self,
        now: Timestamp,
        remember: Option<Duration>,
        deadline: Timestamp,
    ) -> Timestamp {
        now.saturating_add(remember.unwrap_or(self.idle_timeout))
            .min(deadline)
    }

    /// The new end of a record that is used now, if it is worth writing down.
    pub(crate) fn touch_due(&self, record: &Record, now: Timestamp) -> Option<Timestamp> {
        let remember = record.body().remember;
        let deadline = record.body().deadline;
        let touched = self.expires_at(now, remember, deadline);
        let worth = match self.touch_threshold {
            Some(gain) => millis(gain),
            None => millis(remember.unwrap_or(self.idle_timeout)) / 10,
        };
        let gain = touched.millis_since(record.expires());
        // The last one, up to the deadline, gains less and is needed all the same.
        let is_worth_it = gain >= worth || touched == deadline;
        (gain > 0 && is_worth_it).then_some(touched)
    }

    /// When a record's session was last used, as far as that was written down.
    pub(crate) fn last_used(&self, record: &Record) -> Timestamp {
        let body = record.body();
        let idle = body.remember.unwrap_or(self.idle_timeout);
        let began = body.authenticated_at.unwrap_or(body.created_at);
        record.expires().saturating_sub(idle).max(began)
    }

    /// Whether a record's session still lives, swept or not. One that would live for longer than the timeouts allow
    /// was written by a server whose clock was ahead, and does not.
    #[inline]
    pub(crate) fn is_live(&self, record: &Record, now: Timestamp) -> bool {
        self.is_in_time(record, now, now)
    }

    /// [`is_live`](Self::is_live) for a request that `found` its session alive long ago: others may have kept it alive
    /// since.
    #[inline]
    pub(crate) fn is_in_time(&self, record: &Record, found: Timestamp, now: Timestamp) -> bool {
        let body = record.body();
        // A request that saw the session before a shorter `remember` or a `forget` may touch it for the longer time.
        let remembered = body.remember.unwrap_or_default();
        let longest = remembered
            .min(self.remember_limit)
            .max(self.absolute_timeout);
        let end = record.expires().min(body.deadline);
        found < record.expires()
            && found < body.deadline
            && end.millis_since(now) <= millis(longest) + millis(SKEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::Data,
        record::{Body, CommitIds, Version},
    };

    const MINUTE: u64 = 60_000;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * MINUTE)
    }

    fn record(expires: u64, deadline: u64, remember: Option<Duration>) -> Record {
        let body = Body {
            created_at: at(0),
            authenticated_at: None,
            deadline: at(deadline),
            remember,
            user: None,
            tombstone: false,
            details: None,
            commits: CommitIds::default(),
            data: Data::default(),
        };
        Record::new(Version::FIRST, at(expires), body)
    }

    #[test]
    fn a_touch_is_due_after_a_tenth_of_the_idle_timeout() {
        let expiry = Expiry::default();
        let record = record(30, 720, None);
        let table = [(0, None), (2, None), (3, Some(at(33))), (29, Some(at(59)))];
        for (now, due) in table {
            assert_eq!(expiry.touch_due(&record, at(now)), due, "minute {now}");
        }
    }

    #[test]
    fn the_last_use_is_an_idle_timeout_before_the_end_and_not_before_the_beginning() {
        let expiry = Expiry::default();
        assert_eq!(expiry.last_used(&record(70, 720, None)), at(40));
        assert_eq!(expiry.last_used(&record(10, 10, None)), at(0));
        let day = Some(Duration::from_secs(24 * 3600));
        assert_eq!(expiry.last_used(&record(1440, 1440, day)), at(0));
    }

    #[test]
    fn a_touch_never_passes_the_deadline_and_stops_there() {
        let expiry = Expiry::default();
        assert_eq!(
            expiry.touch_due(&record(700, 720, None), at(699)),
            Some(at(720))
        );
        assert_eq!(
            expiry.touch_due(&record(719, 720, None), at(718)),
            Some(at(720))
        );
        assert_eq!(expiry.touch_due(&record(720, 720, None), at(719)), None);
    }

    #[test]
    fn touch_after_replaces_the_tenth() {
        let expiry = Expiry {
            touch_threshold: Some(Duration::ZERO),
            ..Expiry::default()
        };
        assert_eq!(
            expiry.touch_due(&record(30, 720, None), at(0)),
            None,
            "nothing to gain"
        );
        assert_eq!(
            expiry.touch_due(&record(30, 720, None), at(1)),
            Some(at(31))
        );
    }

    #[test]
    fn a_remembered_session_slides_up_to_its_limit() {
        let week = Duration::from_secs(7 * 24 * 3600);
        let expiry = Expiry::default();
        let days = |days: u64| at(days * 24 * 60);
        let limit = expiry.deadline(at(0), Some(week));
        assert_eq!(limit, days(400));
        for (now, end) in [(0, 7), (5, 12), (393, 400), (399, 400)] {
            assert_eq!(expiry.expires_at(days(now), Some(week), limit), days(end));
        }
    }

    #[test]
    fn what_a_server_wrote_whose_clock_was_ahead_does_not_live() {
        let expiry = Expiry::default();
        let year = 365 * 24 * 60;
        assert!(!expiry.is_live(&record(year + 30, year + 720, None), at(0)));
        assert!(!expiry.is_live(&record(year, year + 720, None), at(0)));
        let week = Some(Duration::from_secs(7 * 24 * 3600));
        assert!(!expiry.is_live(&record(8 * 24 * 60, year, week), at(0)));
        assert!(expiry.is_live(&record(7 * 24 * 60, year, week), at(0)));
        let ahead = record(720 + 5, 720 + 5, None);
        assert!(expiry.is_live(&ahead, at(0)), "by a few minutes");
    }

    #[test]
    fn a_session_dies_at_the_first_of_its_ends() {
        for (expires, deadline, now, lives) in [
            (30, 720, 29, true),
            (30, 720, 30, false),
            (800, 720, 719, true),
            (800, 720, 720, false),
        ] {
            assert_eq!(
                Expiry::default().is_live(&record(expires, deadline, None), at(now)),
                lives
            );
        }
    }
}
