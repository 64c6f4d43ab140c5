//! Instructions a request, counted by callgrind in a child process: they do not depend on the machine's mood.

use std::{
    collections::HashMap,
    env, fs, process,
    process::{Command, Stdio},
    thread,
};

use super::Figures;
use crate::{
    contestants::{self, Contestant},
    scenario::{self, Scenario},
    stage::Stage,
    table::Table,
};

const REQUESTS: usize = 300;

/// What SHA-256 takes is told apart: valgrind hides the processor's SHA instructions, so it is large here and small
/// in reality, and would hide all the rest.
#[derive(Clone, Copy)]
pub struct PerRequest {
    pub sha256: f64,
    pub rest: f64,
}

pub const NOTE: &str = "valgrind hides the processor's SHA instructions: about 16,000 of these per HMAC, and 4,000 per \
    SHA-256, take some 200 ns in reality. They are therefore counted apart.";

pub fn measure() -> Option<Figures> {
    if !is_available() {
        return None;
    }
    let names = contestants::ALL.iter().map(|one| one.name);
    let mut table = Table::new(["scenario"].into_iter().chain(names));
    let mut figures = Figures::new();
    for scenario in &scenario::ALL {
        let title = scenario.title();
        eprintln!("instructions: {title}");
        let mut cells = vec![title.clone()];
        for one in contestants::ALL {
            let PerRequest { sha256, rest } = per_request(one, scenario);
            figures.insert((title.clone(), one.name), rest);
            cells.push(if sha256 < 1.0 {
                format!("{rest:.0}")
            } else {
                format!("{rest:.0} + {sha256:.0} SHA")
            });
        }
        table.row(cells);
    }
    table.print("Instructions of a request");
    println!("\n{NOTE}");
    Some(figures)
}

pub fn is_available() -> bool {
    let found = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !found {
        println!("\nNo instruction counts: there is no valgrind. `apt-get install -y valgrind`");
    }
    found
}

/// The difference of a child with N requests and one with 2 N, both of which prepare the same. They run at the same time:
/// nothing is timed.
pub fn per_request(contestant: &Contestant, scenario: &Scenario) -> PerRequest {
    let [once, twice] = thread::scope(|scope| {
        let children = [1, 2]
            .map(|times| scope.spawn(move || collect(contestant, scenario, times * REQUESTS)));
        children.map(|child| child.join().expect("valgrind runs"))
    });
    let per_request = |of: fn(&PerRequest) -> f64| (of(&twice) - of(&once)) / REQUESTS as f64;
    PerRequest {
        sha256: per_request(|counts| counts.sha256),
        rest: per_request(|counts| counts.rest),
    }
}

fn collect(contestant: &Contestant, scenario: &Scenario, requests: usize) -> PerRequest {
    let name = format!("wiz-session-benches.{}.{requests}.callgrind", process::id());
    let out = env::temp_dir().join(name);
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().expect("this program has a path"))
        .args([
            "drive",
            contestant.name,
            &scenario.title(),
            &requests.to_string(),
        ])
        .status()
        .expect("valgrind was found");
    assert!(status.success(), "valgrind: {status}");
    let profile = fs::read_to_string(&out).expect("callgrind wrote its profile");
    fs::remove_file(&out).expect("the profile is ours");
    parse(&profile)
}

/// The child: prepares for twice [`REQUESTS`] in any case, and runs so many.
pub fn drive(contestant: &Contestant, scenario: &'static Scenario, requests: usize) {
    let mut stage = Stage::new(contestant, scenario);
    let warmup = stage.requests(REQUESTS);
    stage.run(warmup);
    let mut prepared = stage.requests(requests.max(2 * REQUESTS));
    stage.run(prepared.drain(..requests));
    // What is left costs the same to drop whatever ran.
    std::mem::forget(prepared);
}

/// Sums the lines of costs, `position cost`, by function; a line after `calls=` is another function's, and skipped.
fn parse(profile: &str) -> PerRequest {
    let mut is_hash: HashMap<&str, bool> = HashMap::new();
    let mut counts = PerRequest {
        sha256: 0.0,
        rest: 0.0,
    };
    let mut in_hash = false;
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        if let Some(function) = line.strip_prefix("fn=") {
            // `(7) name` the first time, `(7)` from then on.
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            in_hash = *is_hash.entry(id).or_insert_with(|| name.contains("sha2::"));
        } else if let Some(called) = line.strip_prefix("cfn=") {
            if let Some((id, name)) = called.split_once(' ') {
                is_hash.insert(id, name.contains("sha2::"));
            }
        } else if line.starts_with("calls=") {
            lines.next();
        } else if line.starts_with(|first: char| "+-*".contains(first) || first.is_ascii_digit()) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok());
            let cost: f64 = cost.expect("a position and a cost");
            *(if in_hash {
                &mut counts.sha256
            } else {
                &mut counts.rest
            }) += cost;
        }
    }
    counts
}
