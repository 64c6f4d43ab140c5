//! What a connection costs before its first request: `axum::serve` clones the router and applies its layers anew.

use std::{hint::black_box, time::Instant};

use axum::Router;
use tower_layer::Layer;
use wiz_session::{Key, MemoryStore, WizSessionLayer};

use crate::{contestants, counting, stage::runtime, stats::median, table::Table};

const CONNECTIONS: usize = 100;

pub fn measure() {
    let mut table = Table::new(["contestant", "allocations", "ns"]);
    for one in contestants::ALL {
        let runtime = runtime();
        let _inside = runtime.enter();
        let app = (one.app)();
        let counts = counting::count(|| {
            for _ in 0..CONNECTIONS {
                drop(black_box(connect(&app)));
            }
        });
        let mut times: Vec<f64> = (0..21)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..CONNECTIONS {
                    drop(black_box(connect(&app)));
                }
                start.elapsed().as_nanos() as f64 / CONNECTIONS as f64
            })
            .collect();
        table.row([
            one.name.to_owned(),
            format!("{:.1}", counts.calls as f64 / CONNECTIONS as f64),
            format!("{:.0}", median(&mut times)),
        ]);
    }
    table.print("A connection");
    let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
    let layered = counting::count(|| drop(black_box(layer.layer(()))));
    println!(
        "\nThe router, with 9 routes, cloned and given its state, as `axum::serve` does at each connection. axum boxes \
         a layer that is not empty once a route; the library's own `Layer::layer` allocates {} times.",
        layered.calls
    );
}

/// As in `impl Service<IncomingStream> for Router`.
fn connect(app: &Router) -> Router {
    app.clone().with_state(())
}
