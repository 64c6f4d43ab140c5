//! How often a request asks the database.

use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use tokio::time::sleep;

use super::{
    Database,
    contestants::Contestant,
    proxy::{Counts, Proxy},
    session,
};
use crate::{
    routes,
    stage::{call, request},
    table::Table,
    targets::{self, Target},
};

const REQUESTS: usize = 100;

/// Name, path, whether there is a session before, and the most that the library may ask.
const REQUESTED: [(&str, &str, bool, f64); 5] = [
    ("untouched", routes::UNTOUCHED, true, 0.0),
    ("read", routes::READ, true, 1.0),
    ("write", routes::WRITE, true, 2.0),
    ("new session", routes::FILL_SMALL, false, 1.0),
    ("regenerate", routes::REGENERATE, true, 3.0),
];

pub async fn measure(database: &Database) {
    let names = REQUESTED.iter().map(|(name, ..)| *name);
    let mut table = Table::new(["contestant"].into_iter().chain(names));
    let mut targets = Vec::new();
    for one in database.contestants {
        eprintln!(
            "databases: round trips of {} on {}",
            one.name, database.name
        );
        let trips = of(database, one).await;
        let cells = trips.iter().map(|(trips, pings)| match pings {
            0.0 => format!("{trips:.1}"),
            _ => format!("{trips:.1}, {pings:.1} pings"),
        });
        table.row([one.name.to_owned()].into_iter().chain(cells));
        if one.is_ours() {
            targets = REQUESTED.iter().zip(&trips).map(target).collect();
        }
    }
    table.print(&format!("Round trips of a request on {}", database.name));
    println!(
        "\nCounted on the way to the server, means of {REQUESTS} requests one after the other. A ping is sqlx's: one \
         when a connection goes back to the pool, for which no request waits, and with its default settings one \
         before it is used, for which it does."
    );
    let title = format!("Targets: round trips on {}", database.name);
    targets::print(&title, &targets);
}

fn target(((name, .., most), (trips, _)): (&(&str, &str, bool, f64), &(f64, f64))) -> Target {
    Target {
        what: (*name).to_owned(),
        target: format!("≤ {most:.0}"),
        measured: format!("{trips:.1}"),
        holds: trips <= most,
    }
}

/// Round trips and pings of each kind of request.
async fn of(database: &Database, one: &Contestant) -> Vec<(f64, f64)> {
    let proxy = Proxy::start(database.protocol, database.server.port).await;
    // Over one connection, so that it is warm for all requests when it was for one.
    let app = one.app(&database.url(proxy.port), 1).await;
    let mut trips = Vec::new();
    for (_, path, with_session, _) in REQUESTED {
        count(&proxy, &app, path, with_session, 1).await;
        let counts = count(&proxy, &app, path, with_session, REQUESTS).await;
        let mean = |count: usize| count as f64 / REQUESTS as f64;
        trips.push((mean(counts.trips), mean(counts.pings)));
    }
    trips
}

async fn count(
    proxy: &Proxy,
    app: &Router,
    path: &'static str,
    with_session: bool,
    requests: usize,
) -> Counts {
    let mut lines: Vec<Option<HeaderValue>> = Vec::new();
    for _ in 0..requests {
        lines.push(if with_session {
            Some(session(app).await)
        } else {
            None
        });
    }
    // What comes after a response, such as a ping.
    sleep(Duration::from_millis(50)).await;
    let before = proxy.counts();
    for line in lines {
        call(&mut app.clone(), request(path, line)).await;
    }
    sleep(Duration::from_millis(50)).await;
    proxy.counts() - before
}
