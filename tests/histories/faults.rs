//! What happens to a site: one fault after the other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fastrand::Rng;
use parking_lot::Mutex;

use crate::{database::Database, proxy::Proxy, site::Site};

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillServer,
    FreezeServer,
    KillDatabase,
    FreezeDatabase,
    FillDatabase,
    FailOver,
    Cut,
    LoseAnswers,
    SlowAnswers,
}

/// The faults there were.
#[derive(Default)]
pub(crate) struct Trouble {
    faults: Mutex<Vec<Happened>>,
    is_over: AtomicBool,
}

struct Happened {
    fault: Fault,
    began: Instant,
    ended: Option<Instant>,
}

impl Trouble {
    /// What happened between two times, for people: with the milliseconds since the first.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Vec<String> {
        let faults = self.faults.lock();
        let met = faults
            .iter()
            .filter(|one| one.began < to && one.ended.is_none_or(|ended| from < ended));
        let since = |time: Instant| match time.checked_duration_since(from) {
            Some(after) => after.as_millis().to_string(),
            None => format!("-{}", (from - time).as_millis()),
        };
        met.map(
            |Happened {
                 fault,
                 began,
                 ended,
             }| {
                let ended = ended.map_or(String::new(), since);
                format!("{} to {ended} ms: {fault:?}", since(*began))
            },
        )
        .collect()
    }

    fn begins(&self, fault: Fault) -> Instant {
        let began = Instant::now();
        let ended = None;
        self.faults.lock().push(Happened {
            fault,
            began,
            ended,
        });
        began
    }

    fn ends(&self) {
        let mut faults = self.faults.lock();
        let last = faults.last_mut().expect("one has begun");
        last.ended = Some(Instant::now());
    }

    /// How often each happened, for people.
    fn counted(&self) -> Vec<String> {
        let mut counts = BTreeMap::new();
        for Happened { fault, .. } in &*self.faults.lock() {
            *counts.entry(format!("{fault:?}")).or_insert(0) += 1;
        }
        let counts = counts.into_iter();
        counts
            .map(|(fault, times)| format!("{times} × {fault}"))
            .collect()
    }

    /// None will come any more. It is not worth while to go on: a fault went wrong.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Also when the thread panics.
struct Over(Arc<Trouble>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Site {
    /// One fault after the other, with a pause between, until this is dropped.
    pub(crate) fn break_down(self, seed: u64) -> Faults {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let (mut site, mut rng) = (self, Rng::with_seed(seed));
            let _over = Over(Arc::clone(&site.trouble));
            let faults = site.faults();
            while !stop.load(Ordering::Relaxed) {
                wait(rng.u64(100..500));
                let fault = faults[rng.usize(..faults.len())];
                let began = site.trouble.begins(fault);
                site.happen(fault, &mut rng);
                site.trouble.ends();
                // What comes of it is seen when all works again: a database takes seconds to be back.
                thread::sleep(began.elapsed().min(Duration::from_secs(2)));
            }
            site.trouble.counted()
        });
        Faults {
            is_over,
            thread: Some(thread),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![Fault::FreezeServer];
        if !matches!(self.database, Database::Memory) {
            faults.push(Fault::KillServer);
        }
        if !self.proxies.is_empty() {
            faults.extend([
                Fault::Cut,
                Fault::Cut,
                Fault::LoseAnswers,
                Fault::LoseAnswers,
            ]);
            faults.extend([
                Fault::SlowAnswers,
                Fault::FreezeDatabase,
                Fault::KillDatabase,
            ]);
        }
        if let Database::Cluster(_) = self.database {
            faults.extend([Fault::Cut, Fault::FreezeDatabase]);
        }
        if self.database.can_fail_over() {
            faults.push(Fault::FailOver);
        }
        if self.database.can_be_filled() {
            faults.push(Fault::FillDatabase);
        }
        faults
    }

    fn happen(&mut self, fault: Fault, rng: &mut Rng) {
        let chosen = rng.usize(..self.count());
        match fault {
            Fault::KillServer => {
                self.kill(chosen);
                wait(rng.u64(..200));
                // A server that does not find its database does not start.
                self.lose_answers(0);
                self.start(chosen);
            }
            Fault::FreezeServer => {
                self.signal(chosen, "STOP");
                wait(rng.u64(20..300));
                self.signal(chosen, "CONT");
            }
            Fault::KillDatabase => self.database.kill_and_start_again(),
            Fault::FreezeDatabase => {
                self.database.freeze();
                // Now and then for longer than the servers wait.
                wait(if rng.u8(..10) == 0 && !self.proxies.is_empty() {
                    5_500
                } else {
                    rng.u64(20..600)
                });
                self.database.thaw();
            }
            Fault::FillDatabase => {
                self.database.fill();
                wait(rng.u64(20..300));
                self.database.make_room();
            }
            Fault::FailOver => {
                self.database.fail_over(&self.proxies, rng);
            }
            Fault::Cut => {
                self.proxies.iter().for_each(Proxy::cut);
                self.database.cut();
            }
            Fault::LoseAnswers => self.lose_answers(rng.usize(1..=8)),
            Fault::SlowAnswers => {
                let slow_down = |millis| {
                    let slow_down = |proxy: &Proxy| proxy.slow_down(millis);
                    self.proxies.iter().for_each(slow_down);
                };
                slow_down(rng.u64(2..40));
                wait(rng.u64(100..600));
                slow_down(0);
            }
        }
    }

    fn lose_answers(&self, count: usize) {
        for proxy in &self.proxies {
            proxy.lose_answers(count);
        }
    }
}

/// Stops when it is told to, or dropped.
pub(crate) struct Faults {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Faults {
    /// Returns what happened, for people.
    pub(crate) fn stop(mut self) -> String {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it was not stopped");
        thread.join().expect("no panic").join(", ")
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Time is what the processes meet each other in: there is no clock to move.
fn wait(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}
