//! Processor time, as Linux charges it; nothing elsewhere.

use std::{fs, process};

/// Seconds of this process's threads.
pub fn own() -> f64 {
    nanoseconds(process::id()) / 1e9
}

/// Seconds of the processes below another one.
pub fn below(process: u32) -> f64 {
    let below = |child: u32| nanoseconds(child) / 1e9 + below(child);
    tasks(process)
        .iter()
        .flat_map(|task| children(task))
        .map(below)
        .sum()
}

fn nanoseconds(process: u32) -> f64 {
    let ran = |task: &String| {
        let times = fs::read_to_string(format!("{task}/schedstat")).ok()?;
        times.split(' ').next()?.parse::<f64>().ok()
    };
    tasks(process).iter().filter_map(ran).sum()
}

fn children(task: &str) -> Vec<u32> {
    let pids = fs::read_to_string(format!("{task}/children")).unwrap_or_default();
    pids.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

fn tasks(process: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.path().display().to_string())
        .collect()
}
