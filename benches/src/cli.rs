//! What a session layer costs, measured. See `README.md`.

mod check;
mod contestants;
mod counting;
mod measure;
mod routes;
mod scenario;
mod stage;
mod stats;
mod table;
mod targets;

use std::{env, process::ExitCode};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const USAGE: &str = "\
cargo run --release -- COMMAND

all            everything below, in this order
time           ns a request over `bare` and `noop`; of the scenarios that follow, if any
allocations    allocations and bytes a request
instructions   instructions a request (needs valgrind)
heap           bytes a live session
connection     what a connection costs
wrk            requests per second over loopback (needs wrk)
scaling        two threads, 1,000 and 1,000,000 sessions, the sweeper
hot            a thousand requests at once on one session
races          requests that meet, with a store some way off, and one that fails: what is kept, lost, revived
parts          what the work itself costs: HMAC, clock, store calls
bound          what binding a session to its device costs a request
flask          Flask's cookie, beside itsdangerous
databases      Redis and PostgreSQL (needs their servers); of the one that follows, if any
feed           how soon an end is told, what watching costs (needs the servers)
cache          the near cache, beside tower-sessions' (needs the servers)
redis          the Redis store beside redis-benchmark, large sessions, sweeps; of the one that follows, if any
dependencies   crates of an application, and the time to build it

guide          the tables of docs/performance.md that are about single requests, as they stand there
guide counts   the same without the times, for a busy machine

spin CONTESTANT SCENARIO               one scenario for ten seconds, for a profiler
spin DATABASE CONTESTANT reads|writes   the same on Redis or PostgreSQL

check            allocations and instructions beside baseline.csv; fails if one grew by more than 5 %
check --update   writes baseline.csv";

const ALL: &[(&str, fn())] = &[
    ("time", || {
        targets::print_time(&measure::time::measure(&scenario::ALL));
    }),
    ("allocations", || {
        targets::print_allocations(&measure::allocations::measure());
    }),
    ("instructions", || drop(measure::instructions::measure())),
    ("heap", || targets::print_heap(&measure::heap::measure())),
    ("connection", measure::connection::measure),
    ("wrk", measure::wrk::measure),
    ("scaling", measure::scaling::measure),
    ("hot", measure::hot::measure),
    #[cfg(feature = "peers")]
    ("races", measure::races::measure),
    ("parts", measure::parts::measure),
    ("bound", measure::bound::measure),
    #[cfg(feature = "flask")]
    ("flask", measure::flask::measure),
    #[cfg(feature = "databases")]
    ("databases", || {
        measure::databases::measure(&measure::databases::ALL)
    }),
    #[cfg(feature = "databases")]
    ("redis", || {
        measure::redis::ALL
            .iter()
            .for_each(|(_, measure)| measure())
    }),
    #[cfg(feature = "databases")]
    ("feed", measure::feed::measure),
    #[cfg(feature = "databases")]
    ("cache", measure::cache::measure),
    ("dependencies", measure::dependencies::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["all"] => ALL.iter().for_each(|(_, measure)| measure()),
        ["check"] => return check::check(),
        ["check", "--update"] => return check::update(),
        // Children of `instructions` and `wrk`.
        ["drive", contestant, scenario, requests] => measure::instructions::drive(
            contestants::named(contestant),
            scenario::titled(scenario),
            requests.parse().expect("a number"),
        ),
        ["time", ref titles @ ..] if !titles.is_empty() => {
            drop(measure::time::measure(
                titles.iter().map(|title| scenario::titled(title)),
            ));
        }
        ["guide"] => measure::guide::measure(),
        ["guide", "counts"] => measure::guide::counts(),
        #[cfg(feature = "databases")]
        ["redis", name] if measure::redis::ALL.iter().any(|(named, _)| *named == name) => {
            let chosen = measure::redis::ALL
                .iter()
                .filter(|(named, _)| *named == name);
            chosen.for_each(|(_, measure)| measure());
        }
        #[cfg(feature = "databases")]
        ["databases", database] => measure::databases::measure(&[database]),
        ["spin", contestant, scenario] => {
            measure::time::spin(contestants::named(contestant), scenario::titled(scenario))
        }
        #[cfg(feature = "databases")]
        ["spin", database, contestant, requested] => {
            measure::databases::spin(database, contestant, requested);
        }
        ["serve", contestant] => measure::wrk::serve(contestants::named(contestant)),
        [command] if ALL.iter().any(|(name, _)| *name == command) => {
            for (_, measure) in ALL.iter().filter(|(name, _)| *name == command) {
                measure();
            }
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
