//! Requests that meet on one session, with a store that is some way off, and one that fails. With a store at no distance
//! nearly everybody looks right.

mod at_once;
mod browser;
mod contestants;
mod failures;
mod late;
mod routes;
mod way;

use std::time::Duration;

use axum::Router;

use self::{contestants::Contestant, routes::Meeting, way::Way};
use crate::targets::{self, Target};

/// Of each race, at each distance.
const ROUNDS: usize = 7;
/// Round trips to the store, in ms.
const DISTANCES: [u64; 3] = [0, 2, 10];

/// A contestant's processes, with an empty store.
struct Scene {
    apps: [Router; 3],
    way: Way,
    meeting: Meeting,
}

impl Scene {
    async fn new(contestant: &Contestant, distance: u64) -> Self {
        let way = Way::new(Duration::from_millis(distance));
        let meeting = Meeting::new();
        Self {
            apps: (contestant.apps)(way.clone(), meeting.clone()).await,
            way,
            meeting,
        }
    }
}

pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime starts");
    let mut held = at_once::one_process(&runtime);
    held.push(at_once::two_processes(&runtime));
    held.push(late::after_logout(&runtime));
    held.push(late::after_regenerate(&runtime));
    held.push(failures::measure(&runtime));
    targets::print("Targets: races", &held);
}

/// What is to hold for the library.
fn target(what: String, holds: bool) -> Target {
    Target {
        what,
        target: "always".to_owned(),
        measured: if holds { "always" } else { "not always" }.to_owned(),
        holds,
    }
}
