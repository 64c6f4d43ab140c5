use std::fmt;

use serde::Serialize;

use crate::{exit::Exit, failure::Failure, screen::Screen, store::Store};

pub(crate) async fn run(store: &Store, screen: Screen) -> Result<Exit, Failure> {
    let migrated = store.migrate().await?;
    screen.show(&Migration { migrated })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Migration {
    migrated: bool,
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.migrated {
            true => "the table is there",
            false => "Redis has no tables: there is nothing to do",
        })
    }
}
