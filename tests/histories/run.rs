//! Many histories at once, on the same servers, each from a seed of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::{faults::Trouble, http, site::Address, visitors};

/// So many at a time meet each fault.
const AT_ONCE: usize = 24;

/// What to run.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) histories: u64,
    /// No further history is begun after this.
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Report {
    seed: u64,
    histories: u64,
    requests: usize,
    unknown: usize,
    /// Histories that met a fault, and those with a request whose outcome is unknown.
    met: u64,
    unsure: u64,
    took: Duration,
    /// The first that has no explanation: which one it is, counted from 0, and what happened.
    violation: Option<(u64, String)>,
}

impl Plan {
    /// `WIZ_HISTORIES`, in `WIZ_HISTORIES_SECONDS` at most, from `WIZ_HISTORIES_SEED`; or so many in so long with any seed.
    pub(crate) fn from_env(histories: u64, time: Duration) -> Self {
        let asked = number("WIZ_HISTORIES");
        let limit = number("WIZ_HISTORIES_SECONDS").map_or(Duration::MAX, Duration::from_secs);
        Self {
            seed: number("WIZ_HISTORIES_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32)),
            histories: asked.unwrap_or(histories),
            time: asked.map_or(time, |_| limit),
        }
    }

    pub(crate) async fn run(&self, servers: Vec<Address>, trouble: &Arc<Trouble>) -> Report {
        let servers: Arc<[Address]> = servers.into();
        let (began, time, histories) = (Instant::now(), self.time, self.histories);
        let next = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let report = Arc::new(Mutex::new(Report::default()));
        let client = http::client();
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (next, is_over) = (Arc::clone(&next), Arc::clone(&is_over));
            let (report, client) = (Arc::clone(&report), client.clone());
            let (servers, trouble) = (Arc::clone(&servers), Arc::clone(trouble));
            let seed = self.seed;
            workers.spawn(async move {
                let goes_on = || {
                    let has_failed = is_over.load(Ordering::Relaxed) || trouble.is_over();
                    !has_failed && began.elapsed() < time
                };
                while goes_on() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= histories {
                        return;
                    }
                    let seed = seed.wrapping_add(number);
                    let started = Instant::now();
                    let recording =
                        visitors::history(number, seed, &client, Arc::clone(&servers)).await;
                    let met = trouble.between(started, Instant::now());
                    let judged = tokio::task::spawn_blocking(move || {
                        (recording.is_linearizable(), recording)
                    });
                    let (is_linearizable, recording) = judged.await.expect("no panic");
                    let mut report = report.lock();
                    report.histories += 1;
                    if report.histories % 1_000 == 0 {
                        println!(
                            "{} histories after {:.0?}",
                            report.histories,
                            began.elapsed()
                        );
                    }
                    report.requests += recording.requests();
                    report.unknown += recording.unknown();
                    report.met += u64::from(!met.is_empty());
                    report.unsure += u64::from(recording.unknown() > 0);
                    if !is_linearizable {
                        is_over.store(true, Ordering::Relaxed);
                        let story = recording.story() + &met.join("\n");
                        report.violation.get_or_insert((number, story));
                    }
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker.expect("no panic");
        }
        let mut report = std::mem::take(&mut *report.lock());
        (report.seed, report.took) = (self.seed, began.elapsed());
        report
    }
}

impl Report {
    pub(crate) fn print(&self, name: &str) {
        let Self {
            seed,
            histories,
            requests,
            unknown,
            met,
            unsure,
            took,
            ..
        } = self;
        println!(
            "{name}: {histories} histories from seed {seed}, {met} met a fault; {requests} requests, {unknown} of them \
             unknown, in {unsure} histories; in {took:.1?}"
        );
    }

    /// Every history has an explanation, and most requests were answered.
    pub(crate) fn assert_is_clean(&self, name: &str) {
        if let Some((number, story)) = &self.violation {
            let again = format!(
                "WIZ_HISTORIES={} WIZ_HISTORIES_SEED={}",
                number + 1,
                self.seed
            );
            panic!("{name}: nothing explains history {number}; again: {again}\n{story}");
        }
        let answered = (self.requests - self.unknown) as u64;
        assert!(
            self.histories > 0 && answered > 5 * self.histories,
            "{name}: the servers were not there"
        );
    }

    /// How many histories it took to find one without an explanation.
    pub(crate) fn found_after(&self) -> Option<u64> {
        self.violation.as_ref().map(|(number, _)| number + 1)
    }
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}
