//! Cookies of Flask's of logins that have ended here. Flask goes on taking them, as it keeps nothing on the server; here they
//! open nothing any more, neither to a copy nor to a request or a response that was on its way.

use std::time::{Duration, SystemTime};

use super::{lineage::Lineage, settings::Presented};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    session::RequestSession,
};

/// Leaves a tombstone for all cookies that the session has sent, and for the one that came, for as long as they could be
/// good. One call to the store for each.
pub(super) async fn remember(
    session: &RequestSession,
    lineage: Option<Lineage>,
    presented: Option<&Presented>,
    lifetime: Duration,
) -> Result<(), Error> {
    if let Some(lineage) = lineage {
        leave(session, of_lineage(lineage), lifetime).await?;
    }
    match presented {
        Some(presented) if presented.lineage.is_some() && presented.lineage == lineage => Ok(()),
        // One of Flask's own that was signed in this very second is left alone: a login at Flask that follows at once may
        // get the same text.
        Some(presented) if presented.lineage.is_some() || presented.age > 0 => {
            leave(session, of_cookie(presented), lifetime).await
        }
        _ => Ok(()),
    }
}

/// One call to the store.
pub(super) async fn is_remembered(
    session: &RequestSession,
    presented: &Presented,
) -> Result<bool, Error> {
    let found = session.config.store.load(of_cookie(presented));
    let found = found.answer().await?;
    let now = session.config.clock.timestamp();
    Ok(found.is_some_and(|record| record.expires() > now))
}

async fn leave(session: &RequestSession, handle: Handle, lifetime: Duration) -> Result<(), Error> {
    let now = session.config.clock.timestamp();
    let end = SystemTime::from(now) + lifetime + Duration::from_secs(1);
    let stone = Record::tombstone(Version::FIRST, now).with_expires_at(end);
    // There may be one already: two requests log out.
    let created = session.config.store.create(handle, &stone).answer().await;
    created.map(drop)
}

fn of_lineage(lineage: Lineage) -> Handle {
    handle("lineage", lineage.bytes())
}

fn of_cookie(presented: &Presented) -> Handle {
    match presented.lineage {
        Some(lineage) => of_lineage(lineage),
        None => handle("signature", presented.signature.as_bytes()),
    }
}

fn handle(kind: &str, of: &[u8]) -> Handle {
    Handle::of_entry(
        "wiz-session Flask cookie of an ended login",
        &[kind.as_bytes(), of],
    )
}
