use sqlx::error::ErrorKind;

use super::advice;
use crate::error::Error;

/// Converts a database error into a store error.
///
/// What an engine says about its own state is kept: "no such table", "disk full". A message that refuses a value may
/// quote it, and values are secret: of such an error only the code is kept.
pub(super) fn into_error(error: sqlx::Error) -> Error {
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
            let advice = advice::on(&error);
            Error::store_advised(error, advice)
        }
    }
}

/// Whether the connection was lost or the server closed it.
pub(super) fn is_connection_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            advice::code(&**error).is_some_and(|code| SHUTDOWN_CODES.contains(&&*code))
        }
        _ => false,
    }
}

/// PostgreSQL's and MySQL's codes for a server that shuts down, has crashed or has closed the connection.
const SHUTDOWN_CODES: [&str; 5] = ["57P01", "57P02", "1053", "1927", "4031"];

/// SQLSTATE class 22 is about data, and so are constraints, which an administrator may have added. MySQL reports text
/// that the column's character set cannot hold with a general SQLSTATE, but with a message of its own.
fn may_quote_value(error: &dyn sqlx::error::DatabaseError) -> bool {
    let is_data_exception = |code: &str| code.len() == 5 && code.starts_with("22");
    let is_constraint = matches!(
        error.kind(),
        ErrorKind::CheckViolation | ErrorKind::NotNullViolation
    );
    is_constraint
        || error.code().is_some_and(|code| is_data_exception(&code))
        || error.message().starts_with("Incorrect string value")
}
