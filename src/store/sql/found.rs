//! Reads what a query has found.

use super::executor::Executor;
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::Status,
    time::Timestamp,
};

/// Reads the record from a row whose first columns are `version`, `expires_at` and `record`.
pub(super) fn record<E: Executor>(row: &E::Row) -> Result<Record, Error> {
    let (version, expires_at) = (E::number(row, 0)?, E::number(row, 1)?);
    let json = E::text(row, 2)?;
    let version = u64::try_from(version).map_err(|_| Error::corrupt("its version is negative"))?;
    let expires_at = Timestamp::from_millis(expires_at.max(0).cast_unsigned());
    Record::from_json(&json, Version::new(version), expires_at.into())
}

/// Reads the handle from a row whose fourth column it is.
pub(super) fn handle<E: Executor>(row: &E::Row) -> Result<Handle, Error> {
    handle_at::<E>(row, 3)
}

pub(super) fn handle_at<E: Executor>(row: &E::Row, column: usize) -> Result<Handle, Error> {
    E::text(row, column)?
        .parse()
        .map_err(|_| Error::corrupt("its handle is damaged"))
}

/// Reads what a look tells of a session.
pub(super) fn status<E: Executor>(row: &E::Row) -> Result<(Handle, Status), Error> {
    let (version, expires_at) = (E::number(row, 0)?, E::number(row, 1)?);
    let expires_at = Timestamp::from_millis(expires_at.max(0).cast_unsigned());
    let status = Status::new(
        Version::new(version.unsigned_abs()),
        expires_at.into(),
        version < 0,
    );
    Ok((handle_at::<E>(row, 2)?, status))
}
