//! Bytes that a live session holds in the memory store.

use super::Figures;
use crate::{
    contestants, counting, routes,
    stage::{call, request, runtime},
    table::Table,
};

const SESSIONS: usize = 100_000;
pub const TITLE: &str = "live session of 3 small keys, heap bytes";

pub fn measure() -> Figures {
    let mut table = Table::new(["contestant", "heap bytes"]);
    let mut figures = Figures::new();
    for one in contestants::with_sessions() {
        eprintln!("heap: {}", one.name);
        let runtime = runtime();
        let mut app = one.app_on(&runtime);
        let counts = counting::count(|| {
            runtime.block_on(async {
                for _ in 0..SESSIONS {
                    call(&mut app, request(routes::FILL_SMALL, None)).await;
                }
            });
        });
        let bytes = counts.live as f64 / SESSIONS as f64;
        figures.insert((TITLE.to_owned(), one.name), bytes);
        table.row([one.name.to_owned(), format!("{bytes:.0}")]);
    }
    table.print("A live session of 3 small keys");
    println!("\nHeap bytes that {SESSIONS} sessions hold, divided by their number.");
    figures
}
