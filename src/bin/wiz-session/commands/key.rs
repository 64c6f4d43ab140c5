use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;

use crate::{exit::Exit, failure::Failure, screen::Screen};

pub(crate) fn run(screen: Screen) -> Result<Exit, Failure> {
    let key = BASE64_STANDARD.encode(wiz_session::Key::generate().master());
    screen.show(&Fresh { key })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Fresh {
    key: String,
}

impl fmt::Display for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}
