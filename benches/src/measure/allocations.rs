//! Allocations and bytes a request.

use super::Figures;
use crate::{
    contestants::{self, Contestant, NOOP},
    counting,
    scenario::{self, Scenario},
    stage::Stage,
    table::Table,
};

/// So many that a table that grows now and then hardly counts.
const REQUESTS: usize = 1_024;

#[derive(Clone, Copy)]
pub struct PerRequest {
    pub calls: f64,
    pub bytes: f64,
}

/// Allocations over `noop`.
pub fn measure() -> Figures {
    let head = || ["scenario"].into_iter();
    let mut calls = Table::new(head().chain(contestants::ALL.iter().map(|one| one.name)));
    let mut bytes = Table::new(head().chain(contestants::ALL.iter().map(|one| one.name)));
    let mut figures = Figures::new();
    for scenario in &scenario::ALL {
        let title = scenario.title();
        let counts = counts(scenario);
        let noop = noop();
        insert(&mut figures, &title, &counts);
        let cells = |of: fn(&PerRequest) -> f64| {
            let mut cells = vec![title.clone()];
            for (index, count) in counts.iter().enumerate() {
                cells.push(if index <= noop {
                    format!("{:.0} in all", of(count))
                } else {
                    format!("{:+.1}", of(count) - of(&counts[noop]))
                });
            }
            cells
        };
        calls.row(cells(|count| count.calls));
        bytes.row(cells(|count| count.bytes));
    }
    calls.print("Allocations of a request over `noop`");
    bytes.print("Bytes allocated by a request over `noop`");
    figures
}

/// Allocations over `noop`, unprinted.
pub fn figures(scenarios: impl IntoIterator<Item = &'static Scenario>) -> Figures {
    let mut figures = Figures::new();
    for scenario in scenarios {
        insert(&mut figures, &scenario.title(), &counts(scenario));
    }
    figures
}

fn counts(scenario: &'static Scenario) -> Vec<PerRequest> {
    eprintln!("allocations: {}", scenario.title());
    let all = contestants::ALL.iter();
    all.map(|one| per_request(one, scenario)).collect()
}

fn insert(figures: &mut Figures, title: &str, counts: &[PerRequest]) {
    for (one, count) in contestants::ALL.iter().zip(counts) {
        let over = count.calls - counts[noop()].calls;
        figures.insert((title.to_owned(), one.name), over);
    }
}

fn noop() -> usize {
    let mut all = contestants::ALL.iter();
    all.position(|one| one.name == NOOP).expect("noop runs")
}

pub fn per_request(contestant: &Contestant, scenario: &'static Scenario) -> PerRequest {
    let mut stage = Stage::new(contestant, scenario);
    let requests = stage.requests(4 * REQUESTS);
    stage.run(requests);
    let requests = stage.requests(REQUESTS);
    let counts = counting::count(|| stage.run(requests));
    PerRequest {
        calls: counts.calls as f64 / REQUESTS as f64,
        bytes: counts.bytes as f64 / REQUESTS as f64,
    }
}
