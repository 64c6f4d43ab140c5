//! Requests that are dropped at any await, on a store that fails, loses answers and hangs.
//!
//! Each change of a request is a token that no other change has. Whoever was told that it is stored finds it stored, and
//! no later write loses it; what was refused is not stored; nothing is stored twice. No request hangs, no record is left
//! whose cookie nobody can have, and once the store is healed every session works.
//!
//! Requests come to up to three processes, some of which have a cache that may miss any news. What such a process shows is
//! stored, and once the time of a cache is over, or at once where nothing is lost, it is the newest.
//!
//! In a third of the rounds the sessions of users are bound to their device, and in the end they still are.
//!
//! A failure prints its seed; `WIZ_FUZZ_SEED` runs that one alone, `WIZ_FUZZ_SECONDS` is for how long to go on.

mod in_steps;
mod log;
mod request;
mod store;
mod world;

use std::time::{Duration, Instant};

use self::world::World;
use crate::seeds::{PrintOnPanic, number};

#[test]
fn nothing_is_lost_or_done_twice_whatever_is_dropped_or_fails() {
    let seconds = number("WIZ_FUZZ_SECONDS").unwrap_or(5);
    let (began, mut rounds) = (Instant::now(), 0_u64);
    match number("WIZ_FUZZ_SEED") {
        Some(seed) => round(seed, true),
        None => {
            while began.elapsed() < Duration::from_secs(seconds) {
                round(fastrand::u64(..), false);
                rounds += 1;
            }
        }
    }
    println!("{rounds} rounds");
}

fn round(seed: u64, tells: bool) {
    let _print = PrintOnPanic {
        variable: "WIZ_FUZZ_SEED",
        seed,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(World::new(seed, tells).run());
}

/// Names a change: no other has it.
type Token = u64;

/// Names a request.
type Visit = usize;
