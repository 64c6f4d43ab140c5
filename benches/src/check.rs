//! The short mode: allocations and instructions of the library beside a committed table.

use std::{fmt::Write, fs, process::ExitCode};

use crate::{
    contestants::wiz_session::GROWN,
    measure::{allocations, instructions},
    scenario::{self, Scenario},
    table::Table,
};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.csv");
const HEAD: &str = "scenario;allocations;instructions without SHA-256;instructions of SHA-256";
/// How much more is no failure. Sessions that move leave tombstones, which expire after 30 s: on a busy machine some do while
/// they are counted, and with sessions of 100 keys one and the same program takes 25,300 to 35,100 instructions.
fn slack(scenario: &str) -> f64 {
    if scenario.contains("regenerate") {
        1.4
    } else {
        1.05
    }
}

struct Row {
    scenario: String,
    figures: [f64; 3],
}

pub fn update() -> ExitCode {
    let Some(rows) = measure() else {
        return ExitCode::FAILURE;
    };
    let mut text = format!("{HEAD}\n");
    for Row {
        scenario,
        figures: [calls, rest, sha256],
    } in rows
    {
        writeln!(text, "{scenario};{calls:.1};{rest:.0};{sha256:.0}").expect("memory takes text");
    }
    fs::write(BASELINE, text).expect("the baseline can be written");
    println!("wrote {BASELINE}");
    ExitCode::SUCCESS
}

pub fn check() -> ExitCode {
    let Some(rows) = measure() else {
        return ExitCode::FAILURE;
    };
    let baseline = read();
    let has_grown = |row: &Row, former: &Row| {
        let mut pairs = former.figures.iter().zip(&row.figures);
        let slack = slack(&row.scenario);
        // Rounding is no growth.
        pairs.any(|(before, now)| *now > before * slack + 0.1)
    };
    let mut table = Table::new(["scenario", "allocations", "instructions", "of SHA-256", ""]);
    let mut grown = 0;
    for mut row in rows {
        let former = baseline.iter().find(|other| other.scenario == row.scenario);
        let Some(former) = former else {
            println!(
                "\"{}\" is not in the baseline: `-- check --update`",
                row.scenario
            );
            return ExitCode::FAILURE;
        };
        // Ids are random, and with them where memory comes to lie: once in some hundred times that costs something.
        if has_grown(&row, former) {
            row = self::row(scenario::titled(&row.scenario));
        }
        let has_grown = has_grown(&row, former);
        grown += usize::from(has_grown);
        let pairs = former.figures.iter().zip(&row.figures);
        let mut cells = vec![row.scenario];
        cells.extend(pairs.map(|(before, now)| format!("{before} → {now:.1}")));
        cells.push(if has_grown { "GROWN" } else { "ok" }.to_owned());
        table.row(cells);
    }
    table.print("Beside the baseline");
    if grown > 0 {
        println!(
            "\n{grown} scenarios grew by more than 5 %, or with a new id by 40 %. If that is wanted: `-- check --update`"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn measure() -> Option<Vec<Row>> {
    if !instructions::is_available() {
        return None;
    }
    Some(scenario::ALL.iter().map(row).collect())
}

fn row(scenario: &'static Scenario) -> Row {
    let calls = allocations::per_request(&GROWN, scenario).calls;
    let instructions::PerRequest { sha256, rest } = instructions::per_request(&GROWN, scenario);
    Row {
        scenario: scenario.title(),
        figures: [calls, rest, sha256],
    }
}

fn read() -> Vec<Row> {
    let text = fs::read_to_string(BASELINE).expect("the baseline is committed");
    let row = |line: &str| {
        let mut cells = line.split(';');
        let scenario = cells.next().unwrap_or_default().to_owned();
        let figures = std::array::from_fn(|_| {
            let cell = cells.next().and_then(|cell| cell.parse().ok());
            cell.expect("a scenario and three numbers")
        });
        Row { scenario, figures }
    };
    text.lines().skip(1).map(row).collect()
}
