use std::fmt;

use serde::Serialize;

use super::NO_SESSION;
use crate::{exit::Exit, failure::Failure, screen::Screen, store::Store, text::counted};

pub(crate) async fn one(store: &Store, handle: &str, screen: Screen) -> Result<Exit, Failure> {
    let revoked = store.delete(super::handle(handle)?).await?;
    let ended = Ended {
        revoked: revoked.into(),
    };
    if revoked {
        screen.show(&ended)?;
        Ok(Exit::Done)
    } else {
        screen.show_none(&ended, NO_SESSION)?;
        Ok(Exit::NothingThere)
    }
}

pub(crate) async fn all(store: &Store, user: &str, screen: Screen) -> Result<Exit, Failure> {
    let revoked = store.delete_user(user).await?;
    screen.show(&Ended { revoked })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Ended {
    revoked: u64,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended", counted(self.revoked, "session"))
    }
}
