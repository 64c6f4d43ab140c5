//! The tables of `docs/performance.md` that compare requests, as they stand there.

use super::{Figures, allocations, heap, time};
use crate::{
    contestants::{self, OURS, PEER, SKETCH},
    scenario, stats,
    table::Table,
    targets,
};

/// The scenarios that stand there.
const ROWS: [&str; 11] = [
    "3 keys, untouched, no cookie",
    "3 keys, untouched, cookie",
    "3 keys, read",
    "3 keys, write",
    "1 key, new session",
    "3 keys, forged cookie",
    "3 keys, regenerate",
    "100 keys, read",
    "100 keys, write",
    "3 keys, read, 5 cookies",
    "3 keys, read, 20 cookies",
];

/// A contestant, and how it is called there.
const COLUMNS: &[(&str, &str)] = &[
    (OURS, "wiz-session"),
    (SKETCH, "sketch"),
    (PEER, "tower-sessions, signed"),
    ("tower_sessions", "tower-sessions"),
    ("axum_session", "axum_session"),
    ("axess", "axess"),
    ("ruts", "ruts"),
];

/// Runs of all, of which each cell is the median.
const RUNS: usize = 3;

pub fn measure() {
    let runs: Vec<Figures> = (0..RUNS)
        .map(|_| time::figures(ROWS.iter().map(|title| scenario::titled(title))))
        .collect();
    let of = |title: &str, name: &'static str| {
        let mut values: Vec<f64> = runs
            .iter()
            .map(|figures| figures[&(title.to_owned(), name)])
            .collect();
        stats::median(&mut values)
    };
    let names = || columns().map(|(_, heading)| *heading);
    let ends = ["signed / ours", "we want", "signed / sketch"];
    let mut times = Table::new(["request"].into_iter().chain(names()).chain(ends));
    for title in ROWS {
        let mut cells = vec![title.to_owned()];
        for (name, _) in columns() {
            let unit = if *name == OURS { " ns" } else { "" };
            cells.push(format!("{:+.0}{unit}", of(title, name)));
        }
        cells.push(format!("{:.1}", of(title, PEER) / of(title, OURS)));
        cells.push(targets::part(title).map_or(String::new(), |part| part.to_string()));
        cells.push(format!("{:.1}", of(title, PEER) / of(title, SKETCH)));
        times.row(cells);
    }
    times.print("A request: time over `noop`");
    counts();
}

/// What does not depend on the machine's mood.
pub fn counts() {
    let figures = allocations::figures(ROWS.iter().map(|title| scenario::titled(title)));
    let names = || columns().map(|(_, heading)| *heading);
    let mut calls = Table::new(["request"].into_iter().chain(names()));
    for title in ROWS {
        let of = |name: &'static str| format!("{:.1}", figures[&(title.to_owned(), name)]);
        let cells = columns().map(|(name, _)| of(name));
        calls.row([title.to_owned()].into_iter().chain(cells));
    }
    calls.print("A request: allocations over `noop`");
    drop(heap::measure());
}

/// Those that are built in.
fn columns() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let runs = |name: &str| contestants::ALL.iter().any(|one| one.name == name);
    COLUMNS.iter().filter(move |(name, _)| runs(name))
}
