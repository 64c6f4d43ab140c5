//! What happens to the database and to the way there, after each so many requests.

use std::{sync::Arc, thread, time::Duration};

use fastrand::Rng;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{plan::Plan, site::Site, traffic::Traffic};

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill,
    Freeze,
    Cut,
    LoseAnswers,
    SlowAnswers,
}

const ALL: [Fault; 5] = [
    Fault::Kill,
    Fault::Freeze,
    Fault::Cut,
    Fault::LoseAnswers,
    Fault::SlowAnswers,
];

/// Until all requests are sent. Returns the site, whole again, and what happened to it, for people.
pub(crate) fn between(
    plan: &Plan,
    mut site: Site,
    traffic: &Arc<Traffic>,
) -> JoinHandle<(Site, String)> {
    let (traffic, every) = (Arc::clone(traffic), plan.fault_every);
    let mut rng = Rng::with_seed(plan.seed);
    spawn_blocking(move || {
        let (mut next, mut round, mut told) = (every, Vec::new(), [0; ALL.len()]);
        while !traffic.is_over() {
            if traffic.sent() < next {
                wait(5);
                continue;
            }
            next += every;
            if round.is_empty() {
                round.extend(0..ALL.len());
                rng.shuffle(&mut round);
            }
            let chosen = round.pop().expect("it was filled");
            happen(&mut site, ALL[chosen], told[chosen], &mut rng);
            told[chosen] += 1;
        }
        let told = ALL
            .iter()
            .zip(told)
            .map(|(fault, times)| format!("{times} × {fault:?}"));
        (site, told.collect::<Vec<_>>().join(", "))
    })
}

/// `before`: how often it has happened already.
fn happen(site: &mut Site, fault: Fault, before: usize, rng: &mut Rng) {
    match fault {
        Fault::Kill => site.database.kill_and_start_again(),
        Fault::Freeze => {
            site.database.freeze();
            // Now and then for longer than the servers wait.
            wait(match before % 5 {
                4 => 5_500,
                _ => rng.u64(20..600),
            });
            site.database.thaw();
        }
        Fault::Cut => site.proxy.cut(),
        Fault::LoseAnswers => site.proxy.lose_answers(rng.usize(1..=8)),
        Fault::SlowAnswers => {
            site.proxy.slow_down(rng.u64(2..40));
            wait(rng.u64(100..600));
            site.proxy.slow_down(0);
        }
    }
}

/// Time is what the processes meet each other in: there is no clock to move.
fn wait(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}
