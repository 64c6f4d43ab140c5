//! What the library is to reach: overheads over `noop` beside those of [`PEER`] in the same run, and allocations.

use crate::{
    contestants::{OURS, PEER, SKETCH},
    measure::{Figures, heap},
    table::Table,
};

/// Scenario, most of the peer's time (as its n-th part), most allocations.
const TARGETS: [(&str, Option<f64>, Option<f64>); 8] = [
    ("3 keys, untouched, cookie", Some(11.0), Some(3.0)),
    ("3 keys, untouched, no cookie", Some(4.0), Some(3.0)),
    ("3 keys, read", Some(3.5), Some(4.0)),
    ("100 keys, read", Some(14.0), None),
    ("3 keys, write", Some(3.5), Some(12.0)),
    ("100 keys, write", Some(14.0), None),
    ("1 key, new session", Some(2.5), Some(14.0)),
    ("3 keys, forged cookie", Some(3.3), Some(4.0)),
];

/// Scenario, another one of ours, most times its time.
const WITHIN: [(&str, &str, f64); 2] = [
    ("100 keys, read", "3 keys, read", 1.15),
    ("3 keys, read, 20 cookies", "3 keys, read", 1.5),
];

const HEAP: f64 = 256.0;

/// Of a scenario: the peer's time, as its n-th part.
pub fn part(title: &str) -> Option<f64> {
    let mut targets = TARGETS.iter();
    targets.find(|(of, ..)| *of == title)?.1
}

pub fn print_time(times: &Figures) {
    let mut table = Table::new(["scenario", "target", SKETCH, "measured", ""]);
    let of = |title: &str, name| times[&(title.to_owned(), name)];
    for (title, part, _) in TARGETS {
        let Some(part) = part else { continue };
        let share = |name| of(title, PEER) / of(title, name);
        table.row([
            title.to_owned(),
            format!("≤ 1/{part} of {PEER}"),
            format!("1/{:.1}", share(SKETCH)),
            format!("1/{:.1}", share(OURS)),
            verdict(share(OURS) >= part),
        ]);
    }
    for (title, base, most) in WITHIN {
        let times = |name| of(title, name) / of(base, name);
        table.row([
            title.to_owned(),
            format!("≤ {most} × its own of \"{base}\""),
            format!("{:.2} ×", times(SKETCH)),
            format!("{:.2} ×", times(OURS)),
            verdict(times(OURS) <= most),
        ]);
    }
    table.print("Targets: time over `noop`");
}

pub fn print_allocations(allocations: &Figures) {
    let mut table = Table::new(["scenario", "target", "measured", ""]);
    for (title, _, most) in TARGETS {
        let Some(most) = most else { continue };
        let measured = allocations[&(title.to_owned(), OURS)];
        table.row([
            title.to_owned(),
            format!("≤ {most}"),
            format!("{measured:.1}"),
            // A table that grew now and then is no allocation of the request.
            verdict(measured < most + 0.5),
        ]);
    }
    table.print("Targets: allocations over `noop`");
}

pub fn print_heap(bytes: &Figures) {
    let mut table = Table::new(["", "target", "measured", ""]);
    let measured = bytes[&(heap::TITLE.to_owned(), OURS)];
    table.row([
        heap::TITLE.to_owned(),
        format!("≤ {HEAP}"),
        format!("{measured:.0}"),
        verdict(measured <= HEAP),
    ]);
    table.print("Target: heap");
}

/// One of a measurement that knows its own.
pub struct Target {
    pub what: String,
    pub target: String,
    pub measured: String,
    pub holds: bool,
}

pub fn print(title: &str, targets: &[Target]) {
    let mut table = Table::new(["", "target", "measured", ""]);
    for Target {
        what,
        target,
        measured,
        holds,
    } in targets
    {
        table.row([what, target, measured, &verdict(*holds)]);
    }
    table.print(title);
}

pub fn verdict(holds: bool) -> String {
    if holds { "ok" } else { "MISSED" }.to_owned()
}
