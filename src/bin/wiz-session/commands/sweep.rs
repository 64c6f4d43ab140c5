use std::{
    fmt,
    time::{Instant, SystemTime},
};

use serde::Serialize;
use wiz_session::Sweeper;

use crate::{
    exit::Exit, failure::Failure, interrupt::Interrupt, progress::Progress, screen::Screen,
    store::Store, text::counted,
};

pub(crate) async fn run(store: &Store, batch: u32, screen: Screen) -> Result<Exit, Failure> {
    let swept = sweep(store, batch).await?;
    screen.show(&swept)?;
    Ok(match swept.interrupted {
        true => Exit::Interrupted,
        false => Exit::Done,
    })
}

#[derive(Serialize)]
struct Swept {
    deleted: u64,
    interrupted: bool,
}

/// What expires meanwhile is left for the next time, so it comes to an end.
async fn sweep(store: &Store, batch: u32) -> Result<Swept, Failure> {
    // What has just expired may still be changed by a request that came in time.
    let until = SystemTime::now() - Sweeper::GRACE;
    let interrupt = Interrupt::watch();
    let progress = Progress::of_sweep(store, until).await?;
    let mut swept = Swept {
        deleted: 0,
        interrupted: false,
    };
    loop {
        let start = Instant::now();
        let deleted = store.delete_expired(until, batch as usize).await;
        let deleted = deleted.map_err(|failure| match swept.deleted {
            0 => failure,
            _ => failure.after(&swept),
        })?;
        swept.deleted += deleted;
        progress.advance(deleted);
        if deleted < batch.into() {
            return Ok(swept);
        }
        if interrupt.came() {
            swept.interrupted = true;
            return Ok(swept);
        }
        // As a `Sweeper` does: without a pause, a SQLite file would be left one write in ten.
        tokio::time::sleep(start.elapsed()).await;
    }
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} deleted", counted(self.deleted, "expired session"))?;
        match self.interrupted {
            true => f.write_str(" before it was interrupted"),
            false => Ok(()),
        }
    }
}
