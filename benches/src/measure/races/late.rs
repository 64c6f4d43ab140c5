//! A request that has loaded its session, and writes to it when another has ended the session or given it another id. The
//! order is fixed: nothing here is left to chance.

use tokio::runtime::Runtime;

use super::{
    DISTANCES, ROUNDS, Scene,
    browser::Browser,
    contestants::{self, Contestant, OURS},
    routes, target,
};
use crate::{table::Table, targets::Target};

pub fn after_logout(runtime: &Runtime) -> Target {
    let mut table = Table::new([
        "contestant",
        "is back",
        "with the login",
        "logout with another process: is back",
        "with the login",
    ]);
    let mut ends = true;
    for one in &contestants::ALL {
        eprintln!("races: {}, after a logout", one.name);
        let mut row = vec![one.name.to_owned()];
        for process in [0, 1] {
            let all = late(runtime, one, routes::LOG_OUT, process);
            row.push(of(&all, |late| late.old_lives));
            row.push(of(&all, |late| late.old_logged_in));
            ends &= one.name != OURS || all.iter().all(|late| !late.old_lives);
        }
        table.row(row);
    }
    table.print("A request that loads before a logout and writes after it: the session");
    println!("\n{}", note());
    target("after a logout: stays ended".to_owned(), ends)
}

pub fn after_regenerate(runtime: &Runtime) -> Target {
    let mut table = Table::new([
        "contestant",
        "old id lives again",
        "with the login",
        "it sets a cookie",
        "the browser: has what it wrote",
        "is logged in",
    ]);
    let mut dead = true;
    for one in &contestants::ALL {
        eprintln!("races: {}, after a new id", one.name);
        let all = late(runtime, one, routes::REGENERATE, 0);
        table.row([
            one.name.to_owned(),
            of(&all, |late| late.old_lives),
            of(&all, |late| late.old_logged_in),
            of(&all, |late| late.sets_cookie),
            of(&all, |late| late.kept),
            of(&all, |late| late.logged_in),
        ]);
        let is_right = |late: &Late| !late.old_lives && !late.sets_cookie && late.logged_in;
        dead &= one.name != OURS || all.iter().all(is_right);
    }
    table.print("A request that loads before a new id and writes after it");
    println!("\n{}", note());
    target(
        "after a new id: the old one is dead, the login stands".to_owned(),
        dead,
    )
}

fn late(runtime: &Runtime, contestant: &Contestant, path: &str, process: usize) -> Vec<Late> {
    let round = async |distance| {
        let scene = Scene::new(contestant, distance).await;
        race(&scene, path, process).await
    };
    DISTANCES
        .iter()
        .flat_map(|distance| [*distance; ROUNDS])
        .map(|distance| runtime.block_on(round(distance)))
        .collect()
}

fn note() -> String {
    format!("In a fixed order; {ROUNDS} rounds at each of {DISTANCES:?} ms.")
}

fn of(all: &[Late], is: fn(&Late) -> bool) -> String {
    format!(
        "{} of {}",
        all.iter().filter(|late| is(late)).count(),
        all.len()
    )
}

/// What the late request has done.
#[derive(Clone, Copy)]
struct Late {
    /// With the cookie from before there is a session again,
    old_lives: bool,
    /// in which the user is logged in.
    old_logged_in: bool,
    sets_cookie: bool,
    /// Once the late answer has arrived, too: what it wrote is in the browser's session,
    kept: bool,
    /// and the browser is logged in.
    logged_in: bool,
}

/// The request is with the first process; the other one, `path`, with the process of this number.
async fn race(scene: &Scene, path: &str, process: usize) -> Late {
    let here = &scene.apps[0];
    let mut browser = Browser::default();
    browser.get(here, routes::LOG_IN).await;
    let old = browser.clone();

    let slow = tokio::spawn({
        let (old, app) = (old.clone(), here.clone());
        async move { old.ask(&app, routes::SLOW).await }
    });
    scene.meeting.meet().await;
    let answer = browser.get(&scene.apps[process], path).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.status);
    scene.meeting.meet().await;
    let late = slow.await.expect("the request is answered");

    browser.keep(&late);
    let kept = browser.ask(here, &routes::kept(1)).await.body == "1";
    let logged_in = browser.ask(here, routes::USER).await.body == "7";
    let old_logged_in = old.ask(here, routes::USER).await.body == "7";
    let old_key = old.ask(here, &routes::kept(1)).await.body == "1";
    Late {
        old_lives: old_logged_in || old_key,
        old_logged_in,
        sets_cookie: late.sets_cookies(),
        kept,
        logged_in,
    }
}
