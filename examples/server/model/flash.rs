//! A message that is shown once, on the next page that asks for it.

use serde::{Deserialize, Serialize};
use wiz_session::{Error, WizSession};

const KEY: &str = "flash_message";

/// A message and how it is meant: `info`, `success`, `warning` or `error`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Flash {
    message: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Flash {
    pub(crate) fn success(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            kind: "success".to_owned(),
        }
    }

    /// Leaves the message for the next page.
    pub(crate) fn put(&self, session: &WizSession) -> Result<(), Error> {
        session.set(KEY, self)
    }

    /// Takes the message. Of readers that ask at once only one gets it.
    pub(crate) async fn take(session: &WizSession) -> Result<Option<Self>, Error> {
        // Most pages have none to show, and then there is nothing to agree on.
        if !session.contains_key(KEY) {
            return Ok(None);
        }
        match session.transaction(|tx| tx.take(KEY)).await {
            // The session ended meanwhile, and the message with it.
            Err(error) if error.is_gone() => Ok(None),
            taken => taken,
        }
    }
}
