//! Cookies of Flask's that came with a logout here. Flask goes on taking them, as it keeps nothing on the server; here they
//! open nothing any more, neither to a copy nor to a request that was on its way.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::settings::Presented;
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    session::RequestSession,
};

/// Leaves a tombstone for a cookie, for as long as it would be good. One call to the store.
///
/// Not for one that was signed in this very second: a login at Flask that follows at once may get the same text.
pub(super) async fn remember(
    session: &RequestSession,
    presented: &Presented,
    lifetime: Duration,
) -> Result<(), Error> {
    if presented.age == 0 {
        return Ok(());
    }
    let now = session.config.clock.timestamp();
    let left = lifetime.saturating_sub(Duration::from_secs(presented.age));
    let end = now.saturating_add(left + Duration::from_secs(1));
    let stone = Record::tombstone(Version::FIRST, now).with_expires_at(end.into());
    let created = session.config.store.create(handle(presented), &stone);
    // There is one already, if two requests log out.
    created.answer().await.map(drop)
}

/// One call to the store.
pub(super) async fn is_remembered(
    session: &RequestSession,
    presented: &Presented,
) -> Result<bool, Error> {
    let found = session
        .config
        .store
        .load(handle(presented))
        .answer()
        .await?;
    let now = session.config.clock.timestamp();
    Ok(found.is_some_and(|record| record.expires() > now))
}

/// No session's: that would be the digest of an id.
fn handle(presented: &Presented) -> Handle {
    let digest = Sha256::new()
        .chain_update("wiz-session: logged out of Flask's cookie ")
        .chain_update(&*presented.signature)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Handle::from_bytes(bytes)
}
