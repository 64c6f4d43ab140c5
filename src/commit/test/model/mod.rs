//! A model of the protocol: the crate's own commit machine, between requests, a store, a near cache, the feed and the
//! browser's jar. Every interleaving is explored, up to a number of steps; each [`Rule`](ledger::Rule) has to hold in every
//! state that there is.
//!
//! - Requests, and what their handlers do ([`Script`]), choose between them the order of their calls. The first is served by
//!   a process without a cache, the others by one with it.
//! - A call may fail, lose its answer after it took effect, or take effect at any time after its failure was told. A process
//!   may crash before or after its call. The feed may be late or silent. Expired records are swept at once, and time passes
//!   the cache's, the idle and the absolute end.
//! - Assumed is what [`SessionStore`](crate::SessionStore) promises: each call is atomic. That a call is made in two steps, or
//!   a transaction's closure fails, is left to the scenarios and to `tests/races/fuzz`.
//!
//! - No time passes within a commit that moves or ends its session: it takes less than a tombstone lives. A handler that
//!   works for longer than that is explored, but may remove the cookie of a login that moved its session meanwhile, from 8
//!   steps on.
//!
//! Without a variable three requests are explored for 5 steps (148,757 states, 94,182 of them different), two with all
//! scripts for 4, one with two mishaps for 7. More steps, here 974,663 and 1,146,193 states:
//! `WIZ_MODEL_DEPTH=7 cargo test --release --lib model -- --nocapture` tells the number of states.

mod cache;
mod call;
mod fault;
mod ledger;
mod script;
mod store;
mod times;
mod visit;
mod world;

use stateright::{Checker, Model};

use self::{
    fault::Fault,
    script::Script::{self, *},
    world::{Session, World},
};

/// Explores a world. Answers which rule is broken, and by which way there.
fn explored(world: World) -> Vec<(&'static str, String)> {
    let began = std::time::Instant::now();
    let is_right = world.fault.is_none();
    let checker = world.checker().threads(2);
    let checker = match is_right {
        true => checker,
        false => checker.finish_when(stateright::HasDiscoveries::AnyFailures),
    };
    let checker = checker.spawn_bfs().join();
    println!(
        "{} steps, {} states, {} of them different, {:?}",
        checker.max_depth() - 1,
        checker.state_count(),
        checker.unique_state_count(),
        began.elapsed()
    );
    let broken = checker.discoveries().into_iter();
    let mut broken: Vec<_> = broken
        .map(|(rule, path)| (rule, format!("{:?}", path.into_actions())))
        .collect();
    broken.sort_unstable();
    broken
}

fn depth(default: u8) -> u8 {
    let depth = std::env::var("WIZ_MODEL_DEPTH").ok();
    depth.map_or(default, |depth| depth.parse().expect("a number of steps"))
}

#[test]
fn three_requests_lose_nothing_and_do_nothing_twice() {
    let world = World {
        fault: None,
        sessions: vec![Session::Plain, Session::Remembered],
        scripts: vec![
            vec![Saves, LogsIn, Clears],
            vec![Reads, Pushes, LogsIn],
            vec![Reads, Pushes, LogsIn],
        ],
        depth: depth(5),
        mishaps: 1,
        waits: 1,
    };
    assert_eq!(explored(world), []);
}

/// With everything that a handler can do.
#[test]
fn two_requests_lose_nothing_and_do_nothing_twice() {
    let world = World {
        fault: None,
        sessions: vec![Session::Plain, Session::Remembered],
        scripts: vec![Script::ALL.to_vec(); 2],
        depth: depth(4),
        mishaps: 1,
        waits: 1,
    };
    assert_eq!(explored(world), []);
}

/// One request alone, to its end, whatever fails.
#[test]
fn one_request_loses_nothing_and_does_nothing_twice() {
    for cached in [false, true] {
        let mut scripts = vec![Script::ALL.to_vec()];
        if cached {
            // The first is the one without a cache. It is over at once.
            scripts.insert(0, vec![Reads]);
        }
        let world = World {
            fault: None,
            sessions: vec![Session::None, Session::Plain, Session::Remembered],
            scripts,
            depth: depth(7),
            mishaps: 2,
            waits: 0,
        };
        assert_eq!(explored(world), []);
    }
}

/// Each fault, in the smallest world that shows it, with the rule that it breaks.
#[test]
fn each_planted_fault_is_found() {
    use Session::{None, Plain, Remembered};
    let one = |script: Script| vec![script];
    let table = [
        (
            Fault::NoVersionCheck,
            "NothingLost",
            Plain,
            [Pushes, Pushes],
            4,
            0,
        ),
        (
            Fault::NoTombstone,
            "EndedForGood",
            Plain,
            [LogsIn, Reads],
            2,
            0,
        ),
        (
            Fault::ReplaceInserts,
            "EndedForGood",
            Plain,
            [Pushes, Clears],
            4,
            0,
        ),
        (
            Fault::TouchPostponesTheAbsoluteEnd,
            "AbsoluteEnd",
            Plain,
            [Reads, Reads],
            2,
            0,
        ),
        (
            Fault::TouchAnswersForATombstone,
            "JarGoesForward",
            Remembered,
            [Reads, LogsIn],
            5,
            0,
        ),
        (
            Fault::DoubtIsTakenForFailure,
            "Once",
            Plain,
            [Saves, Reads],
            6,
            2,
        ),
        (
            Fault::DoubtIsTakenForFailure,
            "RefusedIsNotStored",
            Plain,
            [Pushes, Reads],
            3,
            2,
        ),
        (
            Fault::CacheKeepsGone,
            "NothingLost",
            None,
            [Reads, SavesLast],
            6,
            1,
        ),
        (
            Fault::CacheKeepsForever,
            "EndedForGood",
            Plain,
            [Clears, Reads],
            4,
            1,
        ),
        (
            Fault::EachResponseSetsTheCookie,
            "JarGoesForward",
            Plain,
            [LogsIn, Pushes],
            5,
            0,
        ),
    ];
    for (fault, rule, session, [first, second], depth, mishaps) in table {
        let mut scripts = vec![one(first), one(second)];
        if fault == Fault::CacheKeepsGone {
            // Another request to the same process.
            scripts.push(one(second));
        }
        let world = |fault, depth| World {
            fault,
            sessions: vec![session],
            scripts: scripts.clone(),
            depth,
            mishaps,
            waits: u8::from(fault == Some(Fault::CacheKeepsForever)),
        };
        let found = explored(world(Some(fault), depth));
        let is_found = found.iter().any(|(broken, _)| *broken == rule);
        assert!(is_found, "{fault:?} breaks no {rule}, but {found:?}");
        let found = explored(world(Option::None, depth));
        assert_eq!(found, [], "without {fault:?}");
    }
}
