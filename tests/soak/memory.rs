//! The servers' memory after each so many requests, and whether it stays flat.

use std::{fs, path::Path, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::sleep};

use crate::{plan::Plan, plot, process, traffic::Traffic};

/// Of both servers.
#[derive(Default)]
pub(crate) struct Memory {
    /// In KiB, a series for each.
    series: [Vec<u64>; 2],
    most_descriptors: usize,
}

/// Samples until all requests are sent.
pub(crate) fn sampled(plan: &Plan, pids: [u32; 2], traffic: &Arc<Traffic>) -> JoinHandle<Memory> {
    let (traffic, every) = (Arc::clone(traffic), plan.sample_every);
    let tell_every = plan.is_long().then_some(plan.requests / 10);
    tokio::spawn(async move {
        let (mut next, mut memory) = (0, Memory::default());
        while !traffic.is_over() {
            let sent = traffic.sent();
            if sent >= next {
                memory.sample(pids);
                if tell_every.is_some_and(|tell_every| next % tell_every < every) {
                    println!("{sent} requests: {}", memory.last());
                }
                next = sent - sent % every + every;
            }
            sleep(Duration::from_millis(2)).await;
        }
        memory
    })
}

impl Memory {
    fn sample(&mut self, pids: [u32; 2]) {
        for (pid, series) in pids.into_iter().zip(&mut self.series) {
            series.push(process::memory(pid));
            self.most_descriptors = self.most_descriptors.max(process::descriptors(pid));
        }
    }

    fn last(&self) -> String {
        let last = self.series.each_ref().map(|series| series.last());
        let [one, two] = last.map(|kib| mib(kib.copied().unwrap_or_default()));
        format!(
            "{one:.1} and {two:.1} MiB, {} descriptors at the most",
            self.most_descriptors
        )
    }

    /// With a drawing in `target/soak`.
    pub(crate) fn print(&self, store: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("soak");
        fs::create_dir_all(&folder).expect("a folder for drawings");
        let file = folder.join(format!("{store}.svg"));
        fs::write(&file, plot::svg(&self.series)).expect("a drawing");
        println!("{}", plot::text(&self.series));
        for (server, series) in self.series.iter().enumerate() {
            let quarters = quarters(series).map(mib);
            let [_, second, _, last] = quarters;
            println!(
                "{store}: server {} took {second:.1} MiB in the second quarter, {last:.1} in the last",
                server + 1
            );
        }
        println!(
            "{store}: {} descriptors at the most; {}",
            self.most_descriptors,
            file.display()
        );
    }

    pub(crate) fn assert_is_flat(&self, store: &str) {
        for (server, series) in self.series.iter().enumerate() {
            assert!(
                is_flat(series),
                "{store}: the memory of server {} grows",
                server + 1
            );
        }
    }
}

/// The last quarter takes at most a twentieth more than the second, and 3 MiB, as twenty thousand requests are over before
/// all caches and buffers have found their size. In the long form each server has five million, which exceed that if they
/// leave three bytes each.
fn is_flat(series: &[u64]) -> bool {
    let [_, second, _, last] = quarters(series);
    last <= second + second / 20 + 3 * 1024
}

/// What each takes at nine of ten times, at the least: while it verifies a password, a server takes 19 MiB more, and on a
/// busy machine that is half of the time.
fn quarters(series: &[u64]) -> [u64; 4] {
    let quarter = series.len() / 4;
    assert!(quarter > 0, "{} samples", series.len());
    [0, 1, 2, 3].map(|number| {
        let mut samples = series[number * quarter..][..quarter].to_vec();
        samples.sort_unstable();
        samples[quarter / 10]
    })
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[test]
fn what_grows_is_not_flat() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut series = |slope: u64| {
        let noise = std::iter::repeat_with(|| rng.u64(..4_000));
        (0..400_u64)
            .zip(noise)
            .map(|(at, noise)| 40_000 + at * slope + noise)
            .collect::<Vec<u64>>()
    };
    assert!(is_flat(&series(0)));
    // Three bytes of five million requests each.
    assert!(!is_flat(&series(37)));
}

#[test]
fn what_the_first_requests_take_is_not_growth() {
    let series: Vec<u64> = (0..400).map(|at: u64| 60_000 - 40_000 / (at + 1)).collect();
    assert!(is_flat(&series));
}
