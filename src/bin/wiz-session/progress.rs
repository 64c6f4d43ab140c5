use std::{
    io::{IsTerminal, stderr},
    time::{Duration, SystemTime},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{failure::Failure, store::Store};

/// How far a sweep is, on a terminal. It leaves nothing behind.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) async fn of_sweep(store: &Store, now: SystemTime) -> Result<Self, Failure> {
        if !stderr().is_terminal() {
            return Ok(Self(ProgressBar::hidden()));
        }
        let bar = match store.count_expired(now).await? {
            Some(total) => ProgressBar::new(total).with_style(style(WITH_TOTAL)),
            None => ProgressBar::new_spinner().with_style(style(WITHOUT)),
        };
        bar.enable_steady_tick(Duration::from_millis(100));
        Ok(Self(bar))
    }

    pub(crate) async fn of_copy(from: &Store) -> Result<Self, Failure> {
        if !stderr().is_terminal() {
            return Ok(Self(ProgressBar::hidden()));
        }
        let bar = match from.count_quickly(SystemTime::now()).await? {
            Some(total) => ProgressBar::new(total).with_style(style(COPY_WITH_TOTAL)),
            None => ProgressBar::new_spinner().with_style(style(COPY_WITHOUT)),
        };
        bar.enable_steady_tick(Duration::from_millis(100));
        Ok(Self(bar))
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

const WITH_TOTAL: &str = "{bar:30} {human_pos} of {human_len} deleted, {eta} left";
const WITHOUT: &str = "{spinner} {human_pos} deleted";

const COPY_WITH_TOTAL: &str = "{bar:30} {human_pos} of about {human_len} read, {eta} left";
const COPY_WITHOUT: &str = "{spinner} {human_pos} read";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}
