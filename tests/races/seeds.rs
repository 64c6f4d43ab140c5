//! Random schedules that can be run again: settings from the environment, and the seed of one that failed.

/// A number that the environment sets.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// Prints how to run the schedule again, if it panics while this lives.
pub(crate) struct PrintOnPanic {
    /// The variable that names the seed.
    pub(crate) variable: &'static str,
    pub(crate) seed: u64,
}

impl Drop for PrintOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { variable, seed } = self;
            eprintln!("this schedule again: {variable}={seed} cargo test --test races");
        }
    }
}
