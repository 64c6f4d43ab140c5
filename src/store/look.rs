use std::time::{Duration, SystemTime};

use super::{feed::Status, session_store::SessionStore};
use crate::{error::Error, id::Handle, record::Version};

/// The default of [`SessionStore::look`]: a `load` for each.
pub(super) async fn one_by_one(
    store: &(impl SessionStore + ?Sized),
    handles: &[Handle],
) -> Result<Vec<Option<Status>>, Error> {
    let mut statuses = Vec::with_capacity(handles.len());
    for handle in handles {
        statuses.push(match store.load(*handle).await {
            Ok(record) => record.as_ref().map(Status::of),
            // It is there, and the others are not to wait for its repair.
            Err(error) if error.is_corrupt() => Some(unreadable()),
            Err(error) => return Err(error),
        });
    }
    Ok(statuses)
}

/// A session that has not changed, and does not expire before the next look.
fn unreadable() -> Status {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    Status::new(Version::new(0), SystemTime::now() + DAY, false)
}
