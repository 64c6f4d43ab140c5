//! Nanoseconds a request, in process: no socket, no HTTP parser.

use std::time::{Duration, Instant};

use super::Figures;
use crate::{
    contestants::{self, BARE, Contestant, NOOP, OURS},
    scenario::Scenario,
    stage::Stage,
    stats::median,
    table::Table,
};

/// Requests in a slice: some 100 µs, so that other programs seldom come between.
const SLICE: usize = 64;
/// Slices of each contestant.
const ROUNDS: usize = 401;

/// Prints them too.
pub fn measure(scenarios: impl IntoIterator<Item = &'static Scenario>) -> Figures {
    let names = || contestants::ALL.iter().map(|one| one.name);
    let head = || ["scenario".to_owned()].into_iter();
    let peers = || names().filter(|name| ![BARE, NOOP, OURS].contains(name));
    let mut over_noop = Table::new(
        head()
            .chain(names().skip(2).map(str::to_owned))
            .chain(peers().map(|name| format!("{name} / ours"))),
    );
    let mut over_bare = Table::new(head().chain(names().map(|name| match name {
        BARE => "bare, in all".to_owned(),
        name => name.to_owned(),
    })));
    let mut figures = Figures::new();
    for scenario in scenarios {
        let title = scenario.title();
        let rounds = rounds(scenario);
        insert(&mut figures, &title, &rounds);
        let over = |index: usize, base: usize| difference(&rounds, index, base);
        let ours = figures[&(title.clone(), OURS)];
        let mut cells = vec![title.clone()];
        cells.extend((2..contestants::ALL.len()).map(|index| format!("{:+.0}", over(index, 1))));
        cells.extend(peers().map(|name| format!("{:.1}", figures[&(title.clone(), name)] / ours)));
        over_noop.row(cells);
        let mut bare: Vec<f64> = rounds.iter().map(|round| round[0]).collect();
        let mut cells = vec![title, format!("{:.0}", median(&mut bare))];
        cells.extend((1..contestants::ALL.len()).map(|index| format!("{:+.0}", over(index, 0))));
        over_bare.row(cells);
    }
    over_noop.print("Time of a request over `noop`, ns");
    over_bare.print("Time of a request over `bare`, ns");
    figures
}

/// Overheads over `noop`, in ns.
pub fn figures(scenarios: impl IntoIterator<Item = &'static Scenario>) -> Figures {
    let mut figures = Figures::new();
    for scenario in scenarios {
        insert(&mut figures, &scenario.title(), &rounds(scenario));
    }
    figures
}

fn insert(figures: &mut Figures, title: &str, rounds: &[Vec<f64>]) {
    for (index, one) in contestants::ALL.iter().enumerate().skip(2) {
        figures.insert((title.to_owned(), one.name), difference(rounds, index, 1));
    }
}

/// The time of a request for each contestant, slice by slice in turn, so that a mood of the machine meets all alike.
fn rounds(scenario: &'static Scenario) -> Vec<Vec<f64>> {
    eprintln!("time: {}", scenario.title());
    let mut stages: Vec<Stage> = contestants::ALL
        .iter()
        .map(|one| Stage::new(one, scenario))
        .collect();
    for stage in &mut stages {
        let requests = stage.requests(16 * SLICE);
        stage.run(requests);
    }
    let mut slice = |index: usize| {
        let stage: &mut Stage = &mut stages[index];
        let requests = stage.requests(SLICE);
        let start = Instant::now();
        stage.run(requests);
        start.elapsed().as_nanos() as f64 / SLICE as f64
    };
    let mut round = |first: usize| {
        let count = contestants::ALL.len();
        let mut times = vec![0.0; count];
        for step in 0..count {
            let index = (first + step) % count;
            times[index] = slice(index);
        }
        times
    };
    (0..ROUNDS).map(&mut round).collect()
}

/// For a profiler.
pub fn spin(contestant: &Contestant, scenario: &'static Scenario) {
    let mut stage = Stage::new(contestant, scenario);
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < Duration::from_secs(10) {
        let requests = stage.requests(SLICE);
        stage.run(requests);
        done += SLICE;
    }
    println!("{done} requests");
}

/// Median of the differences within each round.
fn difference(rounds: &[Vec<f64>], index: usize, base: usize) -> f64 {
    let mut differences: Vec<f64> = rounds
        .iter()
        .map(|round| round[index] - round[base])
        .collect();
    median(&mut differences)
}
