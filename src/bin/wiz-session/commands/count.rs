use std::{fmt, time::SystemTime};

use serde::Serialize;

use crate::{exit::Exit, failure::Failure, screen::Screen, store::Store};

pub(crate) async fn run(store: &Store, screen: Screen) -> Result<Exit, Failure> {
    let count = store.count(SystemTime::now()).await?;
    screen.show(&Count { count })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Count {
    count: u64,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.count.fmt(f)
    }
}
