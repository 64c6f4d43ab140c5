//! One file for each command: what it asks the store, and how it puts the answer.

pub(crate) mod count;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod migrate;
pub(crate) mod revoke;
pub(crate) mod show;
pub(crate) mod sweep;

use wiz_session::Handle;

use crate::failure::Failure;

/// It quotes nothing: somebody may have taken a cookie for a handle.
fn handle(text: &str) -> Result<Handle, Failure> {
    text.parse()
        .map_err(|error: wiz_session::InvalidHandle| Failure::of_usage(error.to_string(), ADVICE))
}

const ADVICE: &str = "`wiz-session list USER` shows those of a user; the logs have them too";

const NO_SESSION: &str = "there is no session with this handle";
