use std::borrow::Cow;

use sqlx::error::{DatabaseError, ErrorKind};

use super::driver::Driver;
use crate::{
    error::Error,
    store::sql::{
        advice,
        executor::{Failure, FailureKind},
    },
};

/// What a database error means for the statement that met it.
pub(super) fn of<DB: Driver>(error: sqlx::Error) -> Failure {
    let kind = match &error {
        _ if is_connection_error(&error) => FailureKind::ConnectionLost,
        sqlx::Error::Database(error) if DB::is_duplicate_key(&**error) => FailureKind::DuplicateKey,
        sqlx::Error::Database(error) if DB::is_rolled_back(&**error) => FailureKind::RolledBack,
        sqlx::Error::Database(error) if DB::is_denied(&**error) => FailureKind::Denied,
        _ => FailureKind::Other,
    };
    Failure {
        kind,
        error: into_error(error),
    }
}

/// A pool that is not fit.
pub(super) fn refused(what: &str, advice: &'static str) -> Failure {
    Failure {
        kind: FailureKind::Other,
        error: Error::store_advised(format!("{what} is 0"), advice),
    }
}

/// Converts a database error into a store error.
///
/// What an engine says about its own state is kept: "no such table", "disk full". A message that refuses a value may
/// quote it, and values are secret: of such an error only the code is kept.
pub(crate) fn into_error(error: sqlx::Error) -> Error {
    let code = error
        .as_database_error()
        .filter(|error| may_quote_value(&**error))
        .map(|error| error.code());
    match code {
        Some(code) => Error::store_advised(
            format!(
                "the database refused a value (code {})",
                code.as_deref().unwrap_or("unknown")
            ),
            advice::TABLE_DIFFERS,
        ),
        None => {
            let advice = advice_on(&error);
            Error::store_advised(error, advice)
        }
    }
}

fn advice_on(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Configuration(_) => Some(advice::ADDRESS),
        sqlx::Error::Tls(_) => Some(advice::TLS),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Some(advice::AWAY),
        sqlx::Error::PoolClosed => Some(advice::CLOSED),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            Some(advice::TABLE_DIFFERS)
        }
        sqlx::Error::Database(error) => advice::on(code(&**error).as_deref(), error.message()),
        _ => None,
    }
}

/// Whether the connection was lost or the server closed it.
fn is_connection_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            code(&**error).is_some_and(|code| SHUTDOWN_CODES.contains(&&*code))
        }
        _ => false,
    }
}

/// MySQL's codes for a server that shuts down, or has closed the connection.
const SHUTDOWN_CODES: [&str; 3] = ["1053", "1927", "4031"];

/// SQLSTATE class 22 is about data, and so are constraints, which an administrator may have added. MySQL reports text
/// that the column's character set cannot hold with a general SQLSTATE, but with a message of its own.
fn may_quote_value(error: &dyn DatabaseError) -> bool {
    let is_data_exception = |code: &str| code.len() == 5 && code.starts_with("22");
    let is_constraint = matches!(
        error.kind(),
        ErrorKind::CheckViolation | ErrorKind::NotNullViolation
    );
    is_constraint
        || error.code().is_some_and(|code| is_data_exception(&code))
        || error.message().starts_with("Incorrect string value")
}

/// The error's code. Of MySQL its own error number, which is more precise than the SQLSTATE.
pub(crate) fn code(error: &dyn DatabaseError) -> Option<Cow<'_, str>> {
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return Some(error.number().to_string().into());
    }
    let code = error.code()?;
    // SQLite's extended codes have the primary code in their low byte.
    match code.parse::<u32>() {
        Ok(number) if code.len() != 5 => Some((number & 0xff).to_string().into()),
        _ => Some(code),
    }
}
