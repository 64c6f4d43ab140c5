//! Random schedules of many clients against a model that is nothing but maps.
//!
//! Requests are opened, do things one at a time in between each other, and are answered, in any order. What the
//! layer makes of it must be what the model says: which cookies live, what is in their sessions, which answers carry a
//! cookie. Half of the schedules run on a store that answers at once, half on one that loses answers once the work is
//! done: the layer looks such a commit up, so nobody may notice.
//!
//! In a third of the schedules the sessions of users are bound to their device, whenever a response offers it.
//!
//! Requests arrive at up to three processes, some of which have a cache. One that is told of each change at once sees what
//! the model has; otherwise what it had at some time of the last ten seconds, but never from before its own last write.
//!
//! A failure prints the seed of its schedule; `WIZ_MODEL_SEED` runs that one alone, `WIZ_MODEL_SCHEDULES` so many.

mod commit;
mod open;
mod request;
mod store;
mod world;

use std::{collections::BTreeMap, time::Duration};

use self::world::World;
use crate::seeds::{PrintOnPanic, number};

const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(2 * 3600);
const REMEMBER_LIMIT: Duration = Duration::from_secs(400 * 24 * 3600);
const CACHE_FOR: Duration = Duration::from_secs(10);
const TOMBSTONE: Duration = Duration::from_secs(30);
/// For how long after a login its session is offered to be bound.
const OFFER_AGE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn random_schedules_agree_with_the_model() {
    let only = number("WIZ_MODEL_SEED");
    let seeds = match only {
        Some(seed) => vec![seed],
        None => (0..schedules()).map(|_| fastrand::u64(..)).collect(),
    };
    for seed in seeds {
        let _print = PrintOnPanic {
            variable: "WIZ_MODEL_SEED",
            seed,
        };
        World::new(seed, only.is_some()).run().await;
    }
}

fn schedules() -> u64 {
    number("WIZ_MODEL_SCHEDULES").unwrap_or(3_000)
}

/// Since the schedule began.
type Time = Duration;

type Data = BTreeMap<&'static str, i64>;

/// Names a session in the model, which does not know its id before a response tells.
type Name = u64;

/// What the store should hold under one name.
#[derive(Debug, Clone)]
struct Stored {
    /// Another one after each write.
    version: u64,
    data: Data,
    user: Option<&'static str>,
    /// The login, or else the beginning.
    began: Time,
    remember: Option<Duration>,
    expires_at: Time,
    deadline: Time,
    /// It is bound to the device of its browser.
    is_bound: bool,
    tombstone: bool,
}

impl Stored {
    fn lives_at(&self, now: Time) -> bool {
        now < self.expires_at && now < self.deadline
    }

    /// How long it lives from each use.
    fn idle(&self) -> Duration {
        self.remember.unwrap_or(IDLE)
    }

    /// The new end of a session that is used now, if that is a tenth later, or the last one there is.
    fn touch_due(&self, now: Time) -> Option<Time> {
        let touched = self.deadline.min(now + self.idle());
        let gain = touched.saturating_sub(self.expires_at);
        let is_worth_it = gain >= self.idle() / 10 || touched == self.deadline;
        (!gain.is_zero() && is_worth_it).then_some(touched)
    }
}

/// What is done to a session in memory.
#[derive(Debug, Clone, Copy)]
enum Op {
    Set(&'static str, i64),
    Delete(&'static str),
    Add(&'static str, i64),
    Regenerate,
    /// With the time, from which the absolute timeout runs.
    LogIn(&'static str, Time),
    /// `None` takes it back.
    Remember(Option<Duration>),
    SkipTouch,
    Clear,
}

/// What waits for the store.
#[derive(Debug, Clone, Copy)]
enum Io {
    Save,
    Reload,
    Transact(Run),
    IsAlive,
}

/// What the closure of a transaction does.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// Adds to `n` and gives what it came to.
    Count(i64),
    /// Gives `a`.
    Read,
    /// Takes `b` away and gives it.
    Take,
    /// Changes `a`, and fails.
    Fail,
}
