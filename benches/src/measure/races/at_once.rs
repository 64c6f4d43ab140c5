//! Requests at once on one session: how many of their changes are there afterwards.

use std::{sync::Arc, time::Instant};

use tokio::{runtime::Runtime, sync::Barrier, task::JoinSet};

use super::{
    DISTANCES, ROUNDS, Scene,
    browser::Browser,
    contestants::{self, Contestant, OURS},
    routes, target,
};
use crate::{stats::median, table::Table, targets::Target};

const CROWDS: [usize; 3] = [5, 10, 100];

pub fn one_process(runtime: &Runtime) -> Vec<Target> {
    let mut held = Vec::new();
    for (what, change) in [
        ("set a key of its own", Change::OwnKey),
        ("add one to a number", Change::AddOne),
        (
            "add one to a number after 5 ms of work",
            Change::AddOneSlowly,
        ),
    ] {
        let head = || {
            let crowds = DISTANCES
                .iter()
                .flat_map(|ms| CROWDS.map(|n| format!("{ms} ms: {n}")));
            ["contestant".to_owned()].into_iter().chain(crowds)
        };
        let [mut kept, mut lost, mut took] = [(); 3].map(|()| Table::new(head()));
        for one in &contestants::ALL {
            let mut rows = [(); 3].map(|()| vec![one.name.to_owned()]);
            let mut all_kept = true;
            for distance in DISTANCES {
                for count in CROWDS {
                    eprintln!("races: {}, {what}, {distance} ms, {count}", one.name);
                    let rounds = rounds(runtime, one, distance, 1, count, change);
                    rows[0].push(spread(&rounds, |round| round.kept));
                    rows[1].push(lost_of(&rounds));
                    rows[2].push(format!("{:.1}", middle(&rounds, |round| round.took)));
                    all_kept &= rounds.iter().all(|round| round.kept == count as f64);
                }
            }
            let [row_kept, row_lost, row_took] = rows;
            kept.row(row_kept);
            lost.row(row_lost);
            took.row(row_took);
            if one.name == OURS {
                held.push(target(format!("at once, {what}: all kept"), all_kept));
            }
        }
        kept.print(&format!("At once, each to {what}: kept"));
        lost.print(&format!("At once, each to {what}: answered 200 and lost"));
        took.print(&format!(
            "At once, each to {what}: ms until all are answered"
        ));
    }
    println!(
        "\nRequests at once on one session: round trip to the store and number of requests. Medians of {ROUNDS} rounds, \
         and the least and the most where they differ."
    );
    held
}

pub fn two_processes(runtime: &Runtime) -> Target {
    let changes = [Change::OwnKey, Change::AddOne];
    let mut table = Table::new([
        "contestant",
        "keys kept",
        "answered 200 and lost",
        "added",
        "answered 200 and lost",
    ]);
    let mut all_kept = true;
    for one in &contestants::ALL {
        eprintln!("races: {}, two processes", one.name);
        let mut row = vec![one.name.to_owned()];
        for change in changes {
            let rounds = rounds(runtime, one, 2, 2, 100, change);
            row.push(spread(&rounds, |round| round.kept));
            row.push(lost_of(&rounds));
            all_kept &= one.name != OURS || rounds.iter().all(|round| round.kept == 100.0);
        }
        table.row(row);
    }
    table.print("Two processes");
    println!(
        "\n100 requests at once on one session, half of them with either process, 2 ms from the store; read by a third. \
         Medians of {ROUNDS} rounds, and the least and the most where they differ."
    );
    target("two processes: all kept".to_owned(), all_kept)
}

fn rounds(
    runtime: &Runtime,
    contestant: &Contestant,
    distance: u64,
    processes: usize,
    count: usize,
    change: Change,
) -> Vec<Outcome> {
    let round = async || {
        let scene = Scene::new(contestant, distance).await;
        race(&scene, processes, count, change).await
    };
    (0..ROUNDS).map(|_| runtime.block_on(round())).collect()
}

#[derive(Clone, Copy)]
enum Change {
    /// Each sets a key of its own.
    OwnKey,
    /// Each adds one to the same number.
    AddOne,
    /// Adds one to the number, with some work between the read and the write.
    AddOneSlowly,
}

#[derive(Clone, Copy)]
struct Outcome {
    kept: f64,
    /// Answered 200, and not there.
    lost: f64,
    /// Answered with another status.
    refused: f64,
    /// Milliseconds until all were answered.
    took: f64,
}

/// So many requests, which turn to so many processes in turn.
async fn race(scene: &Scene, processes: usize, count: usize, change: Change) -> Outcome {
    let mut browser = Browser::default();
    browser.get(&scene.apps[0], routes::LOG_IN).await;
    let start = Arc::new(Barrier::new(count + 1));
    let mut requests = JoinSet::new();
    for n in 0..count {
        let app = scene.apps[n % processes].clone();
        let (browser, start) = (browser.clone(), start.clone());
        let path = match change {
            Change::OwnKey => routes::set(n),
            Change::AddOne => routes::ADD.to_owned(),
            Change::AddOneSlowly => routes::ADD_SLOWLY.to_owned(),
        };
        requests.spawn(async move {
            start.wait().await;
            browser.ask(&app, &path).await.status
        });
    }
    let begun = Instant::now();
    start.wait().await;
    let statuses = requests.join_all().await;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let done = statuses.iter().filter(|one| one.is_success()).count();
    // One process is asked itself, as some keep sessions in memory; of several it is what one sees that starts now.
    let seen_by = if processes == 1 { 0 } else { 2 };
    let path = match change {
        Change::OwnKey => routes::kept(count),
        Change::AddOne | Change::AddOneSlowly => routes::COUNT.to_owned(),
    };
    let kept = browser.get(&scene.apps[seen_by], &path).await.number();
    Outcome {
        kept: kept as f64,
        lost: done.saturating_sub(kept) as f64,
        refused: (count - done) as f64,
        took,
    }
}

fn middle(rounds: &[Outcome], of: fn(&Outcome) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    median(&mut values)
}

fn spread(rounds: &[Outcome], of: fn(&Outcome) -> f64) -> String {
    let values = || rounds.iter().map(of);
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(0.0, f64::max);
    if least == most {
        format!("{most:.0}")
    } else {
        format!("{:.0} ({least:.0} to {most:.0})", middle(rounds, of))
    }
}

fn lost_of(rounds: &[Outcome]) -> String {
    let lost = spread(rounds, |round| round.lost);
    if rounds.iter().all(|round| round.refused == 0.0) {
        return lost;
    }
    let refused = spread(rounds, |round| round.refused);
    format!("{lost}; {refused} refused")
}
